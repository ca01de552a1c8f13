/**
 * Conversions between the float formats, and between floats and integers. Floats become integers with
 * number operations alone, every step exact; the other directions use the exact operations where a number
 * operation does not round as asked.
 */
import { putDouble, putSingle, roundToOdd, toDouble, toSingle } from "./bits.ts";
import { convert, fromInteger } from "./exact.ts";
import {
  BINARY32,
  BINARY64,
  encoding32,
  encoding64,
  GREATEST_SINGLE,
  LEAST_NORMAL_SINGLE,
} from "./format.ts";
import { putInt32, saturate } from "./policy.ts";
import {
  FLAG_NX,
  INT32,
  INT64,
  result,
  ROUND_DOWN,
  ROUND_NEAREST_AWAY,
  ROUND_NEAREST_EVEN,
  ROUND_TOWARD_ZERO,
  ROUND_UP,
  UINT32,
} from "./result.ts";

// By integer format: the least value, and the least above the greatest.
const LEAST: readonly number[] = [-(2 ** 31), 0, -(2 ** 63), 0];
const END: readonly number[] = [2 ** 31, 2 ** 32, 2 ** 63, 2 ** 64];

/** Binary64 to binary32. */
export function f64ToF32(lo: number, hi: number, rm: number): void {
  const value = toDouble(lo, hi);
  const rounded = Math.fround(value);
  if (rounded === value) return putSingle(rounded);
  const magnitude = Math.abs(value);
  if (rm === ROUND_NEAREST_EVEN && magnitude >= LEAST_NORMAL_SINGLE && Math.abs(rounded) <= GREATEST_SINGLE) {
    result.flags |= FLAG_NX;
    return putSingle(rounded);
  }
  convert(BINARY64, BINARY32, encoding64(lo, hi), rm);
}

/** Binary32 to binary64: always exact. */
export function f32ToF64(a: number): void {
  const value = toSingle(a);
  if (value === value) putDouble(value);
  else convert(BINARY32, BINARY64, encoding32(a), ROUND_NEAREST_EVEN);
}

/** Binary64 to the integer format `kind`; 32-bit results are sign-extended to 64 bits, unsigned ones too. */
export function f64ToInt(lo: number, hi: number, rm: number, kind: number): void {
  toInteger(toDouble(lo, hi), rm, kind);
}

/** Binary32 to the integer format `kind`; 32-bit results are sign-extended to 64 bits, unsigned ones too. */
export function f32ToInt(a: number, rm: number, kind: number): void {
  toInteger(toSingle(a), rm, kind);
}

/** The integer of format `kind` in lo and hi (32-bit formats: in lo) to binary64. */
export function intToF64(lo: number, hi: number, kind: number, rm: number): void {
  if (kind === INT32) return putDouble(lo);
  if (kind === UINT32) return putDouble(lo >>> 0);
  const high = (kind === INT64 ? hi : hi >>> 0) * 2 ** 32;
  const low = lo >>> 0;
  const sum = high + low;
  const error = low - (sum - high); // exact (Dekker): high is 0 or the greater
  if (error !== 0) {
    if (rm !== ROUND_NEAREST_EVEN) return fromInteger(BINARY64, integer(lo, hi, kind), rm);
    result.flags |= FLAG_NX;
  }
  putDouble(sum);
}

/** The integer of format `kind` in lo and hi (32-bit formats: in lo) to binary32. */
export function intToF32(lo: number, hi: number, kind: number, rm: number): void {
  const high = kind === INT32 || kind === UINT32 ? 0 : (kind === INT64 ? hi : hi >>> 0) * 2 ** 32;
  const low = kind === INT32 ? lo : lo >>> 0;
  const sum = high + low;
  const error = low - (sum - high);
  const rounded = Math.fround(roundToOdd(sum, error));
  if (error !== 0 || rounded !== sum) {
    if (rm !== ROUND_NEAREST_EVEN) return fromInteger(BINARY32, integer(lo, hi, kind), rm);
    result.flags |= FLAG_NX;
  }
  putSingle(rounded);
}

function integer(lo: number, hi: number, kind: number): bigint {
  if (kind === INT32) return BigInt(lo);
  if (kind === UINT32) return BigInt(lo >>> 0);
  return (BigInt(kind === INT64 ? hi : hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

function toInteger(value: number, rm: number, kind: number): void {
  const rounded = roundToInteger(value, rm);
  if (!(rounded >= LEAST[kind])) return saturate(kind, value !== value);
  if (rounded >= END[kind]) return saturate(kind, true);
  if (rounded !== value) result.flags |= FLAG_NX;
  if (kind === INT32 || kind === UINT32) return putInt32(rounded);
  const high = Math.floor(rounded / 2 ** 32);
  result.hi = high | 0;
  result.lo = (rounded - high * 2 ** 32) | 0;
}

function roundToInteger(value: number, rm: number): number {
  if (rm === ROUND_TOWARD_ZERO) return Math.trunc(value);
  if (rm === ROUND_DOWN) return Math.floor(value);
  if (rm === ROUND_UP) return Math.ceil(value);
  const whole = Math.trunc(value);
  const fraction = Math.abs(value - whole); // exact: its bits are among the value's
  const isUp = fraction > 0.5 || (fraction === 0.5 && (rm === ROUND_NEAREST_AWAY || whole % 2 !== 0));
  return isUp ? whole + Math.sign(value) : whole;
}
