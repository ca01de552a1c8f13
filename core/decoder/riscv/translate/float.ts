/**
 * The F and D extensions (unprivileged specification, chapters 20 and 21). One function serves both formats:
 * the `fmt` field says which.
 *
 * The host computes with rounding to nearest even; any other rounding, unless it cannot matter, is the
 * interpreter's. So is the first instruction that makes a clean FPU dirty: it changes the context. A NaN that
 * arithmetic gives is made canonical where it is kept.
 */
import {
  COND_EQ,
  COND_LTU,
  COND_NE,
  F2I_TRUNCATE,
  I2F_S64,
  I2F_U64,
  OP_AND64,
  OP_BITS_F,
  OP_F2I,
  OP_F32_TO_F64,
  OP_F64_TO_F32,
  OP_F_BITS,
  OP_FADD,
  OP_FDIV,
  OP_FEQ,
  OP_FLE,
  OP_FLT,
  OP_FMADD,
  OP_FMAX,
  OP_FMIN,
  OP_FMSUB,
  OP_FMUL,
  OP_FNMADD,
  OP_FNMSUB,
  OP_FSGNJ,
  OP_FSGNJN,
  OP_FSGNJX,
  OP_FSQRT,
  OP_FSUB,
  OP_I2F,
  OP_SHR64,
} from "../../../translator/ir.ts";
import { immI, immS, rd, rm, rs1, rs2, rs3 } from "../decode.ts";
import { CONTEXT_FPU_DIRTY, CONTEXT_FPU_OFF, CONTEXT_FRM_DYNAMIC } from "../state.ts";
import type { Translation, Translations } from "./translation.ts";

const RM_NEAREST_EVEN = 0;
const RM_TOWARD_ZERO = 1;
const RM_NEAREST_MAX_MAGNITUDE = 4; // the last valid static mode
const RM_DYNAMIC = 7;

/** Bytes of the instruction's format. */
const formatSize = (insn: number): number => insn & 1 << 25 ? 8 : 4;

/** Whether FP state may be read; if not, the interpreter gets the instruction. */
function readable(t: Translation): boolean {
  if (t.fpu !== CONTEXT_FPU_OFF) return true;
  t.ir.interpret();
  return false;
}

/** Whether FP state may be written; if not, the interpreter gets the instruction. */
function writable(t: Translation): boolean {
  if (t.fpu === CONTEXT_FPU_DIRTY) return true;
  t.ir.interpret();
  return false;
}

const dynamicIsNearestEven = (t: Translation): boolean => (t.context & CONTEXT_FRM_DYNAMIC) === 0;

/** Like {@linkcode writable}, for an instruction that rounds. */
function computable(t: Translation, insn: number): boolean {
  const mode = rm(insn);
  if (mode === RM_NEAREST_EVEN || mode === RM_DYNAMIC && dynamicIsNearestEven(t)) return writable(t);
  t.ir.interpret();
  return false;
}

/** Like {@linkcode writable}, for a conversion that is always exact: any valid rounding mode will do. */
function exact(t: Translation, insn: number): boolean {
  const mode = rm(insn);
  if (mode <= RM_NEAREST_MAX_MAGNITUDE || mode === RM_DYNAMIC && dynamicIsNearestEven(t)) return writable(t);
  t.ir.interpret();
  return false;
}

// ---- loads and stores

function floatLoad(t: Translation, insn: number, size: number): void {
  if (!writable(t)) return;
  t.setF(rd(insn), size, t.ir.fload(size, t.x(rs1(insn)), immI(insn)));
}

function floatStore(t: Translation, insn: number, size: number): void {
  if (!readable(t)) return;
  t.ir.fstore(size, t.x(rs1(insn)), immS(insn), t.fBits(rs2(insn), size));
}

function flw(t: Translation, insn: number): void {
  floatLoad(t, insn, 4);
}

function fld(t: Translation, insn: number): void {
  floatLoad(t, insn, 8);
}

function fsw(t: Translation, insn: number): void {
  floatStore(t, insn, 4);
}

function fsd(t: Translation, insn: number): void {
  floatStore(t, insn, 8);
}

// ---- computation

function binary(t: Translation, insn: number, op: number): void {
  if (!computable(t, insn)) return;
  const size = formatSize(insn);
  t.setArithmetic(
    rd(insn),
    size,
    t.ir.fop(op, size, t.fOperand(rs1(insn), size), t.fOperand(rs2(insn), size)),
  );
}

function fadd(t: Translation, insn: number): void {
  binary(t, insn, OP_FADD);
}

function fsub(t: Translation, insn: number): void {
  binary(t, insn, OP_FSUB);
}

function fmul(t: Translation, insn: number): void {
  binary(t, insn, OP_FMUL);
}

function fdiv(t: Translation, insn: number): void {
  binary(t, insn, OP_FDIV);
}

