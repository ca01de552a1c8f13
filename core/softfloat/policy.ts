/**
 * What IEEE 754 leaves to the instruction set, as RISC-V decides it: the NaN an operation returns, when an
 * invalid operation is signalled, and what a conversion gives outside of the integer's range. Another
 * instruction set's choices belong here, beside these.
 *
 * RISC-V (unprivileged specification, "NaN Generation and Propagation" and the tables of FCVT and FMIN/FMAX):
 * payloads are never propagated; every NaN result is the canonical one.
 */
import { BINARY32, BINARY64, type Format, put } from "./format.ts";
import { FLAG_NV, INT32, INT64, result } from "./result.ts";

/** Whether an encoding is a signalling NaN. */
export function isSignalling(format: Format, bits: bigint): boolean {
  return (bits & format.magnitudeMask) > format.infinity && (bits & format.quietBit) === 0n;
}

/** Whether a binary64 encoding is a signalling NaN. */
export function isSignalling64(lo: number, hi: number): boolean {
  return (hi & 0x7ff80000) === 0x7ff00000 && ((hi & 0x7ffff) | lo) !== 0;
}

/** Whether a binary32 encoding is a signalling NaN. */
export function isSignalling32(bits: number): boolean {
  return (bits & 0x7fc00000) === 0x7f800000 && (bits & 0x3fffff) !== 0;
}

/** The result of an operation without a NaN operand that has no answer, such as ∞ − ∞. */
export function invalid(format: Format): void {
  result.flags |= FLAG_NV;
  put(format, format.canonicalNaN);
}

/** The result of an operation of which at least one operand is NaN. */
export function propagateNaN(format: Format, a: bigint, b: bigint = 0n, c: bigint = 0n): void {
  if (isSignalling(format, a) || isSignalling(format, b) || isSignalling(format, c)) result.flags |= FLAG_NV;
  put(format, format.canonicalNaN);
}

/** The result of ∞ × 0 + NaN: invalid even if the NaN is quiet. */
export function invalidProductPlusNaN(format: Format): void {
  invalid(format);
}

/** The result of converting a NaN from one format to another. */
export function convertNaN(from: Format, to: Format, a: bigint): void {
  if (isSignalling(from, a)) result.flags |= FLAG_NV;
  put(to, to.canonicalNaN);
}

/** Minimum or maximum of binary64 operands of which at least one is NaN: the other one, if that is a number. */
export function selectNumber64(aLo: number, aHi: number, bLo: number, bHi: number, aIsNaN: boolean): void {
  if (isSignalling64(aLo, aHi) || isSignalling64(bLo, bHi)) result.flags |= FLAG_NV;
  const lo = aIsNaN ? bLo : aLo, hi = aIsNaN ? bHi : aHi;
  const magnitude = hi & 0x7fffffff;
  if (magnitude > 0x7ff00000 || (magnitude === 0x7ff00000 && lo !== 0)) put(BINARY64, BINARY64.canonicalNaN);
  else {
    result.lo = lo;
    result.hi = hi;
  }
}

/** The same for binary32. */
export function selectNumber32(a: number, b: number, aIsNaN: boolean): void {
  if (isSignalling32(a) || isSignalling32(b)) result.flags |= FLAG_NV;
  const bits = aIsNaN ? b : a;
  if ((bits & 0x7fffffff) > 0x7f800000) put(BINARY32, BINARY32.canonicalNaN);
  else result.lo = bits;
}

/**
 * The result of converting what the integer format `kind` cannot hold: the end of its range on that side;
 * the upper one for NaN. Invalid is raised, inexact is not. 32-bit integers, unsigned ones too, are
 * sign-extended to 64 bits.
 */
export function saturate(kind: number, upper: boolean): void {
  result.flags |= FLAG_NV;
  if (kind === INT32) {
    result.lo = upper ? 0x7fffffff : -0x80000000;
    result.hi = upper ? 0 : -1;
  } else if (kind === INT64) {
    result.lo = upper ? -1 : 0;
    result.hi = upper ? 0x7fffffff : -0x80000000;
  } else {
    result.lo = result.hi = upper ? -1 : 0;
  }
}

/** Puts an integer of 32 bits into the result registers. */
export function putInt32(value: number): void {
  result.lo = value | 0;
  result.hi = result.lo >> 31;
}
