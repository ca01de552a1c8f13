/**
 * The A extension (unprivileged specification, chapter 14). vCPUs take turns on one thread and give up their
 * reservations with their turn, so plain loads and stores are atomic enough. Misaligned addresses and store
 * conditionals that fail are the interpreter's, but for those of whose failure nobody hears: kernels give
 * reservations up by them, on each return from a trap.
 */
import {
  COND_GE,
  COND_GEU,
  COND_LT,
  COND_LTU,
  COND_NE,
  OP_ADD64,
  OP_AND64,
  OP_OR64,
  OP_SEXT32,
  OP_XOR64,
  type Value,
} from "../../../translator/ir.ts";
import { rd, rs1, rs2 } from "../decode.ts";
import { S_RESERVATION, S_RESERVED } from "../state.ts";
import type { Translation, Translations } from "./translation.ts";

/** Bytes of the operand: 4 or 8. */
const operandSize = (insn: number): number => 1 << (insn >>> 12 & 3);

/** The address, guarded to be naturally aligned. */
function alignedAddress(t: Translation, insn: number): Value {
  const { ir } = t;
  const address = t.x(rs1(insn));
  ir.interpretIf(COND_NE, ir.bin(OP_AND64, address, ir.const(operandSize(insn) - 1)), ir.const(0));
  return address;
}

function lr(t: Translation, insn: number): void {
  const { ir } = t;
  const address = alignedAddress(t, insn);
  const value = ir.load(operandSize(insn), true, address, 0);
  ir.set(S_RESERVATION, address);
  ir.set(S_RESERVED, ir.const(1));
  t.setX(rd(insn), value);
}

function sc(t: Translation, insn: number): void {
  const { ir } = t;
  const address = alignedAddress(t, insn);
  const reserved = ir.get(S_RESERVED);
  if (rd(insn) === 0 && !ir.isConst32(reserved)) return ir.interpretIf(COND_NE, reserved, ir.const(0));
  const reservation = ir.get(S_RESERVATION);
  // Both are known to match where LR is in the same block.
  if (!ir.isConst32(reserved) || ir.isZero(reserved)) ir.interpretIf(COND_NE, reserved, ir.const(1));
  if (reservation !== address) ir.interpretIf(COND_NE, reservation, address);
  const value = t.x(rs2(insn));
  const host = ir.translateStore(operandSize(insn), address, 0);
  ir.hostStore(operandSize(insn), host, 0, value);
  ir.set(S_RESERVED, ir.const(0));
  t.setX(rd(insn), ir.const(0));
}

// ---- read-modify-write. Each is: start, compute, finish.

let host: Value = 0;
let operand: Value = 0;

/** Reads the old value of memory; leaves the operand and the host address in `operand` and `host`. */
function start(t: Translation, insn: number): Value {
  const address = alignedAddress(t, insn);
  operand = t.x(rs2(insn));
  host = t.ir.translateStore(operandSize(insn), address, 0);
  return t.ir.hostLoad(operandSize(insn), true, host, 0);
}

function finish(t: Translation, insn: number, old: Value, updated: Value): void {
  t.ir.hostStore(operandSize(insn), host, 0, updated);
  t.setX(rd(insn), old);
}

function combine(t: Translation, insn: number, op: number): void {
  const old = start(t, insn);
  finish(t, insn, old, t.ir.bin(op, old, operand));
}

/** Sign-extended words compare as the words do, signed and unsigned alike. */
function choose(t: Translation, insn: number, cond: number): void {
  const old = start(t, insn);
  const other = operandSize(insn) === 4 ? t.ir.un(OP_SEXT32, operand) : operand;
  finish(t, insn, old, t.ir.select(cond, old, other, old, other));
}

function amoswap(t: Translation, insn: number): void {
  const old = start(t, insn);
  finish(t, insn, old, operand);
}

function amoadd(t: Translation, insn: number): void {
  combine(t, insn, OP_ADD64);
}

function amoxor(t: Translation, insn: number): void {
  combine(t, insn, OP_XOR64);
}

function amoand(t: Translation, insn: number): void {
  combine(t, insn, OP_AND64);
}

function amoor(t: Translation, insn: number): void {
  combine(t, insn, OP_OR64);
}

function amomin(t: Translation, insn: number): void {
  choose(t, insn, COND_LT);
}

function amomax(t: Translation, insn: number): void {
  choose(t, insn, COND_GE);
}

function amominu(t: Translation, insn: number): void {
  choose(t, insn, COND_LTU);
}

function amomaxu(t: Translation, insn: number): void {
  choose(t, insn, COND_GEU);
}

/** The A extension. */
export const ATOMIC: Translations = {
  "lr.w": lr,
  "lr.d": lr,
  "sc.w": sc,
  "sc.d": sc,
  "amoswap.w": amoswap,
  "amoswap.d": amoswap,
  "amoadd.w": amoadd,
  "amoadd.d": amoadd,
  "amoxor.w": amoxor,
  "amoxor.d": amoxor,
  "amoand.w": amoand,
  "amoand.d": amoand,
  "amoor.w": amoor,
  "amoor.d": amoor,
  "amomin.w": amomin,
  "amomin.d": amomin,
  "amomax.w": amomax,
  "amomax.d": amomax,
  "amominu.w": amominu,
  "amominu.d": amominu,
  "amomaxu.w": amomaxu,
  "amomaxu.d": amomaxu,
};
