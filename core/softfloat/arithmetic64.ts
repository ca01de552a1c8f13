/**
 * binary64 arithmetic. A JavaScript number operation is the round-to-nearest-even operation itself; what it
 * does not tell is whether it was exact. The fast paths find that out with error-free transformations, wherever
 * these neither overflow nor underflow, and leave all else to the exact operations.
 */
import { putDouble, roundToOdd, toDouble } from "./bits.ts";
import { productError, sumError } from "./error_free.ts";
import { add, divide, fusedMultiplyAdd, multiply, squareRoot } from "./exact.ts";
import { BINARY64, encoding64 as encoding } from "./format.ts";
import { FLAG_NX, result, ROUND_NEAREST_EVEN } from "./result.ts";

/** Below this magnitude a sum and all steps of {@linkcode sumError} are finite. */
const SUM_LIMIT = 2 ** 1022;

/**
 * Whether a number's magnitude is in [2^-480, 2^481): then products and quotients of two such numbers are
 * normal, and the errors of the products are representable (multiples of 2^-1064).
 */
function isModerate(hi: number): boolean {
  return (((hi >>> 20) & 0x7ff) - 543) >>> 0 <= 960;
}

function isFinite64(hi: number): boolean {
  return (hi & 0x7ff00000) !== 0x7ff00000;
}

/** a + b. */
export function f64Add(aLo: number, aHi: number, bLo: number, bHi: number, rm: number): void {
  if (rm === ROUND_NEAREST_EVEN) {
    const a = toDouble(aLo, aHi), b = toDouble(bLo, bHi);
    if (Math.abs(a) < SUM_LIMIT && Math.abs(b) < SUM_LIMIT) { // no underflow: a subnormal sum is exact
      const sum = a + b;
      if (sumError(a, b, sum) !== 0) result.flags |= FLAG_NX;
      putDouble(sum);
      return;
    }
  }
  add(BINARY64, encoding(aLo, aHi), encoding(bLo, bHi), rm);
}

/** a − b. */
export function f64Sub(aLo: number, aHi: number, bLo: number, bHi: number, rm: number): void {
  f64Add(aLo, aHi, bLo, bHi ^ 0x80000000, rm);
}

/** a × b. */
export function f64Mul(aLo: number, aHi: number, bLo: number, bHi: number, rm: number): void {
  if (rm === ROUND_NEAREST_EVEN) {
    const a = toDouble(aLo, aHi), b = toDouble(bLo, bHi);
    const product = a * b;
    if (isModerate(aHi) && isModerate(bHi)) {
      if (productError(a, b, product) !== 0) result.flags |= FLAG_NX;
      putDouble(product);
      return;
    }
    if ((a === 0 || b === 0) && isFinite64(aHi) && isFinite64(bHi)) return putDouble(product);
  }
  multiply(BINARY64, encoding(aLo, aHi), encoding(bLo, bHi), rm);
}

/** a ÷ b. */
export function f64Div(aLo: number, aHi: number, bLo: number, bHi: number, rm: number): void {
  if (rm === ROUND_NEAREST_EVEN && isModerate(bHi)) {
    const a = toDouble(aLo, aHi), b = toDouble(bLo, bHi);
    const quotient = a / b;
    if (isModerate(aHi)) {
      const back = quotient * b;
      if (back !== a || productError(quotient, b, back) !== 0) result.flags |= FLAG_NX;
      putDouble(quotient);
      return;
    }
    if (a === 0) return putDouble(quotient);
  }
  divide(BINARY64, encoding(aLo, aHi), encoding(bLo, bHi), rm);
}

/** √a. */
export function f64Sqrt(aLo: number, aHi: number, rm: number): void {
  if (rm === ROUND_NEAREST_EVEN && aHi >= 0 && isModerate(aHi)) {
    const a = toDouble(aLo, aHi);
    const root = Math.sqrt(a);
    const back = root * root;
    if (back !== a || productError(root, root, back) !== 0) result.flags |= FLAG_NX;
    putDouble(root);
    return;
  }
  squareRoot(BINARY64, encoding(aLo, aHi), rm);
}

/** a × b + c, rounded once. */
export function f64Fma(
  aLo: number,
  aHi: number,
  bLo: number,
  bHi: number,
  cLo: number,
  cHi: number,
  rm: number,
): void {
  if (rm === ROUND_NEAREST_EVEN) {
    const a = toDouble(aLo, aHi), b = toDouble(bLo, bHi), c = toDouble(cLo, cHi);
    const product = a * b;
    if (isModerate(aHi) && isModerate(bHi) && (isModerate(cHi) || c === 0)) {
      // The exact value is product + (c + error); what the two sums lose is gathered and rounded to odd.
      const error = productError(a, b, product);
      const small = c + error;
      const smallError = sumError(c, error, small);
      const large = product + small;
      const largeError = sumError(product, small, large);
      const rest = smallError + largeError;
      const restError = sumError(smallError, largeError, rest);
      const tail = roundToOdd(rest, restError);
      const sum = large + tail;
      if (restError !== 0 || sumError(large, tail, sum) !== 0) result.flags |= FLAG_NX;
      putDouble(sum);
      return;
    }
    if ((a === 0 || b === 0) && isFinite64(aHi) && isFinite64(bHi) && isFinite64(cHi)) {
      return putDouble(product + c);
    }
  }
  fusedMultiplyAdd(BINARY64, encoding(aLo, aHi), encoding(bLo, bHi), encoding(cLo, cHi), rm);
}
