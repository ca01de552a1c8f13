/**
 * Error-free transformations: what a rounded sum or product of numbers lost, as a number. Exact as long as
 * nothing overflows and the error is representable, which callers must see to.
 */

/** a + b − sum, where sum is the rounded a + b (Knuth, TAOCP 2 §4.2.2). Underflow cannot harm it. */
export function sumError(a: number, b: number, sum: number): number {
  const bRounded = sum - a;
  return (a - (sum - bRounded)) + (b - bRounded);
}

/** a × b − product, where product is the rounded a × b (Dekker, 1971). */
export function productError(a: number, b: number, product: number): number {
  const aScaled = 134217729 * a; // 2^27 + 1 splits 53 bits into two halves of 26 and a sign
  const aHigh = aScaled - (aScaled - a);
  const aLow = a - aHigh;
  const bScaled = 134217729 * b;
  const bHigh = bScaled - (bScaled - b);
  const bLow = b - bHigh;
  return aLow * bLow - (((product - aHigh * bHigh) - aLow * bHigh) - aHigh * bLow);
}
