/** Corner cases of the meaning of IR ops, as `ir.ts` states them. */
import { assertEquals, assertThrows } from "@std/assert";
import * as ops from "../../../core/translator/ir.ts";
import { IrEvaluator } from "../../../core/translator/ir_evaluator.ts";
import {
  STATE_BUDGET,
  STATE_BYTES,
  STATE_TIME_AT_ZERO,
  TLB_LOAD,
  TLB_STORE,
  tlbTable,
} from "../../../core/translator/layout.ts";

const STATE = 0x10_0000, RAM = 0x20_0000;
const state = new DataView(new ArrayBuffer(STATE_BYTES));
const ram = new DataView(new ArrayBuffer(8192));
const evaluator = new IrEvaluator({
  state: { address: STATE, bytes: new Uint8Array(state.buffer) },
  spans: [{ address: RAM, bytes: new Uint8Array(ram.buffer) }],
});
const ir = new ops.Ir();

/** Runs a block of one instruction. */
function run(build: () => void) {
  ir.begin(0);
  ir.insn(0x1000, 0);
  build();
  if (!ir.ended) ir.jump(0x1004, 0);
  return evaluator.run(ir);
}

/** What an integer op gives for constants. */
function value(op: number, a: bigint, b = 0n): bigint {
  const constant = (x: bigint) =>
    ir.const64(Number(BigInt.asIntN(32, x)), Number(BigInt.asIntN(32, x >> 32n)));
  run(() => ir.set(8, ir.emit(op, constant(a), constant(b))));
  return state.getBigInt64(8, true);
}

const MIN = -(1n << 63n);

Deno.test("division is total", () => {
  assertEquals(value(ops.OP_DIVS64, 7n, 0n), -1n);
  assertEquals(value(ops.OP_REMS64, 7n, 0n), 7n);
  assertEquals(value(ops.OP_DIVS64, MIN, -1n), MIN);
  assertEquals(value(ops.OP_REMS64, MIN, -1n), 0n);
  assertEquals(value(ops.OP_DIVU32, 1n << 40n, 0n), 0xffffffffn);
  assertEquals(value(ops.OP_DIVS32, 0x80000000n, -1n), 0x80000000n);
});

Deno.test("32-bit ops use low halves and zero-extend", () => {
  assertEquals(value(ops.OP_ADD32, -1n, -1n), 0xfffffffen);
  assertEquals(value(ops.OP_SAR32, 0x80000000n, 35n), 0xf0000000n);
  assertEquals(value(ops.OP_ROR32, 0x1_0000_0001n, 1n), 0x80000000n);
});

Deno.test("counts of zero are the width", () => {
  assertEquals(value(ops.OP_CLZ64, 0n), 64n);
  assertEquals(value(ops.OP_CTZ32, 1n << 32n), 32n);
});

Deno.test("a load that the TLB does not hold, or that crosses pages, leaves the block before it", () => {
  state.setBigUint64(tlbTable(0, TLB_LOAD), 1n, true);
  const load = (displacement: number) =>
    run(() => ir.set(8, ir.load(4, true, ir.const(0x3000), displacement)));
  assertEquals(load(0), { kind: "interpret", pc: 0x1000n, retired: 0, context: 0 });
  const entry = tlbTable(0, TLB_LOAD) + 16 * 3;
  state.setBigUint64(entry, 0x3000n, true);
  state.setBigUint64(entry + 8, BigInt(RAM - 0x3000), true);
  ram.setInt32(8, -5, true);
  assertEquals(load(8).kind, "jump");
  assertEquals(state.getBigInt64(8, true), -5n);
  assertEquals(load(4093).kind, "interpret");
});

Deno.test("sign-extending the low half of a 64-bit load is not left out", () => {
  const entry = tlbTable(0, TLB_LOAD) + 16 * 3;
  state.setBigUint64(entry, 0x3000n, true);
  state.setBigUint64(entry + 8, BigInt(RAM - 0x3000), true);
  ram.setBigUint64(16, 0x1234_5678_8000_0000n, true);
  run(() => ir.set(8, ir.un(ops.OP_SEXT32, ir.load(8, true, ir.const(0x3000), 16))));
  assertEquals(state.getBigInt64(8, true), -0x8000_0000n);
});

Deno.test("stores go through the table of stores", () => {
  const entry = tlbTable(0, TLB_STORE) + 16 * 3;
  state.setBigUint64(entry, 0x3000n, true);
  state.setBigUint64(entry + 8, BigInt(RAM + 4096 - 0x3000), true);
  run(() => ir.store(2, ir.const(0x3000), 6, ir.const(-2)));
  assertEquals(ram.getUint32(4096 + 4, true), 0xfffe0000);
});

Deno.test("a side exit retires its instruction, a guard does not", () => {
  const zero = () => ir.const(0);
  assertEquals(run(() => ir.branch(ops.COND_EQ, zero(), zero(), 0x2000, 0)).retired, 1);
  assertEquals(run(() => ir.interpretIf(ops.COND_EQ, zero(), zero())).retired, 0);
});

Deno.test("what is refunded was not retired, and took no time", () => {
  state.setInt32(STATE_BUDGET, 10, true);
  state.setBigUint64(STATE_TIME_AT_ZERO, 1000n, true);
  const refund = (a: number, end: () => void) =>
    run(() => {
      ir.insn(0x1004, 0);
      ir.insn(0x1008, 0);
      ir.refundIf(ops.COND_EQ, ir.const(a), ir.const(0), 2);
      ir.insn(0x100c, 0);
      ir.set(8, ir.emit(ops.OP_TIME));
      ir.insn(0x1010, 0);
      end();
    });
  assertEquals([0, 1].map((a) => refund(a, () => ir.jump(0x2000, 0)).retired), [3, 5]);
  assertEquals([0, 1].map((a) => refund(a, () => ir.interpret()).retired), [2, 4]);
  refund(0, () => ir.jump(0x2000, 0));
  assertEquals(state.getBigInt64(8, true), 991n);
});

Deno.test("time is that of the instruction's start", () => {
  state.setInt32(STATE_BUDGET, 10, true);
  state.setBigUint64(STATE_TIME_AT_ZERO, 1000n, true);
  run(() => {
    ir.insn(0x1004, 0);
    ir.set(8, ir.emit(ops.OP_TIME));
  });
  assertEquals(state.getBigInt64(8, true), 991n);
});

Deno.test("FP conversions out of range, fused NaNs and minima of NaN leave the block", () => {
  const nan = () => ir.fop(ops.OP_BITS_F, 8, ir.const64(1, 0x7ff80000));
  assertEquals(run(() => ir.set(8, ir.fop(ops.OP_F2I, 8, nan(), 0, ops.I2F_S64))).kind, "interpret");
  assertEquals(run(() => ir.fset(256, 8, ir.fop(ops.OP_FMIN, 8, nan(), nan()))).kind, "interpret");
  assertEquals(run(() => ir.fset(256, 8, ir.fop(ops.OP_FMADD, 8, nan(), nan(), nan()))).kind, "interpret");
  assertEquals(run(() => ir.fset(256, 8, ir.fop(ops.OP_FCANON, 8, nan()))).kind, "jump");
  assertEquals(state.getBigUint64(256, true), 0x7ff8_0000_0000_0000n);
});

Deno.test("a host address outside of every span is an error", () => {
  assertThrows(() => run(() => ir.hostStore(8, ir.const(0x1234), 0, ir.const(0))), RangeError);
});
