/**
 * Emission of floating-point ops: scalar AVX and FMA3. Rounding and the accrued flags are those of MXCSR,
 * which holds the guest's while generated code runs; all exceptions are masked.
 */
import * as ir from "../../ir.ts";
import {
  PP_66,
  PP_F2,
  PP_F3,
  PP_NONE,
  V_ADD,
  V_AND,
  V_ANDN,
  V_DIV,
  V_MAX,
  V_MIN,
  V_MUL,
  V_OR,
  V_SQRT,
  V_SUB,
  V_XOR,
} from "./assembler.ts";
import { ALU_AND, ALU_CMP, ALU_OR, SHIFT_SAR, SHIFT_SHR } from "./assembler.ts";
import { STATE_SCRATCH } from "../../layout.ts";
import { MXCSR_DEFAULT } from "./stubs.ts";
import { XMM } from "./stores.ts";
import type { Emitter } from "./emitter.ts";
import {
  CC_A,
  CC_AE,
  CC_B,
  CC_NE,
  CC_NP,
  CC_O,
  CC_P,
  CC_S,
  RAX,
  RCX,
  STATE,
  STATE_BIAS,
} from "./registers.ts";

const useXmm = (e: Emitter, v: number): number => e.alloc.use(v) - XMM;
const scalar = (size: number): number => size === 8 ? PP_F2 : PP_F3;
const packed = (size: number): number => size === 8 ? PP_66 : PP_NONE;

/** The result register: that of operand v if it dies here, else a fresh one. */
function define(e: Emitter, v: number): number {
  return e.alloc.dies(v) ? e.alloc.takeOver(v) - XMM : e.alloc.defineXmm();
}

function binary(e: Emitter, i: number, op: number): void {
  const a = useXmm(e, e.ir.a[i]), b = useXmm(e, e.ir.b[i]);
  e.asm.vop(op, scalar(e.ir.d[i]), define(e, e.ir.a[i]), a, b);
}

function sqrt(e: Emitter, i: number): void {
  const a = useXmm(e, e.ir.a[i]);
  e.asm.vop(V_SQRT, scalar(e.ir.d[i]), define(e, e.ir.a[i]), a, a);
}

/** Opcodes of the 231 forms: dst = ±(a * b) ± dst. */
const FMA_231: Record<number, number> = {
  [ir.OP_FMADD]: 0xb9,
  [ir.OP_FMSUB]: 0xbb,
  [ir.OP_FNMSUB]: 0xbd,
  [ir.OP_FNMADD]: 0xbf,
};

function fma(e: Emitter, i: number, opcode: number): void {
  const { asm, alloc } = e;
  const a = useXmm(e, e.ir.a[i]), b = useXmm(e, e.ir.b[i]), c = useXmm(e, e.ir.c[i]);
  const w = e.ir.d[i] === 8 ? 1 : 0;
  const dst = alloc.defineXmm();
  asm.fmov(dst, c);
  asm.fma(opcode, w, dst, a, b);
  // x86 stays silent on inf * 0 + quiet NaN, which other ISAs call invalid: no NaN is decided here.
  asm.ucomi(e.ir.d[i], false, dst, dst);
  e.cold.interpret(asm.jcc(CC_P));
}

/** Writes the canonical NaN of the given format to an FP register. */
function loadNaN(e: Emitter, size: number, dst: number): void {
  if (size === 8) {
    e.asm.movImm(RAX, 0, 0x7ff80000);
    e.asm.movToXmm(1, dst, RAX);
  } else {
    e.asm.movImm(RAX, 0x7fc00000, 0);
    e.asm.movToXmm(0, dst, RAX);
  }
}

function canonicalise(e: Emitter, i: number): void {
  const { asm } = e;
  const a = useXmm(e, e.ir.a[i]);
  const size = e.ir.d[i];
  const dst = define(e, e.ir.a[i]);
  if (dst !== a) asm.fmov(dst, a);
  const source = e.ir.op[e.ir.a[i]];
  if (source >= ir.OP_FMADD && source <= ir.OP_FNMADD) return; // never NaN
  // A quiet comparison with itself raises nothing: arithmetic results are never signalling.
  asm.ucomi(size, false, dst, dst);
  const nan = asm.jcc(CC_P);
  e.cold.code(nan, () => loadNaN(e, size, dst));
}

