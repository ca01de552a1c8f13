/**
 * Comparisons, minimum and maximum, and classification. Numbers compare as JavaScript compares them; only
 * NaNs and the zeros need the encodings.
 *
 * Minimum and maximum are IEEE 754-2019 §9.6's minimumNumber and maximumNumber, as RISC-V's F extension
 * has them since version 2.2; −0 is less than +0.
 */
import { toDouble, toSingle } from "./bits.ts";
import { isSignalling32, isSignalling64, selectNumber32, selectNumber64 } from "./policy.ts";
import { FLAG_NV, result } from "./result.ts";

/** 1 if a = b, else 0. Quiet: only a signalling NaN is invalid. */
export function f64Eq(aLo: number, aHi: number, bLo: number, bHi: number): number {
  if (isSignalling64(aLo, aHi) || isSignalling64(bLo, bHi)) result.flags |= FLAG_NV;
  return toDouble(aLo, aHi) === toDouble(bLo, bHi) ? 1 : 0;
}

/** 1 if a < b, else 0. Any NaN is invalid. */
export function f64Lt(aLo: number, aHi: number, bLo: number, bHi: number): number {
  const a = toDouble(aLo, aHi), b = toDouble(bLo, bHi);
  raiseIfUnordered(a, b);
  return a < b ? 1 : 0;
}

/** 1 if a ≤ b, else 0. Any NaN is invalid. */
export function f64Le(aLo: number, aHi: number, bLo: number, bHi: number): number {
  const a = toDouble(aLo, aHi), b = toDouble(bLo, bHi);
  raiseIfUnordered(a, b);
  return a <= b ? 1 : 0;
}

/** 1 if a = b, else 0. Quiet: only a signalling NaN is invalid. */
export function f32Eq(a: number, b: number): number {
  if (isSignalling32(a) || isSignalling32(b)) result.flags |= FLAG_NV;
  return toSingle(a) === toSingle(b) ? 1 : 0;
}

/** 1 if a < b, else 0. Any NaN is invalid. */
export function f32Lt(a: number, b: number): number {
  const x = toSingle(a), y = toSingle(b);
  raiseIfUnordered(x, y);
  return x < y ? 1 : 0;
}

/** 1 if a ≤ b, else 0. Any NaN is invalid. */
export function f32Le(a: number, b: number): number {
  const x = toSingle(a), y = toSingle(b);
  raiseIfUnordered(x, y);
  return x <= y ? 1 : 0;
}

/** The lesser of two numbers; the number if only one is. */
export function f64Min(aLo: number, aHi: number, bLo: number, bHi: number): void {
  selectDouble(aLo, aHi, bLo, bHi, false);
}

/** The greater of two numbers; the number if only one is. */
export function f64Max(aLo: number, aHi: number, bLo: number, bHi: number): void {
  selectDouble(aLo, aHi, bLo, bHi, true);
}

/** The lesser of two numbers; the number if only one is. */
export function f32Min(a: number, b: number): void {
  selectSingle(a, b, false);
}

/** The greater of two numbers; the number if only one is. */
export function f32Max(a: number, b: number): void {
  selectSingle(a, b, true);
}

/**
 * The class of a as RISC-V's FCLASS.D has it, one bit set: 0 −∞, 1 negative normal, 2 negative subnormal,
 * 3 −0, 4 +0, 5 positive subnormal, 6 positive normal, 7 +∞, 8 signalling NaN, 9 quiet NaN.
 */
export function f64Classify(lo: number, hi: number): number {
  const exponent = hi & 0x7ff00000;
  const isFractionZero = ((hi & 0xfffff) | lo) === 0;
  return classMask(hi, exponent === 0, exponent === 0x7ff00000, isFractionZero, isSignalling64(lo, hi));
}

/** The class of a as RISC-V's FCLASS.S has it; bits as for {@linkcode f64Classify}. */
export function f32Classify(a: number): number {
  const exponent = a & 0x7f800000;
  const isFractionZero = (a & 0x7fffff) === 0;
  return classMask(a, exponent === 0, exponent === 0x7f800000, isFractionZero, isSignalling32(a));
}

function classMask(
  signWord: number,
  isExponentZero: boolean,
  isExponentOnes: boolean,
  isFractionZero: boolean,
  isSignalling: boolean,
): number {
  if (isExponentOnes && !isFractionZero) return isSignalling ? 1 << 8 : 1 << 9;
  const distance = isExponentOnes ? 3 : !isExponentZero ? 2 : !isFractionZero ? 1 : 0; // from the zeros
  return signWord < 0 ? 1 << (3 - distance) : 1 << (4 + distance);
}

function raiseIfUnordered(a: number, b: number): void {
  if (a !== a || b !== b) result.flags |= FLAG_NV;
}

function selectDouble(aLo: number, aHi: number, bLo: number, bHi: number, greater: boolean): void {
  const a = toDouble(aLo, aHi), b = toDouble(bLo, bHi);
  if (a !== a || b !== b) return selectNumber64(aLo, aHi, bLo, bHi, a !== a);
  const isFirst = a === b ? (aHi < 0) !== greater : (a < b) !== greater;
  result.lo = isFirst ? aLo : bLo;
  result.hi = isFirst ? aHi : bHi;
}

function selectSingle(a: number, b: number, greater: boolean): void {
  const x = toSingle(a), y = toSingle(b);
  if (x !== x || y !== y) return selectNumber32(a, b, x !== x);
  result.lo = (x === y ? (a < 0) !== greater : (x < y) !== greater) ? a : b;
}
