/**
 * Floating point from its definition, by means that share nothing with the library: an exact rational (or the
 * root of one) is located between two neighbouring encodings by binary search, since positive encodings are
 * ordered as their values are, and the rounding mode picks one of the two.
 */
import type { FloatWidth } from "../../support/float_operands.ts";

/** numerator ÷ denominator, denominator > 0. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Something positive that can be told from a rational: negative, zero, positive as it is less, equal, greater. */
type Locator = (value: Rational) => bigint;

const FRACTION_BITS = { 32: 23n, 64: 52n } as const;
const BIAS = { 32: 127n, 64: 1023n } as const;
const RNE = 0, RDN = 2, RUP = 3, RMM = 4;

export function rational(numerator: bigint, denominator = 1n): Rational {
  return denominator < 0n ? { numerator: -numerator, denominator: -denominator } : { numerator, denominator };
}

export function plus(x: Rational, y: Rational): Rational {
  return rational(x.numerator * y.denominator + y.numerator * x.denominator, x.denominator * y.denominator);
}

export function times(x: Rational, y: Rational): Rational {
  return rational(x.numerator * y.numerator, x.denominator * y.denominator);
}

export function dividedBy(x: Rational, y: Rational): Rational {
  return rational(x.numerator * y.denominator, x.denominator * y.numerator);
}

/** The value of a finite encoding; that of ∞ is the power of two where it starts. */
export function valueOf(width: FloatWidth, bits: bigint): Rational {
  const sign = 1n << BigInt(width - 1);
  const magnitude = bits & (sign - 1n);
  const value = valueOfMagnitude(width, magnitude, 0n);
  return bits === magnitude ? value : rational(-value.numerator, value.denominator);
}

/** With `extra` > 0, in a format whose least exponent is lower by that. */
function valueOfMagnitude(width: FloatWidth, magnitude: bigint, extra: bigint): Rational {
  const fractionBits = FRACTION_BITS[width];
  const fraction = magnitude & ((1n << fractionBits) - 1n);
  const biased = magnitude >> fractionBits;
  const significand = biased === 0n ? fraction : fraction + (1n << fractionBits);
  const exponent = (biased === 0n ? 1n : biased) - BIAS[width] - fractionBits - extra;
  return exponent >= 0n ? rational(significand << exponent) : rational(significand, 1n << -exponent);
}

/** Rounds a nonzero rational: its encoding and the flags raised. */
export function roundRational(width: FloatWidth, x: Rational, rm: number): { bits: bigint; flags: number } {
  const negative = x.numerator < 0n;
  const magnitude = negative ? -x.numerator : x.numerator;
  const locate = (v: Rational) => magnitude * v.denominator - v.numerator * x.denominator;
  return roundLocated(width, negative, locate, rm);
}

/** Rounds the square root of a positive rational. */
export function roundSquareRoot(width: FloatWidth, x: Rational, rm: number): { bits: bigint; flags: number } {
  const locate = (v: Rational) => x.numerator * v.denominator ** 2n - v.numerator ** 2n * x.denominator;
  return roundLocated(width, false, locate, rm);
}

function roundLocated(width: FloatWidth, negative: boolean, locate: Locator, rm: number) {
  const infinity = (2n * BIAS[width] + 1n) << FRACTION_BITS[width];
  const { magnitude, exact } = pick(width, negative, locate, rm, 0n);
  const sign = negative ? 1n << BigInt(width - 1) : 0n;
  if (magnitude >= infinity) {
    const toInfinity = rm === RNE || rm === RMM || rm === (negative ? RDN : RUP);
    return { bits: sign | (toInfinity ? infinity : infinity - 1n), flags: 4 | 1 };
  }
  if (exact) return { bits: sign | magnitude, flags: 0 };
  // Tiny after rounding: a format with more exponents below would round it below this one's least normal.
  const leastNormal = 1n << FRACTION_BITS[width];
  if (magnitude > leastNormal) return { bits: sign | magnitude, flags: 1 };
  const extra = 100n;
  const wider = valueOfMagnitude(width, pick(width, negative, locate, rm, extra).magnitude, extra);
  const least = valueOfMagnitude(width, leastNormal, 0n);
  const tiny = wider.numerator * least.denominator < least.numerator * wider.denominator;
  return { bits: sign | magnitude, flags: tiny ? 2 | 1 : 1 };
}

/** The encoding rounding picks, as if exponents had no upper end. */
function pick(width: FloatWidth, negative: boolean, locate: Locator, rm: number, extra: bigint) {
  const valueAt = (magnitude: bigint) => valueOfMagnitude(width, magnitude, extra);
  let low = 0n; // value at low ≤ x < value at high
  let high = 4n << BigInt(width);
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (locate(valueAt(middle)) >= 0n) low = middle;
    else high = middle;
  }
  if (locate(valueAt(low)) === 0n) return { magnitude: low, exact: true };
  const half = locate(times(plus(valueAt(low), valueAt(high)), rational(1n, 2n)));
  let up = rm === (negative ? RDN : RUP);
  if (rm === RNE) up = half > 0n || (half === 0n && (low & 1n) === 1n);
  if (rm === RMM) up = half >= 0n;
  return { magnitude: up ? high : low, exact: false };
}