function fsqrt(t: Translation, insn: number): void {
  if (!computable(t, insn)) return;
  const size = formatSize(insn);
  t.setArithmetic(rd(insn), size, t.ir.fop(OP_FSQRT, size, t.fOperand(rs1(insn), size)));
}

/** A fused operation whose result is NaN leaves the block, so the result is none. */
function fused(t: Translation, insn: number, op: number): void {
  if (!computable(t, insn)) return;
  const size = formatSize(insn);
  const a = t.fOperand(rs1(insn), size), b = t.fOperand(rs2(insn), size), c = t.fOperand(rs3(insn), size);
  t.setF(rd(insn), size, t.ir.fop(op, size, a, b, c));
}

function fmadd(t: Translation, insn: number): void {
  fused(t, insn, OP_FMADD);
}

function fmsub(t: Translation, insn: number): void {
  fused(t, insn, OP_FMSUB);
}

function fnmsub(t: Translation, insn: number): void {
  fused(t, insn, OP_FNMSUB);
}

function fnmadd(t: Translation, insn: number): void {
  fused(t, insn, OP_FNMADD);
}

/** The smaller or greater of two numbers: NaNs leave the block, so the result is none. */
function extremum(t: Translation, insn: number, op: number): void {
  if (!writable(t)) return;
  const size = formatSize(insn);
  t.setF(rd(insn), size, t.ir.fop(op, size, t.fOperand(rs1(insn), size), t.fOperand(rs2(insn), size)));
}

function fmin(t: Translation, insn: number): void {
  extremum(t, insn, OP_FMIN);
}

function fmax(t: Translation, insn: number): void {
  extremum(t, insn, OP_FMAX);
}

// ---- comparison: may raise flags, so it writes FP state

function compare(t: Translation, insn: number, op: number): void {
  if (!writable(t)) return;
  const size = formatSize(insn);
  t.setX(rd(insn), t.ir.fop(op, size, t.fOperand(rs1(insn), size), t.fOperand(rs2(insn), size)));
}

function feq(t: Translation, insn: number): void {
  compare(t, insn, OP_FEQ);
}

function flt(t: Translation, insn: number): void {
  compare(t, insn, OP_FLT);
}

function fle(t: Translation, insn: number): void {
  compare(t, insn, OP_FLE);
}

// ---- sign injection

function sign(t: Translation, insn: number, op: number): void {
  if (!writable(t)) return;
  const size = formatSize(insn);
  const a = t.f(rs1(insn), size);
  // fmv.s and fmv.d are fsgnj of a register with itself.
  const move = op === OP_FSGNJ && rs1(insn) === rs2(insn);
  t.setF(rd(insn), size, move ? a : t.ir.fop(op, size, a, t.f(rs2(insn), size)));
}

function fsgnj(t: Translation, insn: number): void {
  sign(t, insn, OP_FSGNJ);
}

function fsgnjn(t: Translation, insn: number): void {
  sign(t, insn, OP_FSGNJN);
}

function fsgnjx(t: Translation, insn: number): void {
  sign(t, insn, OP_FSGNJX);
}

// ---- conversion

/** The integer format of a conversion: its field counts w, wu, l, lu as the IR's constants do. */
const integerFormat = (insn: number): number => rs2(insn) & 3;

/** fcvt.{w,wu,l,lu}.{s,d} */
function fcvtToInteger(t: Translation, insn: number): void {
  const truncates = rm(insn) === RM_TOWARD_ZERO;
  if (truncates ? !writable(t) : !computable(t, insn)) return;
  const size = formatSize(insn);
  const format = integerFormat(insn) | (truncates ? F2I_TRUNCATE : 0);
  t.setX(rd(insn), t.ir.fop(OP_F2I, size, t.fOperand(rs1(insn), size), 0, format));
}

/** fcvt.{s,d}.{w,wu,l,lu}: 32-bit integers are exact as doubles. */
function fcvtFromInteger(t: Translation, insn: number): void {
  const size = formatSize(insn), format = integerFormat(insn);
  const rounds = size === 4 || format === I2F_S64 || format === I2F_U64;
  if (rounds ? !computable(t, insn) : !exact(t, insn)) return;
  t.setF(rd(insn), size, t.ir.fop(OP_I2F, size, t.x(rs1(insn)), 0, format));
}

/** fcvt.s.d */
function fcvtToSingle(t: Translation, insn: number): void {
  if (!computable(t, insn)) return;
  t.setArithmetic(rd(insn), 4, t.ir.fop(OP_F64_TO_F32, 4, t.fOperand(rs1(insn), 8)));
}

/** fcvt.d.s */
function fcvtToDouble(t: Translation, insn: number): void {
  if (!exact(t, insn)) return;
  t.setArithmetic(rd(insn), 8, t.ir.fop(OP_F32_TO_F64, 8, t.fOperand(rs1(insn), 4)));
}

// ---- moves of bits

