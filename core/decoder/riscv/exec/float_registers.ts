/** Access to FP registers by an instruction's fields, NaN boxes included, and the frame of FP operations. */
import { result } from "../../../softfloat/mod.ts";
import { STATE_FP_REGS } from "../../../translator/layout.ts";
import { rm } from "../decode.ts";
import type { Hart } from "./hart_interface.ts";
import { set } from "./registers.ts";

const FP = STATE_FP_REGS >> 2;
const CANONICAL_NAN = 0x7fc00000;
const BOX = -1;

/** Where the state block has the low half of f[rs1]; the high half follows. */
export const fat1 = (insn: number): number => FP + (insn >>> 14 & 62);
/** Where the state block has the low half of f[rs2]. */
export const fat2 = (insn: number): number => FP + (insn >>> 19 & 62);
/** Where the state block has the low half of f[rs3]. */
export const fat3 = (insn: number): number => FP + (insn >>> 26 & 62);

/** The single at a state index: the canonical NaN unless it is boxed in ones (unprivileged specification, "NaN Boxing of Narrower Values"). */
export function single(h: Hart, at: number): number {
  return h.state[at + 1] === BOX ? h.state[at] : CANONICAL_NAN;
}

/** f[rd] = a single, boxed. */
export function setSingle(h: Hart, insn: number, bits: number): void {
  setDouble(h, insn, bits, BOX);
}

/** f[rd] = a double. */
export function setDouble(h: Hart, insn: number, lo: number, hi: number): void {
  const at = FP + (insn >>> 6 & 62);
  h.state[at] = lo;
  h.state[at + 1] = hi;
  h.fpDirty();
}

/** Starts an operation that rounds: its rounding mode, or -1 when it trapped. */
export function beginRounding(h: Hart, insn: number): number {
  result.flags = 0;
  return h.fpEnabled(insn) ? h.roundingMode(rm(insn), insn) : -1;
}

/** Starts an operation that may raise flags but does not round. False when it trapped. */
export function begin(h: Hart, insn: number): boolean {
  result.flags = 0;
  return h.fpEnabled(insn);
}

function accrue(h: Hart): void {
  if (result.flags !== 0) h.accrue(result.flags);
}

/** Ends an operation: f[rd] = the single it gave. */
export function endSingle(h: Hart, insn: number): void {
  setSingle(h, insn, result.lo);
  accrue(h);
}

/** Ends an operation: f[rd] = the double it gave. */
export function endDouble(h: Hart, insn: number): void {
  setDouble(h, insn, result.lo, result.hi);
  accrue(h);
}

/** Ends an operation: x[rd] = the integer it gave. */
export function endInteger(h: Hart, insn: number, lo: number, hi: number): void {
  set(h, insn, lo, hi);
  h.fpDirty();
  accrue(h);
}
