/** D: double-precision floating point (unprivileged specification, "D"). */
import {
  f32ToF64,
  f64Add,
  f64Classify,
  f64Div,
  f64Eq,
  f64Fma,
  f64Le,
  f64Lt,
  f64Max,
  f64Min,
  f64Mul,
  f64Sqrt,
  f64Sub,
  f64ToF32,
  f64ToInt,
  INT32,
  INT64,
  intToF64,
  result,
  UINT32,
  UINT64,
} from "../../../softfloat/mod.ts";
import {
  begin,
  beginRounding,
  endDouble,
  endInteger,
  endSingle,
  fat1,
  fat2,
  fat3,
  setDouble,
  single,
} from "./float_registers.ts";
import type { Hart, Semantics } from "./hart_interface.ts";
import { at1, loadMem, set, storeMem } from "./registers.ts";

const SIGN = 1 << 31;

/** An operation on two doubles; it answers in {@linkcode result}. */
type Operation = (aLo: number, aHi: number, bLo: number, bHi: number, rm: number) => void;

function arithmetic(h: Hart, insn: number, operation: Operation): void {
  const mode = beginRounding(h, insn);
  if (mode < 0) return;
  const x = h.state, a = fat1(insn), b = fat2(insn);
  operation(x[a], x[a + 1], x[b], x[b + 1], mode);
  endDouble(h, insn);
}

/** f[rd] = ±(f[rs1] × f[rs2]) ± f[rs3]; the arguments are the sign bits to invert. */
function multiplyAdd(h: Hart, insn: number, productSign: number, addendSign: number): void {
  const mode = beginRounding(h, insn);
  if (mode < 0) return;
  const x = h.state, a = fat1(insn), b = fat2(insn), c = fat3(insn);
  f64Fma(x[a], x[a + 1] ^ productSign, x[b], x[b + 1], x[c], x[c + 1] ^ addendSign, mode);
  endDouble(h, insn);
}

function select(
  h: Hart,
  insn: number,
  operation: (aLo: number, aHi: number, bLo: number, bHi: number) => void,
): void {
  if (!begin(h, insn)) return;
  const x = h.state, a = fat1(insn), b = fat2(insn);
  operation(x[a], x[a + 1], x[b], x[b + 1]);
  endDouble(h, insn);
}

function compare(
  h: Hart,
  insn: number,
  operation: (aLo: number, aHi: number, bLo: number, bHi: number) => number,
): void {
  if (!begin(h, insn)) return;
  const x = h.state, a = fat1(insn), b = fat2(insn);
  endInteger(h, insn, operation(x[a], x[a + 1], x[b], x[b + 1]), 0);
}

function toInteger(h: Hart, insn: number, kind: number): void {
  const mode = beginRounding(h, insn);
  if (mode < 0) return;
  const a = fat1(insn);
  f64ToInt(h.state[a], h.state[a + 1], mode, kind);
  endInteger(h, insn, result.lo, result.hi);
}

function fromInteger(h: Hart, insn: number, kind: number): void {
  const mode = beginRounding(h, insn);
  if (mode < 0) return;
  const a = at1(insn);
  intToF64(h.state[a], h.state[a + 1], kind, mode);
  endDouble(h, insn);
}

/** Double-precision instructions. */
export const FLOAT_DOUBLE: Semantics = {
  // Load and store
  fld(h, insn) {
    if (h.fpEnabled(insn) && loadMem(h, insn, 8)) setDouble(h, insn, h.lo, h.hi);
  },
  fsd(h, insn) {
    const b = fat2(insn);
    if (h.fpEnabled(insn)) storeMem(h, insn, 8, h.state[b], h.state[b + 1]);
  },

  // Computation
  "fadd.d": (h, insn) => arithmetic(h, insn, f64Add),
  "fsub.d": (h, insn) => arithmetic(h, insn, f64Sub),
  "fmul.d": (h, insn) => arithmetic(h, insn, f64Mul),
  "fdiv.d": (h, insn) => arithmetic(h, insn, f64Div),
  "fsqrt.d"(h, insn) {
    const mode = beginRounding(h, insn);
    if (mode < 0) return;
    const a = fat1(insn);
    f64Sqrt(h.state[a], h.state[a + 1], mode);
    endDouble(h, insn);
  },
  "fmin.d": (h, insn) => select(h, insn, f64Min),
  "fmax.d": (h, insn) => select(h, insn, f64Max),
  "fmadd.d": (h, insn) => multiplyAdd(h, insn, 0, 0),
  "fmsub.d": (h, insn) => multiplyAdd(h, insn, 0, SIGN),
  "fnmsub.d": (h, insn) => multiplyAdd(h, insn, SIGN, 0),
  "fnmadd.d": (h, insn) => multiplyAdd(h, insn, SIGN, SIGN),

  // Conversion and move. Exact conversions too must name a valid rounding mode.
  "fcvt.w.d": (h, insn) => toInteger(h, insn, INT32),
  "fcvt.wu.d": (h, insn) => toInteger(h, insn, UINT32),
  "fcvt.l.d": (h, insn) => toInteger(h, insn, INT64),
  "fcvt.lu.d": (h, insn) => toInteger(h, insn, UINT64),
  "fcvt.d.w": (h, insn) => fromInteger(h, insn, INT32),
  "fcvt.d.wu": (h, insn) => fromInteger(h, insn, UINT32),
  "fcvt.d.l": (h, insn) => fromInteger(h, insn, INT64),
  "fcvt.d.lu": (h, insn) => fromInteger(h, insn, UINT64),
  "fcvt.s.d"(h, insn) {
    const mode = beginRounding(h, insn);
    if (mode < 0) return;
    const a = fat1(insn);
    f64ToF32(h.state[a], h.state[a + 1], mode);
    endSingle(h, insn);
  },
  "fcvt.d.s"(h, insn) {
    if (beginRounding(h, insn) < 0) return;
    f32ToF64(single(h, fat1(insn)));
    endDouble(h, insn);
  },
  "fsgnj.d"(h, insn) {
    if (!h.fpEnabled(insn)) return;
    const x = h.state, a = fat1(insn), b = fat2(insn);
    setDouble(h, insn, x[a], x[a + 1] & ~SIGN | x[b + 1] & SIGN);
  },
  "fsgnjn.d"(h, insn) {
    if (!h.fpEnabled(insn)) return;
    const x = h.state, a = fat1(insn), b = fat2(insn);
    setDouble(h, insn, x[a], x[a + 1] & ~SIGN | ~x[b + 1] & SIGN);
  },
  "fsgnjx.d"(h, insn) {
    if (!h.fpEnabled(insn)) return;
    const x = h.state, a = fat1(insn), b = fat2(insn);
    setDouble(h, insn, x[a], x[a + 1] ^ x[b + 1] & SIGN);
  },
  "fmv.x.d"(h, insn) {
    const a = fat1(insn);
    if (h.fpEnabled(insn)) set(h, insn, h.state[a], h.state[a + 1]);
  },
  "fmv.d.x"(h, insn) {
    const a = at1(insn);
    if (h.fpEnabled(insn)) setDouble(h, insn, h.state[a], h.state[a + 1]);
  },

  // Comparison
  "feq.d": (h, insn) => compare(h, insn, f64Eq),
  "flt.d": (h, insn) => compare(h, insn, f64Lt),
  "fle.d": (h, insn) => compare(h, insn, f64Le),

  // Classification
  "fclass.d"(h, insn) {
    const a = fat1(insn);
    if (h.fpEnabled(insn)) set(h, insn, f64Classify(h.state[a], h.state[a + 1]), 0);
  },
};
