/**
 * The binary interchange formats (IEEE 754-2019 §3.4) as data, for the exact operations that work on any of
 * them: taking an encoding apart, and rounding an exact value into one.
 */
import {
  FLAG_NX,
  FLAG_OF,
  FLAG_UF,
  result,
  ROUND_DOWN,
  ROUND_NEAREST_AWAY,
  ROUND_NEAREST_EVEN,
  ROUND_UP,
} from "./result.ts";

/** A binary interchange format. */
export interface Format {
  /** Width of an encoding in bits. */
  readonly width: number;
  /** Bits of a normal significand, the implicit one included. */
  readonly precision: number;
  /** Exponent of the least subnormal: every finite value is a multiple of 2 to this power. */
  readonly leastExponent: number;
  /** Encoding of +∞; all above it, sign aside, are NaNs. */
  readonly infinity: bigint;
  /** All bits but the sign. */
  readonly magnitudeMask: bigint;
  /** The bit that makes a NaN quiet. */
  readonly quietBit: bigint;
  /** The positive quiet NaN with an empty payload. */
  readonly canonicalNaN: bigint;
}

/** Double precision. */
export const BINARY64: Format = {
  width: 64,
  precision: 53,
  leastExponent: -1074,
  infinity: 0x7ff0000000000000n,
  magnitudeMask: 0x7fffffffffffffffn,
  quietBit: 0x0008000000000000n,
  canonicalNaN: 0x7ff8000000000000n,
};

/** Single precision. */
export const BINARY32: Format = {
  width: 32,
  precision: 24,
  leastExponent: -149,
  infinity: 0x7f800000n,
  magnitudeMask: 0x7fffffffn,
  quietBit: 0x00400000n,
  canonicalNaN: 0x7fc00000n,
};

/** The least positive normal number of binary32. */
export const LEAST_NORMAL_SINGLE: number = 2 ** -126;
/** The greatest finite number of binary32. */
export const GREATEST_SINGLE: number = (2 - 2 ** -23) * 2 ** 127;

/** The binary64 encoding in two int32 halves. */
export function encoding64(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** The binary32 encoding in an int32. */
export function encoding32(bits: number): bigint {
  return BigInt(bits >>> 0);
}

/** A finite value: (−1)^sign × significand × 2^exponent. */
export interface Finite {
  /** 0 or 1. */
  readonly sign: number;
  /** Not normalised; 0 for the zeros. */
  readonly significand: bigint;
  /** Of the significand's last bit. */
  readonly exponent: number;
}

/** An encoding taken apart. */
export interface Unpacked extends Finite {
  /** Whether it is a NaN of either kind. */
  readonly isNaN: boolean;
  /** Whether it is ∞ of either sign. */
  readonly isInfinite: boolean;
}

/** Takes an encoding apart. Significand and exponent of NaN and ∞ mean nothing. */
export function unpack(format: Format, bits: bigint): Unpacked {
  const fractionBits = BigInt(format.precision - 1);
  const magnitude = bits & format.magnitudeMask;
  const biased = magnitude >> fractionBits;
  const fraction = magnitude & ((1n << fractionBits) - 1n);
  return {
    sign: bits === magnitude ? 0 : 1,
    significand: biased === 0n ? fraction : fraction | (1n << fractionBits),
    exponent: format.leastExponent + Math.max(Number(biased) - 1, 0),
    isNaN: magnitude > format.infinity,
    isInfinite: magnitude === format.infinity,
  };
}

/** Puts an encoding into the result registers. */
export function put(format: Format, bits: bigint): void {
  result.lo = Number(BigInt.asIntN(32, bits));
  if (format.width === 64) result.hi = Number(BigInt.asIntN(32, bits >> 32n));
}

/** Puts ±magnitude into the result registers. */
export function putSigned(format: Format, sign: number, magnitude: bigint): void {
  put(format, sign === 0 ? magnitude : magnitude | (format.magnitudeMask + 1n));
}

/**
 * Rounds (−1)^sign × significand × 2^exponent (significand > 0) and puts it into the result registers, with
 * the flags that takes. A significand whose lowest bit is sticky (stands for anything between 0 and 2 of its
 * units, exclusive) rounds the same if it has at least two bits more than the precision.
 */
export function round(format: Format, sign: number, significand: bigint, exponent: number, rm: number): void {
  const { precision, leastExponent } = format;
  const length = bitLength(significand);
  const unbounded = exponent + length - precision; // exponent of the last bit if subnormals did not exist
  const last = Math.max(unbounded, leastExponent);
  const rounded = shiftRounding(significand, last - exponent, sign, rm);
  const isExact = rounded << BigInt(last - exponent) === significand;
  // A carry out of the significand lands in the exponent field, where it belongs.
  const fractionBits = BigInt(precision - 1);
  const magnitude = (BigInt(last - leastExponent) << fractionBits) + rounded;
  if (magnitude >= format.infinity) {
    result.flags |= FLAG_OF | FLAG_NX;
    const away = rm === ROUND_NEAREST_EVEN || rm === ROUND_NEAREST_AWAY ||
      rm === (sign === 0 ? ROUND_UP : ROUND_DOWN);
    putSigned(format, sign, away ? format.infinity : format.infinity - 1n);
    return;
  }
  if (!isExact) {
    result.flags |= FLAG_NX;
    // Tiny after rounding: rounded to full precision at any exponent, it lies below the least normal.
    if (unbounded < leastExponent) {
      const full = shiftRounding(significand, unbounded - exponent, sign, rm);
      const carried = full >> BigInt(precision) !== 0n;
      if (unbounded + (carried ? 1 : 0) < leastExponent) result.flags |= FLAG_UF;
    }
  }
  putSigned(format, sign, magnitude);
}

/** significand ÷ 2^shift, rounded to an integer. */
function shiftRounding(significand: bigint, shift: number, sign: number, rm: number): bigint {
  if (shift <= 0) return significand << BigInt(-shift);
  const kept = significand >> BigInt(shift);
  const rest = significand - (kept << BigInt(shift));
  if (rest === 0n) return kept;
  const half = 1n << BigInt(shift - 1);
  let up = false;
  if (rm === ROUND_NEAREST_EVEN) up = rest > half || (rest === half && (kept & 1n) === 1n);
  else if (rm === ROUND_NEAREST_AWAY) up = rest >= half;
  else if (rm === ROUND_UP) up = sign === 0;
  else if (rm === ROUND_DOWN) up = sign === 1;
  return up ? kept + 1n : kept;
}

/** Number of bits up to the highest one set. */
function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return hex.length * 4 - Math.clz32(parseInt(hex[0], 16)) + 28;
}