function unbox(e: Emitter, i: number): void {
  const { asm, alloc } = e;
  const v = e.ir.a[i];
  const home = alloc.home[v];
  if (alloc.reg[v] < 0 && home >= 0) {
    const dst = alloc.defineXmm();
    asm.aluMemImm(ALU_CMP, 0, STATE, home + 4 - STATE_BIAS, -1);
    e.cold.interpret(asm.jcc(CC_NE));
    asm.fload(4, dst, STATE, -1, home - STATE_BIAS);
    return;
  }
  const a = useXmm(e, v);
  asm.movFromXmm(1, RAX, a);
  asm.shiftImm(SHIFT_SAR, 1, RAX, 32); // -1 if boxed
  asm.aluImm(ALU_CMP, 1, RAX, -1);
  e.cold.interpret(asm.jcc(CC_NE));
  const dst = define(e, v);
  if (dst !== a) asm.fmov(dst, a);
}

function box(e: Emitter, i: number): void {
  const { asm } = e;
  const a = useXmm(e, e.ir.a[i]);
  asm.movFromXmm(0, RCX, a);
  asm.movImm(RAX, 0, -1);
  asm.alu(ALU_OR, 1, RAX, RCX);
  asm.movToXmm(1, e.alloc.defineXmm(), RAX);
}

function minMax(e: Emitter, i: number, max: boolean): void {
  const { asm, alloc } = e;
  const a = useXmm(e, e.ir.a[i]), b = useXmm(e, e.ir.b[i]);
  const size = e.ir.d[i];
  const dst = alloc.defineXmm();
  asm.ucomi(size, false, a, b);
  e.cold.interpret(asm.jcc(CC_P));
  const differ = asm.jccShort(CC_NE);
  // Equal: only zeros of different sign matter. min: -0 wins (or); max: +0 wins (and).
  asm.vop(max ? V_AND : V_OR, packed(size), dst, a, b);
  const done = asm.jmpShort();
  asm.bindShort(differ);
  asm.vop(max ? V_MAX : V_MIN, scalar(size), dst, a, b);
  asm.bindShort(done);
}

/** Quiet equality. */
function equal(e: Emitter, i: number): void {
  const { asm } = e;
  const a = useXmm(e, e.ir.a[i]), b = useXmm(e, e.ir.b[i]);
  asm.ucomi(e.ir.d[i], false, a, b);
  asm.setcc(CC_NP, RAX);
  asm.movImmKeepFlags(RCX, 0, 0);
  asm.cmov(CC_NE, 0, RAX, RCX);
  asm.extend(1, false, e.alloc.define(), RAX);
}

/** Signalling less (or equal): b above (or equal) a, which is false for NaN. */
function less(e: Emitter, i: number, cc: number): void {
  const { asm } = e;
  const a = useXmm(e, e.ir.a[i]), b = useXmm(e, e.ir.b[i]);
  asm.ucomi(e.ir.d[i], true, b, a);
  asm.setcc(cc, RAX);
  asm.extend(1, false, e.alloc.define(), RAX);
}

/** Like {@linkcode less}, but a NaN is the interpreter's. */
function lessQuiet(e: Emitter, i: number, cc: number): void {
  const { asm } = e;
  const a = useXmm(e, e.ir.a[i]), b = useXmm(e, e.ir.b[i]);
  const dst = e.alloc.define();
  asm.ucomi(e.ir.d[i], false, b, a);
  e.cold.interpret(asm.jcc(CC_P));
  asm.setcc(cc, RAX);
  asm.extend(1, false, dst, RAX);
}

const CONTROL = STATE_SCRATCH + 8 - STATE_BIAS;

/** MXCSR's flags in the IR's order, by a table. */
function flags(e: Emitter): void {
  const { asm } = e;
  asm.mxcsr(3, STATE, CONTROL);
  asm.load(0, RAX, STATE, CONTROL);
  asm.aluImm(ALU_AND, 0, RAX, 63);
  asm.loadSized(1, false, e.alloc.define(), RAX, -1, e.stubs.flagsTable);
}

