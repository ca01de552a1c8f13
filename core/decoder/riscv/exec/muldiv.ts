/** M: multiplication and division (unprivileged specification, "M"). Nothing here traps. */
import type { Hart, Semantics } from "./hart_interface.ts";
import { at1, at2, set, setWord } from "./registers.ts";

const TWO_32 = 0x1_0000_0000;
const UNSIGNED_SAFE = 1 << 21; // unsigned numbers whose high half is below this are exact doubles
const SIGNED_SAFE = 1 << 20; // the same for the magnitude of signed ones, with a bit to spare

/** High half of the product of two unsigned 32-bit numbers, as an unsigned number. */
function highOfProduct(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const first = a1 * b0 + ((a0 * b0) >>> 16);
  const second = a0 * b1 + (first & 0xffff);
  return a1 * b1 + (first >>> 16) + (second >>> 16);
}

/**
 * rd = the high 64 bits of the unsigned product of x[rs1] and x[rs2], minus x[rs2] if `aSigned` and x[rs1]
 * is negative, minus x[rs1] if `bSigned` and x[rs2] is negative: the high bits of the signed products.
 */
function setHighOfProduct(h: Hart, insn: number, aSigned: boolean, bSigned: boolean): void {
  const x = h.state, a = at1(insn), b = at2(insn);
  const aLo = x[a], aHi = x[a + 1], bLo = x[b], bHi = x[b + 1];
  const middle = highOfProduct(aLo, bLo) + (Math.imul(aLo, bHi) >>> 0) + (Math.imul(aHi, bLo) >>> 0);
  let lo = (Math.imul(aHi, bHi) >>> 0) + highOfProduct(aLo, bHi) + highOfProduct(aHi, bLo) +
    Math.floor(middle / TWO_32);
  let hi = highOfProduct(aHi, bHi);
  if (aSigned && aHi < 0) {
    lo -= bLo >>> 0;
    hi -= bHi;
  }
  if (bSigned && bHi < 0) {
    lo -= aLo >>> 0;
    hi -= aHi;
  }
  set(h, insn, lo | 0, (hi + Math.floor(lo / TWO_32)) | 0);
}

/** rd = an integer below 2^53 in magnitude. */
function setInteger(h: Hart, insn: number, value: number): void {
  set(h, insn, value | 0, Math.floor(value / TWO_32) | 0);
}

/** The 64-bit register at a state index, for operands too large for a double. */
function wide(x: Int32Array, at: number): bigint {
  return BigInt(x[at + 1]) << 32n | BigInt(x[at] >>> 0);
}

/** rd = the low 64 bits of a wide value. */
function setWide(h: Hart, insn: number, value: bigint): void {
  set(h, insn, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
}

function isZero(x: Int32Array, at: number): boolean {
  return (x[at] | x[at + 1]) === 0;
}

/** Whether the signed number at a state index is safely an exact double. */
function isSmall(x: Int32Array, at: number): boolean {
  const hi = x[at + 1];
  return hi < SIGNED_SAFE && hi >= -SIGNED_SAFE;
}

function isSmallUnsigned(x: Int32Array, at: number): boolean {
  return x[at + 1] >>> 0 < UNSIGNED_SAFE;
}

function signed(x: Int32Array, at: number): number {
  return x[at + 1] * TWO_32 + (x[at] >>> 0);
}

function unsigned(x: Int32Array, at: number): number {
  return (x[at + 1] >>> 0) * TWO_32 + (x[at] >>> 0);
}

// A quotient of exact integers, rounded as a double and then truncated, is the true one below 2^53. Division
// by zero gives all ones and leaves the dividend; the one overflow, -2^63 / -1, wraps.

/** Products, quotients and remainders. */
export const MULDIV: Semantics = {
  // Multiplication
  mul(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn), aLo = x[a], bLo = x[b];
    const hi = highOfProduct(aLo, bLo) + Math.imul(aLo, x[b + 1]) + Math.imul(x[a + 1], bLo);
    set(h, insn, Math.imul(aLo, bLo), hi | 0);
  },
  mulh: (h, insn) => setHighOfProduct(h, insn, true, true),
  mulhsu: (h, insn) => setHighOfProduct(h, insn, true, false),
  mulhu: (h, insn) => setHighOfProduct(h, insn, false, false),
  mulw: (h, insn) => setWord(h, insn, Math.imul(h.state[at1(insn)], h.state[at2(insn)])),

  // Division
  div(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    if (isZero(x, b)) set(h, insn, -1, -1);
    else if (isSmall(x, a) && isSmall(x, b)) setInteger(h, insn, Math.trunc(signed(x, a) / signed(x, b)));
    else setWide(h, insn, wide(x, a) / wide(x, b));
  },
  divu(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    if (isZero(x, b)) set(h, insn, -1, -1);
    else if (isSmallUnsigned(x, a) && isSmallUnsigned(x, b)) {
      setInteger(h, insn, Math.floor(unsigned(x, a) / unsigned(x, b)));
    } else setWide(h, insn, BigInt.asUintN(64, wide(x, a)) / BigInt.asUintN(64, wide(x, b)));
  },
  rem(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    if (isZero(x, b)) set(h, insn, x[a], x[a + 1]);
    else if (isSmall(x, a) && isSmall(x, b)) setInteger(h, insn, signed(x, a) % signed(x, b));
    else setWide(h, insn, wide(x, a) % wide(x, b));
  },
  remu(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    if (isZero(x, b)) set(h, insn, x[a], x[a + 1]);
    else if (isSmallUnsigned(x, a) && isSmallUnsigned(x, b)) {
      setInteger(h, insn, unsigned(x, a) % unsigned(x, b));
    } else setWide(h, insn, BigInt.asUintN(64, wide(x, a)) % BigInt.asUintN(64, wide(x, b)));
  },
  divw(h, insn) {
    const a = h.state[at1(insn)], b = h.state[at2(insn)];
    setWord(h, insn, b === 0 ? -1 : (a / b) | 0);
  },
  divuw(h, insn) {
    const a = h.state[at1(insn)] >>> 0, b = h.state[at2(insn)] >>> 0;
    setWord(h, insn, b === 0 ? -1 : (a / b) | 0);
  },
  remw(h, insn) {
    const a = h.state[at1(insn)], b = h.state[at2(insn)];
    setWord(h, insn, b === 0 ? a : (a % b) | 0);
  },
  remuw(h, insn) {
    const a = h.state[at1(insn)] >>> 0, b = h.state[at2(insn)] >>> 0;
    setWord(h, insn, (b === 0 ? a : a % b) | 0);
  },
};
