/**
 * binary32 arithmetic. The fast paths compute in binary64 and round once more with `Math.fround`: 53 bits are
 * at least 2 × 24 + 2, so for + − × ÷ √ the second rounding changes nothing as long as the result is normal
 * (Figueroa, "When is double rounding innocuous?", 1995); for a × b + c the first rounding is to odd.
 */
import { putSingle, roundToOdd, toSingle } from "./bits.ts";
import { sumError } from "./error_free.ts";
import { add, divide, fusedMultiplyAdd, multiply, squareRoot } from "./exact.ts";
import { BINARY32, encoding32 as encoding, GREATEST_SINGLE, LEAST_NORMAL_SINGLE } from "./format.ts";
import { FLAG_NX, result, ROUND_NEAREST_EVEN } from "./result.ts";

function isFinite32(bits: number): boolean {
  return (bits & 0x7f800000) !== 0x7f800000;
}

/** a + b. */
export function f32Add(a: number, b: number, rm: number): void {
  if (rm === ROUND_NEAREST_EVEN && isFinite32(a) && isFinite32(b)) {
    const x = toSingle(a), y = toSingle(b);
    const sum = x + y;
    const rounded = Math.fround(sum);
    if (Math.abs(rounded) <= GREATEST_SINGLE) { // no underflow: a subnormal sum is exact
      if (rounded !== sum || sumError(x, y, sum) !== 0) result.flags |= FLAG_NX;
      putSingle(rounded);
      return;
    }
  }
  add(BINARY32, encoding(a), encoding(b), rm);
}

/** a − b. */
export function f32Sub(a: number, b: number, rm: number): void {
  f32Add(a, b ^ 0x80000000, rm);
}

/** a × b. */
export function f32Mul(a: number, b: number, rm: number): void {
  if (rm === ROUND_NEAREST_EVEN && isFinite32(a) && isFinite32(b)) {
    const product = toSingle(a) * toSingle(b); // exact: 48 bits
    const rounded = Math.fround(product);
    const magnitude = Math.abs(product);
    if ((magnitude >= LEAST_NORMAL_SINGLE && Math.abs(rounded) <= GREATEST_SINGLE) || magnitude === 0) {
      if (rounded !== product) result.flags |= FLAG_NX;
      putSingle(rounded);
      return;
    }
  }
  multiply(BINARY32, encoding(a), encoding(b), rm);
}

/** a ÷ b. */
export function f32Div(a: number, b: number, rm: number): void {
  if (rm === ROUND_NEAREST_EVEN && isFinite32(a) && isFinite32(b)) {
    const x = toSingle(a), y = toSingle(b);
    const quotient = x / y;
    const rounded = Math.fround(quotient);
    if (
      (Math.abs(quotient) > LEAST_NORMAL_SINGLE && Math.abs(rounded) <= GREATEST_SINGLE) ||
      (x === 0 && y !== 0)
    ) {
      if (rounded * y !== x) result.flags |= FLAG_NX;
      putSingle(rounded);
      return;
    }
  }
  divide(BINARY32, encoding(a), encoding(b), rm);
}

/** √a. */
export function f32Sqrt(a: number, rm: number): void {
  if (rm === ROUND_NEAREST_EVEN && a >= 0 && isFinite32(a)) {
    const x = toSingle(a);
    const root = Math.fround(Math.sqrt(x));
    if (root * root !== x) result.flags |= FLAG_NX;
    putSingle(root);
    return;
  }
  squareRoot(BINARY32, encoding(a), rm);
}

/** a × b + c, rounded once. */
export function f32Fma(a: number, b: number, c: number, rm: number): void {
  if (rm === ROUND_NEAREST_EVEN && isFinite32(a) && isFinite32(b) && isFinite32(c)) {
    const product = toSingle(a) * toSingle(b); // exact: 48 bits
    const z = toSingle(c);
    const sum = product + z;
    const error = sumError(product, z, sum);
    const rounded = Math.fround(roundToOdd(sum, error));
    const isExact = error === 0 && rounded === sum;
    if (isExact || (Math.abs(sum) > LEAST_NORMAL_SINGLE && Math.abs(rounded) <= GREATEST_SINGLE)) {
      if (!isExact) result.flags |= FLAG_NX;
      putSingle(rounded);
      return;
    }
  }
  fusedMultiplyAdd(BINARY32, encoding(a), encoding(b), encoding(c), rm);
}
