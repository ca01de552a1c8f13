import { assert, assertEquals, assertThrows } from "@std/assert";
import { backtrace, backtraceFrom } from "../../../harness/backtrace/backtrace.ts";
import { formatBacktrace } from "../../../harness/backtrace/frame.ts";
import { InputError } from "../../../harness/errors.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { symbolTable } from "../../../harness/symbols/symbol_table_builder.ts";
import { EndlessMemory, FakeCpu, SparseMemory } from "./_guest.ts";

const KERNEL = 0xffffffff80000000n;
const STACK = 0xff20000000010000n;

/** Registers of every architecture, so that one vCPU can be of any. */
function cpu(mode: string, pc: bigint, sp: bigint, fp: bigint, link: bigint): FakeCpu {
  const names = { riscv64: ["s0", "ra", "sp"], arm64: ["x29", "x30", "sp"], x86_64: ["rbp", "", "rsp"] };
  const registers: Record<string, bigint> = { pc };
  for (const [frame, ret, stack] of Object.values(names)) {
    registers[frame] = fp;
    if (ret) registers[ret] = link;
    registers[stack] = sp;
  }
  return new FakeCpu(mode, registers);
}

const ARCHITECTURES = ["riscv64", "arm64", "aarch64", "x86_64"];

Deno.test("follows frame pointers without any symbols", () => {
  const chains: Record<string, SparseMemory> = {
    // Below the frame pointer: the caller's, then the return address.
    riscv64: new SparseMemory()
      .put(STACK + 0x30n, [STACK + 0x80n, KERNEL + 0x200n])
      .put(STACK + 0x70n, [0n, KERNEL + 0x300n]),
    arm64: new SparseMemory()
      .put(STACK + 0x40n, [STACK + 0x80n, KERNEL + 0x200n])
      .put(STACK + 0x80n, [0n, KERNEL + 0x300n]),
    x86_64: new SparseMemory()
      .put(STACK + 0x40n, [STACK + 0x80n, KERNEL + 0x200n])
      .put(STACK + 0x80n, [0n, KERNEL + 0x300n]),
  };
  for (const [arch, memory] of Object.entries(chains)) {
    for (const pc of [0x100n, 0x200n, 0x300n]) memory.put(KERNEL + pc - 8n, new Uint8Array(16));
    const frames = backtrace(cpu("kernel", KERNEL + 0x100n, STACK, STACK + 0x40n, 0n), memory, arch);
    assertEquals(frames.map(({ pc }) => pc - KERNEL), [0x100n, 0x200n, 0x300n], arch);
    assertEquals(frames.map(({ called }) => called), [false, true, true]);
  }
});

Deno.test("goes from the kernel's entry code to the program, with its own symbols", () => {
  const kernel = new Symbolizer(symbolTable([
    { name: "do_trap", address: KERNEL + 0x100n, size: 0x100, type: "T" },
    { name: "handle_exception", address: KERNEL + 0x200n, size: 0x100, type: "T" },
  ]));
  const user = new Symbolizer(symbolTable([
    { name: "main", address: 0x10000n, size: 0x100, type: "T" },
    { name: "read_all", address: 0x10100n, size: 0x100, type: "T" },
  ]));
  const memory = new SparseMemory()
    .put(STACK + 0x30n, [0x7fff0040n, KERNEL + 0x240n])
    .put(STACK + 0x40n, [0x10120n, 0n, 0x7fff0000n, 0n, 0n, 0n, 0n, 0n, 0x7fff0040n]) // pt_regs
    .put(0x7fff0030n, [0n, 0x10024n])
    // jal ra, … before the return address; the frame's beginning and its prologue: addi sp,sp,-64; sd ra; sd s0; addi s0,sp,64
    .put(0x10020n, new Uint8Array([0xef, 0x00, 0x10, 0x00]))
    .put(0x10100n, Uint8Array.fromHex("139101fc233c1102233881021304010400".padEnd(64, "0")));
  const frames = backtrace(cpu("supervisor", KERNEL + 0x180n, STACK, STACK + 0x40n, 0n), memory, "riscv64", {
    kernel,
    user,
  });
  assertEquals(formatBacktrace(frames), [
    "#0 do_trap+0x80/0x100",
    "#1 handle_exception+0x40/0x100",
    "#2 read_all+0x20/0x100 (user)",
    "#3 main+0x24/0x100 (user)",
  ]);
});

