/** What a stock gdb makes of an x86-64 machine that stands still. How it moves is tests/harness/shared's. */
import { assertEquals, assertMatch } from "@std/assert";
import type { ParallelEngine } from "../../../accel/engine.ts";
import { createVirtX86 } from "../../../core/boards/virt_x86.ts";
import { plainMemory } from "../../../core/memory.ts";
import { Driver } from "../../../harness/driver.ts";
import { serveGdb } from "../../../harness/gdb/server.ts";
import { kernelPath } from "../../../fixtures/kernels.ts";
import { gdbAt, gdbTest } from "./_gdb.ts";

/** An engine that executes nothing. */
const STILL: ParallelEngine = {
  name: "still",
  deterministic: true,
  runMachine() {},
  canStopAt: () => true,
  stepMachine: () => false,
  statistics: () => ({}),
  dispose() {},
};

gdbTest("gdb knows every register of an x86-64 machine, and disassembles its code", async () => {
  const elf = kernelPath("long", "x86_64");
  const kernel = await Deno.readFile(elf);
  const board = await createVirtX86({ memory: plainMemory, ramBytes: 16 << 20, vcpus: 2, kernel });
  const driver = new Driver(board, STILL, "exit");
  const server = await serveGdb(driver, "x86_64");
  const text = await gdbAt(server, elf, [
    "info registers rip eflags cs",
    "x/2i $pc",
    "set var $r15 = 0x123456789abcdef0",
    "p/x $r15",
    "p/x $cr0",
    "p/x $efer",
    "p/x $mxcsr",
    "p $xmm3.v4_int32",
    "p $st0",
    "p/x $gs_base",
    "info threads",
    "kill",
  ]);
  assertMatch(text, /^rip +0x100\w+ +0x100\w+ <_start\w*>/m);
  assertMatch(text, /^cs +0x10 /m);
  assertMatch(text, /^=> 0x100\w+ <_start\w*>:\s+\w+/m);
  assertMatch(text, /= 0x123456789abcdef0/);
  assertMatch(text, /= 0x80000031$/m);
  assertMatch(text, /= 0x500$/m);
  assertMatch(text, /= 0x1f80$/m);
  assertMatch(text, /= \{0, 0, 0, 0\}/);
  assertMatch(text, /Thread 2 "vCPU 1" \(real mode, stopped\)/);
  assertEquals(board.machine.vcpus[0].register("r15"), 0x123456789abcdef0n);
  assertEquals(/warning|error|Undefined|unavailable/i.exec(text), null, text);
  await driver.close();
});
