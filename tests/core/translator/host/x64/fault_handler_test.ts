/** The signal handler, called as the kernel would call it. */
import { assertEquals, assertNotEquals } from "@std/assert";
import { allocateCode } from "../../../../../accel/ffi/memory.ts";
import { Assembler } from "../../../../../core/translator/host/x64/assembler.ts";
import { emitFaultHandler } from "../../../../../core/translator/host/x64/fault_handler.ts";
import {
  FAULT_TABLE_BYTES,
  FaultTable,
  HASH_FACTOR,
  HASH_SHIFT,
} from "../../../../../core/translator/host/x64/fault_table.ts";
import { STATE_BIAS } from "../../../../../core/translator/host/x64/registers.ts";
import { STATE_BYTES, STATE_FAULT_TABLE, STATE_MIRROR_FAULT } from "../../../../../core/translator/layout.ts";

// struct ucontext and siginfo_t, as in fault_handler.ts
const UC_RBP = 120, UC_RIP = 168, SI_ADDR = 16;
const FAULT = 0x7a22_8cd9_6630n;

const hash = (access: number) => Math.imul(access, HASH_FACTOR) >>> HASH_SHIFT;

Deno.test({
  name: "a fault is led on and noted in the state, also where accesses share a place in the table",
  ignore: Deno.build.arch !== "x86_64" || Deno.build.os !== "linux",
  fn: () => {
    const code = allocateCode(4096);
    // Accesses are addresses in memory that would show it if anything were written near them.
    const accesses = allocateCode(1 << 20);
    const table = allocateCode(FAULT_TABLE_BYTES), state = allocateCode(STATE_BYTES);
    const faults = new FaultTable(new Int32Array(table.buffer));
    const first = accesses.address;
    let second = first + 1;
    while (hash(second) !== hash(first)) second++;
    faults.add(first, 0x1111);
    faults.add(second, 0x2222);
    const { entry } = emitFaultHandler(new Assembler(new Uint8Array(code.buffer), code.address));
    const handler = new Deno.UnsafeFnPointer(
      Deno.UnsafePointer.create(BigInt(code.address + entry))!,
      { parameters: ["i32", "buffer", "buffer"], result: "void" } as const,
    );
    new DataView(state.buffer).setBigUint64(STATE_FAULT_TABLE, BigInt(table.address), true);
    const noted = new DataView(state.buffer, STATE_MIRROR_FAULT, 8);
    for (const [access, target] of [[first, 0x1111], [second, 0x2222]]) {
      noted.setBigUint64(0, 0n, true);
      const context = new DataView(new ArrayBuffer(1024)), info = new DataView(new ArrayBuffer(128));
      context.setBigUint64(UC_RBP, BigInt(state.address + STATE_BIAS), true);
      context.setBigUint64(UC_RIP, BigInt(access), true);
      info.setBigUint64(SI_ADDR, FAULT, true);
      handler.call(11, new Uint8Array(info.buffer), new Uint8Array(context.buffer));
      assertEquals(context.getBigUint64(UC_RIP, true), BigInt(target));
      assertEquals(noted.getBigUint64(0, true), FAULT);
    }
    assertNotEquals(second, first);
    assertEquals(new Uint8Array(accesses.buffer).every((byte) => byte === 0), true);
    for (const pages of [code, accesses, table, state]) pages.free();
  },
});