Deno.test("ends where frames go round in a circle", () => {
  for (const arch of ARCHITECTURES) {
    const memory = new SparseMemory();
    const fp = STACK + 0x40n;
    memory.put(KERNEL + 0x1f0n, new Uint8Array(32));
    memory.put(fp - 16n, [fp, KERNEL + 0x200n]).put(fp, [fp, KERNEL + 0x200n]);
    const frames = backtrace(cpu("kernel", KERNEL + 0x200n, STACK, fp, 0n), memory, arch);
    assert(frames.length >= 2 && frames.length <= 5, `${arch}: ${frames.length}`);
  }
});

Deno.test("gives no more frames than asked for, of a stack without end", () => {
  for (const arch of ARCHITECTURES) {
    // Each word points 64 bytes up, but for those that hold return addresses: the second of each pair.
    const memory = new EndlessMemory((address) =>
      address % 16n === 8n ? KERNEL + address % 4096n : address + 64n
    );
    const innermost = cpu("kernel", KERNEL + 0x200n, STACK, STACK + 0x40n, KERNEL);
    assertEquals(backtrace(innermost, memory, arch, { limit: 10 }).length, 10, arch);
    assertEquals(backtrace(innermost, memory, arch).length, 64, arch);
    assert(backtrace(innermost, memory, arch, { limit: Infinity }).length <= 4096);
    assertEquals(backtrace(innermost, memory, arch, { limit: 0 }).length, 1);
  }
});

Deno.test("believes no word of memory filled with chance", () => {
  let seed = 7n;
  const chance = () => seed = BigInt.asUintN(64, seed * 6364136223846793005n + 1442695040888963407n);
  for (const arch of ARCHITECTURES) {
    for (let i = 0; i < 300; i++) {
      const memory = new EndlessMemory((address) =>
        BigInt.asUintN(64, (address ^ seed) * 0x9e3779b97f4a7c15n)
      );
      const mode = i % 2 ? "user" : "kernel";
      const frames = backtrace(cpu(mode, chance(), chance(), chance(), chance()), memory, arch);
      assert(frames.length <= 64 && memory.reads < 5000, `${arch}: ${frames.length} frames`);
    }
  }
});

Deno.test("has the innermost frame even where nothing can be read", () => {
  const nothing = new SparseMemory();
  for (const arch of ARCHITECTURES) {
    for (const mode of ["user", "kernel"]) {
      for (const at of [0n, 0xffff_ffff_ffff_fff8n, KERNEL, 0x1000n]) {
        const frames = backtrace(cpu(mode, at, at, at, at), nothing, arch);
        assertEquals(frames[0], { pc: at, sp: at, mode: mode === "user" ? "user" : "kernel", called: false });
      }
    }
  }
});

Deno.test("unwinds a task that does not run from where it was switched out", () => {
  const memory = new SparseMemory()
    .put(STACK + 0x30n, [0n, KERNEL + 0x300n])
    .put(KERNEL + 0x2f0n, new Uint8Array(32));
  const start = { pc: KERNEL + 0x200n, sp: STACK, fp: STACK + 0x40n, user: false, called: true };
  assertEquals(backtraceFrom(start, 0, memory, "riscv64").map(({ pc }) => pc - KERNEL), [0x200n, 0x300n]);
});

Deno.test("says that it does not know an architecture", () => {
  assertThrows(
    () => backtrace(cpu("user", 0n, 0n, 0n, 0n), new SparseMemory(), "sparc64"),
    InputError,
    'no backtraces for the architecture "sparc64"',
  );
});