function clearFlags(e: Emitter): void {
  const { asm } = e;
  asm.storeImm(0, STATE, CONTROL, MXCSR_DEFAULT);
  asm.mxcsr(2, STATE, CONTROL);
}

/** Sign injection: kind 0 copies, 1 inverts, 2 xors the sign of b. */
function signInject(e: Emitter, i: number, kind: number): void {
  const { asm, alloc } = e;
  const size = e.ir.d[i];
  const same = e.ir.a[i] === e.ir.b[i];
  const a = useXmm(e, e.ir.a[i]), b = useXmm(e, e.ir.b[i]);
  const dst = alloc.defineXmm();
  if (same && kind === 0) return asm.fmov(dst, a);
  // xmm0 = the sign bit alone
  if (size === 8) {
    asm.movImm(RAX, 0, 0x80000000 | 0);
    asm.movToXmm(1, 0, RAX);
  } else {
    asm.movImm(RAX, 0x80000000 | 0, 0);
    asm.movToXmm(0, 0, RAX);
  }
  const pp = packed(size);
  if (same && kind === 1) return asm.vop(V_XOR, pp, dst, a, 0); // negate
  if (same) return asm.vop(V_ANDN, pp, dst, 0, a); // absolute value
  asm.vop(V_AND, pp, 1, b, 0); // sign of b
  if (kind === 1) asm.vop(V_XOR, pp, 1, 1, 0);
  if (kind === 2) return asm.vop(V_XOR, pp, dst, a, 1);
  asm.vop(V_ANDN, pp, 0, 0, a); // magnitude of a
  asm.vop(V_OR, pp, dst, 0, 1);
}

function intToFloat(e: Emitter, i: number): void {
  const { asm, alloc } = e;
  const kind = e.ir.c[i], size = e.ir.d[i];
  const a = alloc.use(e.ir.a[i]);
  const dst = alloc.defineXmm();
  asm.vop(V_XOR, PP_NONE, dst, dst, dst); // no dependency on the old upper half
  if (kind === ir.I2F_S32) asm.cvtFromInt(size, 0, dst, a);
  else if (kind === ir.I2F_S64) asm.cvtFromInt(size, 1, dst, a);
  else if (kind === ir.I2F_U32) {
    asm.movRR(0, RAX, a);
    asm.cvtFromInt(size, 1, dst, RAX);
  } else {
    // Unsigned 64: halve values above 2^63 (keeping the lost bit sticky), convert, double.
    asm.test(1, a, a);
    const big = asm.jcc(CC_S);
    asm.cvtFromInt(size, 1, dst, a);
    e.cold.code(big, () => {
      asm.movRR(1, RAX, a);
      asm.movRR(0, RCX, a);
      asm.shiftImm(SHIFT_SHR, 1, RAX, 1);
      asm.aluImm(ALU_AND, 0, RCX, 1);
      asm.alu(ALU_OR, 1, RAX, RCX);
      asm.cvtFromInt(size, 1, dst, RAX);
      asm.vop(V_ADD, scalar(size), dst, dst, dst);
    });
  }
}

function floatToInt(e: Emitter, i: number): void {
  const { asm, alloc } = e;
  const code = e.ir.c[i], size = e.ir.d[i];
  const truncate = (code & ir.F2I_TRUNCATE) !== 0;
  const kind = code & 3;
  const a = useXmm(e, e.ir.a[i]);
  const dst = alloc.define();
  if (kind === ir.I2F_S32 || kind === ir.I2F_S64) {
    const w = kind === ir.I2F_S64 ? 1 : 0;
    asm.cvtToInt(size, truncate, w, dst, a);
    // x86 answers MIN when out of range, and for MIN itself: the interpreter tells them apart.
    asm.movRR(w, RAX, dst);
    asm.aluImm(ALU_CMP, w, RAX, 1); // MIN - 1 overflows
    e.cold.interpret(asm.jcc(CC_O));
    if (!w) asm.extend(4, true, dst, dst);
    return;
  }
  // Unsigned: only what is at least +0 and below 2^32 - 1/2 (2^63) is converted here. The range is checked
  // first, because a conversion that is out of range, if only once rounded, must not raise inexact.
  if (size === 8) {
    if (kind === ir.I2F_U32) asm.movImm(RAX, 0xfff00000 | 0, 0x41efffff);
    else asm.movImm(RAX, 0, 0x43e00000);
    asm.movToXmm(1, 0, RAX);
  } else {
    asm.movImm(RAX, kind === ir.I2F_U32 ? 0x4f800000 : 0x5f000000, 0);
    asm.movToXmm(0, 0, RAX);
  }
  asm.ucomi(size, false, a, 0);
  e.cold.interpret(asm.jcc(CC_AE)); // too large
  e.cold.interpret(asm.jcc(CC_P));
  asm.vop(V_XOR, PP_NONE, 0, 0, 0);
  asm.ucomi(size, false, a, 0);
  e.cold.interpret(asm.jcc(CC_B)); // negative (fractions too: they may round to zero, rarely)
  asm.cvtToInt(size, truncate, 1, dst, a);
  if (kind === ir.I2F_U32) asm.extend(4, true, dst, dst);
}

