/** F: single-precision floating point (unprivileged specification, "F"). */
import {
  f32Add,
  f32Classify,
  f32Div,
  f32Eq,
  f32Fma,
  f32Le,
  f32Lt,
  f32Max,
  f32Min,
  f32Mul,
  f32Sqrt,
  f32Sub,
  f32ToInt,
  INT32,
  INT64,
  intToF32,
  result,
  UINT32,
  UINT64,
} from "../../../softfloat/mod.ts";
import {
  begin,
  beginRounding,
  endInteger,
  endSingle,
  fat1,
  fat2,
  fat3,
  setSingle,
  single,
} from "./float_registers.ts";
import type { Hart, Semantics } from "./hart_interface.ts";
import { at1, loadMem, set, setWord, storeMem } from "./registers.ts";

const SIGN = 1 << 31;

function arithmetic(h: Hart, insn: number, operation: (a: number, b: number, rm: number) => void): void {
  const mode = beginRounding(h, insn);
  if (mode < 0) return;
  operation(single(h, fat1(insn)), single(h, fat2(insn)), mode);
  endSingle(h, insn);
}

/** f[rd] = ±(f[rs1] × f[rs2]) ± f[rs3]; the arguments are the sign bits to invert. */
function multiplyAdd(h: Hart, insn: number, productSign: number, addendSign: number): void {
  const mode = beginRounding(h, insn);
  if (mode < 0) return;
  const a = single(h, fat1(insn)) ^ productSign;
  f32Fma(a, single(h, fat2(insn)), single(h, fat3(insn)) ^ addendSign, mode);
  endSingle(h, insn);
}

function select(h: Hart, insn: number, operation: (a: number, b: number) => void): void {
  if (!begin(h, insn)) return;
  operation(single(h, fat1(insn)), single(h, fat2(insn)));
  endSingle(h, insn);
}

function compare(h: Hart, insn: number, operation: (a: number, b: number) => number): void {
  if (!begin(h, insn)) return;
  endInteger(h, insn, operation(single(h, fat1(insn)), single(h, fat2(insn))), 0);
}

function toInteger(h: Hart, insn: number, kind: number): void {
  const mode = beginRounding(h, insn);
  if (mode < 0) return;
  f32ToInt(single(h, fat1(insn)), mode, kind);
  endInteger(h, insn, result.lo, result.hi);
}

function fromInteger(h: Hart, insn: number, kind: number): void {
  const mode = beginRounding(h, insn);
  if (mode < 0) return;
  const a = at1(insn);
  intToF32(h.state[a], h.state[a + 1], kind, mode);
  endSingle(h, insn);
}

/** Single-precision instructions. */
export const FLOAT_SINGLE: Semantics = {
  // Load and store. Stores and moves to integer registers take the low half, boxed or not.
  flw(h, insn) {
    if (h.fpEnabled(insn) && loadMem(h, insn, 4)) setSingle(h, insn, h.lo);
  },
  fsw(h, insn) {
    if (h.fpEnabled(insn)) storeMem(h, insn, 4, h.state[fat2(insn)], 0);
  },

  // Computation
  "fadd.s": (h, insn) => arithmetic(h, insn, f32Add),
  "fsub.s": (h, insn) => arithmetic(h, insn, f32Sub),
  "fmul.s": (h, insn) => arithmetic(h, insn, f32Mul),
  "fdiv.s": (h, insn) => arithmetic(h, insn, f32Div),
  "fsqrt.s"(h, insn) {
    const mode = beginRounding(h, insn);
    if (mode < 0) return;
    f32Sqrt(single(h, fat1(insn)), mode);
    endSingle(h, insn);
  },
  "fmin.s": (h, insn) => select(h, insn, f32Min),
  "fmax.s": (h, insn) => select(h, insn, f32Max),
  "fmadd.s": (h, insn) => multiplyAdd(h, insn, 0, 0),
  "fmsub.s": (h, insn) => multiplyAdd(h, insn, 0, SIGN),
  "fnmsub.s": (h, insn) => multiplyAdd(h, insn, SIGN, 0),
  "fnmadd.s": (h, insn) => multiplyAdd(h, insn, SIGN, SIGN),

  // Conversion and move
  "fcvt.w.s": (h, insn) => toInteger(h, insn, INT32),
  "fcvt.wu.s": (h, insn) => toInteger(h, insn, UINT32),
  "fcvt.l.s": (h, insn) => toInteger(h, insn, INT64),
  "fcvt.lu.s": (h, insn) => toInteger(h, insn, UINT64),
  "fcvt.s.w": (h, insn) => fromInteger(h, insn, INT32),
  "fcvt.s.wu": (h, insn) => fromInteger(h, insn, UINT32),
  "fcvt.s.l": (h, insn) => fromInteger(h, insn, INT64),
  "fcvt.s.lu": (h, insn) => fromInteger(h, insn, UINT64),
  "fsgnj.s"(h, insn) {
    if (!h.fpEnabled(insn)) return;
    setSingle(h, insn, single(h, fat1(insn)) & ~SIGN | single(h, fat2(insn)) & SIGN);
  },
  "fsgnjn.s"(h, insn) {
    if (!h.fpEnabled(insn)) return;
    setSingle(h, insn, single(h, fat1(insn)) & ~SIGN | ~single(h, fat2(insn)) & SIGN);
  },
  "fsgnjx.s"(h, insn) {
    if (!h.fpEnabled(insn)) return;
    setSingle(h, insn, single(h, fat1(insn)) ^ single(h, fat2(insn)) & SIGN);
  },
  "fmv.x.w"(h, insn) {
    if (h.fpEnabled(insn)) setWord(h, insn, h.state[fat1(insn)]);
  },
  "fmv.w.x"(h, insn) {
    if (h.fpEnabled(insn)) setSingle(h, insn, h.state[at1(insn)]);
  },

  // Comparison
  "feq.s": (h, insn) => compare(h, insn, f32Eq),
  "flt.s": (h, insn) => compare(h, insn, f32Lt),
  "fle.s": (h, insn) => compare(h, insn, f32Le),

  // Classification
  "fclass.s"(h, insn) {
    if (h.fpEnabled(insn)) set(h, insn, f32Classify(single(h, fat1(insn))), 0);
  },
};