/** fmv.x.{w,d} */
function fmvToInteger(t: Translation, insn: number): void {
  if (!readable(t)) return;
  const size = formatSize(insn);
  t.setX(rd(insn), t.ir.fop(OP_F_BITS, size, t.fBits(rs1(insn), size)));
}

/** fmv.{w,d}.x */
function fmvFromInteger(t: Translation, insn: number): void {
  if (!writable(t)) return;
  const size = formatSize(insn);
  t.setF(rd(insn), size, t.ir.fop(OP_BITS_F, size, t.x(rs1(insn))));
}

/** fclass.{s,d}: one of ten bits, by the magnitude's range and the sign. */
function fclass(t: Translation, insn: number): void {
  if (!readable(t)) return;
  const { ir } = t;
  const size = formatSize(insn);
  const bits = ir.fop(OP_F_BITS, size, t.f(rs1(insn), size));
  const double = size === 8;
  const magnitude = double
    ? ir.bin(OP_AND64, bits, ir.const64(-1, 0x7fffffff))
    : ir.bin(OP_AND64, bits, ir.const64(0x7fffffff, 0));
  const number = (single: number, high: number) => double ? ir.const64(0, high) : ir.const64(single, 0);
  const infinity = number(0x7f800000, 0x7ff00000);
  const quiet = number(0x7fc00000, 0x7ff80000);
  const normal = number(0x00800000, 0x00100000);
  const negative = ir.bin(OP_SHR64, bits, ir.const(63)); // a single's bits are sign-extended
  const none = ir.const(0);
  /** `-` and `+` variants of a class, chosen by the sign. */
  const signed = (minus: number, plus: number) =>
    ir.select(COND_NE, negative, none, ir.const(1 << minus), ir.const(1 << plus));
  const nan = ir.select(COND_LTU, magnitude, quiet, ir.const(1 << 8), ir.const(1 << 9));
  const large = ir.select(COND_EQ, magnitude, infinity, signed(0, 7), nan);
  const finite = ir.select(COND_LTU, magnitude, normal, signed(2, 5), signed(1, 6));
  const nonzero = ir.select(COND_LTU, magnitude, infinity, finite, large);
  t.setX(rd(insn), ir.select(COND_EQ, magnitude, none, signed(3, 4), nonzero));
}

/** The F and D extensions. */
export const FLOAT: Translations = {
  flw,
  fld,
  fsw,
  fsd,
  "fclass.s": fclass,
  "fclass.d": fclass,
  "fadd.s": fadd,
  "fadd.d": fadd,
  "fsub.s": fsub,
  "fsub.d": fsub,
  "fmul.s": fmul,
  "fmul.d": fmul,
  "fdiv.s": fdiv,
  "fdiv.d": fdiv,
  "fsqrt.s": fsqrt,
  "fsqrt.d": fsqrt,
  "fmadd.s": fmadd,
  "fmadd.d": fmadd,
  "fmsub.s": fmsub,
  "fmsub.d": fmsub,
  "fnmsub.s": fnmsub,
  "fnmsub.d": fnmsub,
  "fnmadd.s": fnmadd,
  "fnmadd.d": fnmadd,
  "fmin.s": fmin,
  "fmin.d": fmin,
  "fmax.s": fmax,
  "fmax.d": fmax,
  "feq.s": feq,
  "feq.d": feq,
  "flt.s": flt,
  "flt.d": flt,
  "fle.s": fle,
  "fle.d": fle,
  "fsgnj.s": fsgnj,
  "fsgnj.d": fsgnj,
  "fsgnjn.s": fsgnjn,
  "fsgnjn.d": fsgnjn,
  "fsgnjx.s": fsgnjx,
  "fsgnjx.d": fsgnjx,
  "fcvt.w.s": fcvtToInteger,
  "fcvt.wu.s": fcvtToInteger,
  "fcvt.l.s": fcvtToInteger,
  "fcvt.lu.s": fcvtToInteger,
  "fcvt.w.d": fcvtToInteger,
  "fcvt.wu.d": fcvtToInteger,
  "fcvt.l.d": fcvtToInteger,
  "fcvt.lu.d": fcvtToInteger,
  "fcvt.s.w": fcvtFromInteger,
  "fcvt.s.wu": fcvtFromInteger,
  "fcvt.s.l": fcvtFromInteger,
  "fcvt.s.lu": fcvtFromInteger,
  "fcvt.d.w": fcvtFromInteger,
  "fcvt.d.wu": fcvtFromInteger,
  "fcvt.d.l": fcvtFromInteger,
  "fcvt.d.lu": fcvtFromInteger,
  "fcvt.s.d": fcvtToSingle,
  "fcvt.d.s": fcvtToDouble,
  "fmv.x.w": fmvToInteger,
  "fmv.x.d": fmvToInteger,
  "fmv.w.x": fmvFromInteger,
  "fmv.d.x": fmvFromInteger,
};