function convert(e: Emitter, i: number, pp: number): void {
  const a = useXmm(e, e.ir.a[i]);
  e.asm.vop(0x5a, pp, define(e, e.ir.a[i]), a, a);
}

function bitsOf(e: Emitter, i: number): void {
  const { asm, alloc } = e;
  const a = useXmm(e, e.ir.a[i]);
  const dst = alloc.define();
  if (e.ir.d[i] === 8) asm.movFromXmm(1, dst, a);
  else {
    asm.movFromXmm(0, dst, a);
    asm.extend(4, true, dst, dst);
  }
}

function fromBits(e: Emitter, i: number): void {
  const a = e.alloc.use(e.ir.a[i]);
  e.asm.movToXmm(e.ir.d[i] === 8 ? 1 : 0, e.alloc.defineXmm(), a);
}

/** Registers this file's emitters. */
export function registerFloat(table: ((e: Emitter, i: number) => void)[]): void {
  table[ir.OP_FGET] = (e, i) => e.alloc.getSlot(e.ir.a[i]);
  table[ir.OP_FSET] = (e, i) => e.alloc.setSlot(e.ir.a[i], e.ir.b[i]);
  table[ir.OP_FUNBOX] = unbox;
  table[ir.OP_FBOX] = box;
  table[ir.OP_FADD] = (e, i) => binary(e, i, V_ADD);
  table[ir.OP_FSUB] = (e, i) => binary(e, i, V_SUB);
  table[ir.OP_FMUL] = (e, i) => binary(e, i, V_MUL);
  table[ir.OP_FDIV] = (e, i) => binary(e, i, V_DIV);
  table[ir.OP_FSQRT] = sqrt;
  for (const [op, opcode] of Object.entries(FMA_231)) {
    table[Number(op)] = (e, i) => fma(e, i, opcode);
  }
  table[ir.OP_FCANON] = canonicalise;
  table[ir.OP_FMIN] = (e, i) => minMax(e, i, false);
  table[ir.OP_FMAX] = (e, i) => minMax(e, i, true);
  table[ir.OP_FEQ] = equal;
  table[ir.OP_FLT] = (e, i) => less(e, i, CC_A);
  table[ir.OP_FLE] = (e, i) => less(e, i, CC_AE);
  table[ir.OP_FLT_QUIET] = (e, i) => lessQuiet(e, i, CC_A);
  table[ir.OP_FLE_QUIET] = (e, i) => lessQuiet(e, i, CC_AE);
  table[ir.OP_FP_FLAGS] = flags;
  table[ir.OP_CLEAR_FP_FLAGS] = clearFlags;
  table[ir.OP_FSGNJ] = (e, i) => signInject(e, i, 0);
  table[ir.OP_FSGNJN] = (e, i) => signInject(e, i, 1);
  table[ir.OP_FSGNJX] = (e, i) => signInject(e, i, 2);
  table[ir.OP_I2F] = intToFloat;
  table[ir.OP_F2I] = floatToInt;
  table[ir.OP_F64_TO_F32] = (e, i) => convert(e, i, PP_F2);
  table[ir.OP_F32_TO_F64] = (e, i) => convert(e, i, PP_F3);
  table[ir.OP_F_BITS] = bitsOf;
  table[ir.OP_BITS_F] = fromBits;
}
