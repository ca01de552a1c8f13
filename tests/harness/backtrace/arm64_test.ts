import { assertEquals } from "@std/assert";
import { arm64HasRecord } from "../../../harness/backtrace/arm64.ts";
import { backtrace } from "../../../harness/backtrace/backtrace.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { symbolTable } from "../../../harness/symbols/symbol_table_builder.ts";
import { FakeCpu, SparseMemory } from "./_guest.ts";

const KERNEL = 0xffff800080000000n;
const STACK = 0xffff800081234000n;

function code(...words: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

const PACIASP = 0xd503233f;
const PUSH = 0xa9be7bfd; // stp x29, x30, [sp, #-32]!
const FRAME = 0x910003fd; // mov x29, sp
const CALL = 0x94000010; // bl
const POP = 0xa8c27bfd; // ldp x29, x30, [sp], #32
const RET = 0xd65f03c0;

Deno.test("knows whether a function has its frame record at every instruction", () => {
  const body = [PACIASP, PUSH, FRAME, CALL, POP, RET, CALL];
  const has = body.map((_, i) => arm64HasRecord(code(...body.slice(0, i))));
  assertEquals(has, [false, false, false, true, true, false, true]);
  assertEquals(arm64HasRecord(code(CALL, RET)), false);
  assertEquals(arm64HasRecord(undefined), true, "most code has one");
});

Deno.test("finds the caller in x30 where there is no record, without its signature", () => {
  const kernel = new Symbolizer(symbolTable([
    { name: "outer", address: KERNEL + 0x100n, size: 0x100, type: "T" },
    { name: "inner", address: KERNEL + 0x200n, size: 0x100, type: "T" },
  ]));
  const memory = new SparseMemory()
    .put(KERNEL + 0x200n, code(PACIASP, PUSH, FRAME, CALL))
    .put(STACK + 0x40n, [0n, 0n]);
  const signed = KERNEL + 0x120n ^ 0x005a000000000000n;
  const at = (pc: bigint) =>
    backtrace(new FakeCpu("kernel", { pc, sp: STACK, x29: STACK + 0x40n, x30: signed }), memory, "arm64", {
      kernel,
    })
      .map(({ symbol }) => symbol);
  assertEquals(at(KERNEL + 0x204n), ["inner", "outer"]);
  assertEquals(at(KERNEL + 0x20cn), ["inner"], "the record there says that nothing called");
});

/** An exception's frame: entry code whose record is part of pt_regs. */
function exception(recordOffset: bigint, pc: bigint, pstate: bigint) {
  const kernel = new Symbolizer(symbolTable([
    { name: "el1h_64_irq", address: KERNEL + 0x100n, size: 0x100, type: "t" },
    { name: "el0t_64_sync", address: KERNEL + 0x200n, size: 0x100, type: "t" },
    { name: "handler", address: KERNEL + 0x300n, size: 0x100, type: "T" },
    { name: "interrupted", address: KERNEL + 0x400n, size: 0x100, type: "T" },
  ]));
  const registers = STACK + 0x100n;
  const entry = KERNEL + (pc >> 63n ? 0x110n : 0x210n);
  const memory = new SparseMemory()
    .put(registers, Array(40).fill(0n))
    .put(registers + 248n, [STACK + 0x400n, pc, pstate])
    .put(STACK, [registers + recordOffset, entry]);
  const cpu = new FakeCpu("kernel", { pc: KERNEL + 0x320n, sp: STACK, x29: STACK, x30: 0n });
  return backtrace(cpu, memory, "arm64", { kernel }).map(({ symbol, mode, pc }) => symbol ?? `${mode} ${pc}`);
}

Deno.test("finds what an exception interrupted, in kernels before and since 6.13", () => {
  for (const offset of [304n, 296n]) {
    assertEquals(exception(offset, KERNEL + 0x440n, 0x60400005n), ["handler", "el1h_64_irq", "interrupted"]);
    assertEquals(exception(offset, 0x400100n, 0x60000000n), ["handler", "el0t_64_sync", `user ${0x400100}`]);
  }
});
