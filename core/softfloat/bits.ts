/**
 * Bit casts between encodings and JavaScript numbers, which are binary64 in round-to-nearest-even: what the
 * fast paths compute with. A NaN never travels from a number to an encoding here, since engines may change
 * its bits; callers settle NaNs from the encodings. Like all of core, this assumes a little-endian host.
 */
import { result } from "./result.ts";

const doubles = new Float64Array(1);
const words = new Int32Array(doubles.buffer);
const singles = new Float32Array(1);
const singleWord = new Int32Array(singles.buffer);

/** The number a binary64 encoding stands for. */
export function toDouble(lo: number, hi: number): number {
  words[0] = lo;
  words[1] = hi;
  return doubles[0];
}

/** The number a binary32 encoding stands for. */
export function toSingle(bits: number): number {
  singleWord[0] = bits;
  return singles[0];
}

/** Puts a number other than NaN into the result registers as binary64. */
export function putDouble(value: number): void {
  doubles[0] = value;
  result.lo = words[0];
  result.hi = words[1];
}

/** Puts a number other than NaN that binary32 can hold into the result registers as binary32. */
export function putSingle(value: number): void {
  singles[0] = value;
  result.lo = singleWord[0];
}

/**
 * Rounds `sum + error` to odd, where `sum` is that value rounded to nearest: of the two neighbours, the one
 * whose last bit is 1 if it is inexact. A later rounding to fewer bits is then the rounding of the exact value.
 * (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008.)
 */
export function roundToOdd(sum: number, error: number): number {
  if (error === 0) return sum;
  doubles[0] = sum;
  const lo = words[0];
  if (lo & 1) return sum;
  if ((error > 0) === (sum > 0)) {
    words[0] = lo | 1;
  } else {
    words[0] = lo - 1;
    if (lo === 0) words[1] -= 1;
  }
  return doubles[0];
}
