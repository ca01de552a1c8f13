/**
 * The arithmetic operations done plainly, for any format: compute the exact value with BigInt, round it once.
 * This is the meaning of the library. The fast paths beside it must agree with it to the last bit and flag,
 * and call it for whatever they do not handle.
 *
 * Operands are encodings as unsigned BigInts; answers go to the result registers.
 */
import { type Finite, type Format, put, putSigned, round, unpack } from "./format.ts";
import { convertNaN, invalid, invalidProductPlusNaN, propagateNaN } from "./policy.ts";
import { FLAG_DZ, result, ROUND_DOWN } from "./result.ts";

/** a + b (IEEE 754-2019 §5.4.1, as all below). */
export function add(format: Format, a: bigint, b: bigint, rm: number): void {
  const x = unpack(format, a), y = unpack(format, b);
  if (x.isNaN || y.isNaN) propagateNaN(format, a, b);
  else if (x.isInfinite && y.isInfinite && x.sign !== y.sign) invalid(format);
  else if (x.isInfinite) put(format, a);
  else if (y.isInfinite) put(format, b);
  else roundSum(format, x, y, rm);
}

/** a × b. */
export function multiply(format: Format, a: bigint, b: bigint, rm: number): void {
  const x = unpack(format, a), y = unpack(format, b);
  const sign = x.sign ^ y.sign;
  if (x.isNaN || y.isNaN) propagateNaN(format, a, b);
  else if (x.isInfinite || y.isInfinite) {
    if (isZero(format, a) || isZero(format, b)) invalid(format);
    else putSigned(format, sign, format.infinity);
  } else {
    const significand = x.significand * y.significand;
    if (significand === 0n) putSigned(format, sign, 0n);
    else round(format, sign, significand, x.exponent + y.exponent, rm);
  }
}

/** a ÷ b. */
export function divide(format: Format, a: bigint, b: bigint, rm: number): void {
  const x = unpack(format, a), y = unpack(format, b);
  const sign = x.sign ^ y.sign;
  if (x.isNaN || y.isNaN) propagateNaN(format, a, b);
  else if (x.isInfinite) {
    if (y.isInfinite) invalid(format);
    else putSigned(format, sign, format.infinity);
  } else if (y.isInfinite) putSigned(format, sign, 0n);
  else if (y.significand === 0n) {
    if (x.significand === 0n) return invalid(format);
    result.flags |= FLAG_DZ;
    putSigned(format, sign, format.infinity);
  } else if (x.significand === 0n) putSigned(format, sign, 0n);
  else {
    // Subnormal ÷ normal must still leave a quotient of precision + 2 bits.
    const shift = 2 * format.precision + 2;
    const dividend = x.significand << BigInt(shift);
    const quotient = dividend / y.significand;
    const sticky = quotient * y.significand === dividend ? 0n : 1n;
    round(format, sign, (quotient << 1n) | sticky, x.exponent - y.exponent - shift - 1, rm);
  }
}

/** √a. */
export function squareRoot(format: Format, a: bigint, rm: number): void {
  const x = unpack(format, a);
  if (x.isNaN) propagateNaN(format, a);
  else if (isZero(format, a)) put(format, a);
  else if (x.sign === 1) invalid(format);
  else if (x.isInfinite) put(format, a);
  else {
    // Any radicand of 2 × precision + 4 bits has a root of precision + 2; the exponent must become even.
    const shift = 2 * format.precision + 4 + (x.exponent & 1);
    const radicand = x.significand << BigInt(shift);
    const root = integerSquareRoot(radicand);
    const sticky = root * root === radicand ? 0n : 1n;
    round(format, 0, (root << 1n) | sticky, (x.exponent - shift) / 2 - 1, rm);
  }
}

/** a × b + c, rounded once. */
export function fusedMultiplyAdd(format: Format, a: bigint, b: bigint, c: bigint, rm: number): void {
  const x = unpack(format, a), y = unpack(format, b), z = unpack(format, c);
  const sign = x.sign ^ y.sign;
  if (x.isNaN || y.isNaN) return propagateNaN(format, a, b, c);
  const isProductInfinite = x.isInfinite || y.isInfinite;
  if (isProductInfinite && (isZero(format, a) || isZero(format, b))) {
    if (z.isNaN) invalidProductPlusNaN(format);
    else invalid(format);
  } else if (z.isNaN) propagateNaN(format, c);
  else if (isProductInfinite && z.isInfinite && sign !== z.sign) invalid(format);
  else if (isProductInfinite) putSigned(format, sign, format.infinity);
  else if (z.isInfinite) put(format, c);
  else {
    const significand = x.significand * y.significand;
    roundSum(format, { sign, significand, exponent: x.exponent + y.exponent }, z, rm);
  }
}

/** a in another format. */
export function convert(from: Format, to: Format, a: bigint, rm: number): void {
  const x = unpack(from, a);
  if (x.isNaN) convertNaN(from, to, a);
  else if (x.isInfinite) putSigned(to, x.sign, to.infinity);
  else if (x.significand === 0n) putSigned(to, x.sign, 0n);
  else round(to, x.sign, x.significand, x.exponent, rm);
}

/** An integer as a float. */
export function fromInteger(to: Format, value: bigint, rm: number): void {
  if (value === 0n) put(to, 0n);
  else round(to, value < 0n ? 1 : 0, value < 0n ? -value : value, 0, rm);
}

/** The sum of two finite values. An exact zero has the sign both share, or else the rounding mode's (§6.3). */
function roundSum(format: Format, x: Finite, y: Finite, rm: number): void {
  const exponent = Math.min(x.exponent, y.exponent);
  const sum = signedAt(x, exponent) + signedAt(y, exponent);
  if (sum === 0n) putSigned(format, x.sign === y.sign ? x.sign : rm === ROUND_DOWN ? 1 : 0, 0n);
  else round(format, sum < 0n ? 1 : 0, sum < 0n ? -sum : sum, exponent, rm);
}

/** The value in units of 2^exponent. */
function signedAt(x: Finite, exponent: number): bigint {
  const magnitude = x.significand << BigInt(x.exponent - exponent);
  return x.sign === 0 ? magnitude : -magnitude;
}

function isZero(format: Format, bits: bigint): boolean {
  return (bits & format.magnitudeMask) === 0n;
}

/** ⌊√value⌋, by Newton's iteration from above. */
function integerSquareRoot(value: bigint): bigint {
  let root = BigInt(Math.ceil(Math.sqrt(Number(value)) * (1 + 2 ** -50)));
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}
