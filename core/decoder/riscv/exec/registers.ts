/** Access to integer registers by an instruction's fields, and results that several chapters write. */
import { immI, immS } from "../decode.ts";
import type { Hart } from "./hart_interface.ts";

/** Where the state block has the low half of x[rs1]; the high half follows. */
export const at1 = (insn: number): number => insn >>> 14 & 62;
/** Where the state block has the low half of x[rs2]; the high half follows. */
export const at2 = (insn: number): number => insn >>> 19 & 62;

/** rd = hi:lo. */
export function set(h: Hart, insn: number, lo: number, hi: number): void {
  const at = insn >>> 6 & 62;
  if (at === 0) return;
  h.state[at] = lo;
  h.state[at + 1] = hi;
}

/** rd = the low half of a result, sign-extended. */
export function setWord(h: Hart, insn: number, lo: number): void {
  set(h, insn, lo, lo >> 31);
}

/** rd = a + b. */
export function setSum(h: Hart, insn: number, aLo: number, aHi: number, bLo: number, bHi: number): void {
  const lo = (aLo + bLo) | 0;
  set(h, insn, lo, (aHi + bHi + (lo >>> 0 < aLo >>> 0 ? 1 : 0)) | 0);
}

/** rd = hi:lo << n, for n from 0 to 63. */
export function setShiftedLeft(h: Hart, insn: number, lo: number, hi: number, n: number): void {
  if (n === 0) set(h, insn, lo, hi);
  else if (n < 32) set(h, insn, lo << n, hi << n | lo >>> (32 - n));
  else set(h, insn, 0, lo << (n - 32));
}

/** Whether x[a] < x[b] as signed numbers; `a` and `b` as from {@linkcode at1} and {@linkcode at2}. */
export function isLess(x: Int32Array, a: number, b: number): boolean {
  const aHi = x[a + 1], bHi = x[b + 1];
  return aHi < bHi || (aHi === bHi && x[a] >>> 0 < x[b] >>> 0);
}

/** The same as unsigned numbers. */
export function isLessUnsigned(x: Int32Array, a: number, b: number): boolean {
  const aHi = x[a + 1] >>> 0, bHi = x[b + 1] >>> 0;
  return aHi < bHi || (aHi === bHi && x[a] >>> 0 < x[b] >>> 0);
}

/** Loads from x[rs1] + immI. False when it trapped. */
export function loadMem(h: Hart, insn: number, size: number): boolean {
  const a = at1(insn), imm = immI(insn), base = h.state[a];
  const lo = (base + imm) | 0;
  return h.load(lo, (h.state[a + 1] + (imm >> 31) + (lo >>> 0 < base >>> 0 ? 1 : 0)) | 0, size);
}

/** Stores to x[rs1] + immS; a trap leaves nothing more to do. */
export function storeMem(h: Hart, insn: number, size: number, valueLo: number, valueHi: number): void {
  const a = at1(insn), imm = immS(insn), base = h.state[a];
  const lo = (base + imm) | 0;
  h.store(lo, (h.state[a + 1] + (imm >> 31) + (lo >>> 0 < base >>> 0 ? 1 : 0)) | 0, size, valueLo, valueHi);
}
