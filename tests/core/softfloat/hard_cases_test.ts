import { assertEquals } from "@std/assert";
import { type Case, describe, OPERATIONS, type Outcome, run } from "./operations.ts";

const RNE = 0, RTZ = 1, RDN = 2, RUP = 3, RMM = 4;
const NV = 16, DZ = 8, OF = 4, UF = 2, NX = 1;

// binary64
const ONE = 0x3ff0000000000000n;
const MAX = 0x7fefffffffffffffn;
const INF = 0x7ff0000000000000n;
const NAN = 0x7ff8000000000000n;
const SNAN = 0x7ff0000000000001n;
const LEAST_NORMAL = 0x0010000000000000n;
const SIGN = 1n << 63n;
// binary32
const ONE_F = 0x3f800000n;
const MAX_F = 0x7f7fffffn;
const INF_F = 0x7f800000n;
const NAN_F = 0x7fc00000n;
const SNAN_F = 0x7f800001n;
const SIGN_F = 1n << 31n;

type Row = [op: string, rm: number, operands: bigint[], bits: bigint, flags: number];

function checkRows(width: 32 | 64, rows: Row[]): void {
  for (const [name, rm, [a, b = 0n, c = 0n], bits, flags] of rows) {
    const test: Case = { width, op: OPERATIONS.indexOf(name), rm, a, b, c };
    const expected: Outcome = { bits, flags };
    assertEquals(run(test), expected, describe(test));
  }
}

Deno.test("softfloat: a sum that is zero takes its sign from the rounding mode", () => {
  checkRows(64, [
    ["sub", RNE, [ONE, ONE], 0n, 0],
    ["sub", RUP, [ONE, ONE], 0n, 0],
    ["sub", RDN, [ONE, ONE], SIGN, 0],
    ["add", RDN, [0n, 0n], 0n, 0],
    ["add", RUP, [SIGN, SIGN], SIGN, 0],
    ["add", RNE, [SIGN, SIGN], SIGN, 0],
    ["add", RNE, [0n, SIGN], 0n, 0],
    ["fma", RDN, [ONE, ONE, ONE | SIGN], SIGN, 0],
    ["fma", RNE, [ONE, 0n, SIGN], 0n, 0],
    ["fma", RNE, [ONE | SIGN, 0n, SIGN], SIGN, 0],
  ]);
});

Deno.test("softfloat: ties go where the rounding mode says", () => {
  const halfUlp = 0x3ca0000000000000n; // 2^-53
  checkRows(64, [
    ["add", RNE, [ONE, halfUlp], ONE, NX],
    ["add", RNE, [ONE + 1n, halfUlp], ONE + 2n, NX],
    ["add", RMM, [ONE, halfUlp], ONE + 1n, NX],
    ["add", RMM, [ONE | SIGN, halfUlp | SIGN], (ONE + 1n) | SIGN, NX],
    ["add", RTZ, [ONE + 1n, halfUlp], ONE + 1n, NX],
    ["add", RDN, [ONE | SIGN, halfUlp | SIGN], (ONE + 1n) | SIGN, NX],
    ["add", RUP, [ONE, 1n], ONE + 1n, NX],
    ["fma", RNE, [halfUlp, ONE + 1n, ONE], ONE + 1n, NX], // just past the tie
  ]);
  checkRows(32, [
    ["add", RNE, [ONE_F, 0x33800000n], ONE_F, NX],
    ["add", RMM, [ONE_F, 0x33800000n], ONE_F + 1n, NX],
    // 1 + 2^-24 + 2^-149: rounding to binary64 first would make it a tie
    ["fma", RNE, [0x33800000n, ONE_F + 1n, ONE_F], ONE_F + 1n, NX],
    ["fma", RNE, [0x00000001n, ONE_F, ONE_F], ONE_F, NX],
  ]);
});

Deno.test("softfloat: overflow gives infinity or the greatest number", () => {
  checkRows(64, [
    ["add", RNE, [MAX, MAX], INF, OF | NX],
    ["add", RTZ, [MAX, MAX], MAX, OF | NX],
    ["add", RDN, [MAX, MAX], MAX, OF | NX],
    ["add", RUP, [MAX, MAX], INF, OF | NX],
    ["add", RMM, [MAX, MAX], INF, OF | NX],
    ["add", RUP, [MAX | SIGN, MAX | SIGN], MAX | SIGN, OF | NX],
    ["add", RNE, [MAX, ONE], MAX, NX],
    ["add", RUP, [MAX, ONE], INF, OF | NX],
    ["to other format", RNE, [0x47efffffefffffffn], MAX_F, NX],
    ["to other format", RNE, [0x47effffff0000000n], INF_F, OF | NX],
    ["to other format", RTZ, [MAX], MAX_F, OF | NX],
  ]);
  checkRows(32, [
    ["mul", RNE, [MAX_F, MAX_F], INF_F, OF | NX],
    ["mul", RTZ, [MAX_F, MAX_F | SIGN_F], MAX_F | SIGN_F, OF | NX],
  ]);
});

Deno.test("softfloat: underflow is detected after rounding, and only when inexact", () => {
  checkRows(64, [
    ["mul", RNE, [LEAST_NORMAL, 0x3fe0000000000000n], LEAST_NORMAL >> 1n, 0],
    ["mul", RNE, [1n, 0x3fe0000000000000n], 0n, UF | NX],
    ["mul", RUP, [1n, 0x3fe0000000000000n], 1n, UF | NX],
    ["mul", RMM, [1n, 0x3fe0000000000000n], 1n, UF | NX],
    // (1 + 2^-52) (2^-1022 − 2^-1074): tiny before rounding, not after
    ["mul", RNE, [ONE + 1n, LEAST_NORMAL - 1n], LEAST_NORMAL, NX],
    // (1 − 2^-53) 2^-1022: full precision holds it below the least normal
    ["mul", RNE, [ONE - 1n, LEAST_NORMAL], LEAST_NORMAL, UF | NX],
    ["to other format", RNE, [0x380fffffffffffffn], 0x00800000n, NX],
    ["to other format", RNE, [0x380fffffe0000000n], 0x00800000n, UF | NX],
    ["to other format", RNE, [0x36a0000000000000n], 1n, 0],
    ["to other format", RNE, [0x3690000000000000n], 0n, UF | NX],
  ]);
});

Deno.test("softfloat: invalid operations and NaNs give the canonical NaN", () => {
  checkRows(64, [
    ["sub", RNE, [INF, INF], NAN, NV],
    ["mul", RNE, [INF, 0n], NAN, NV],
    ["div", RNE, [0n, SIGN], NAN, NV],
    ["div", RNE, [INF, INF], NAN, NV],
    ["div", RNE, [ONE, SIGN], INF | SIGN, DZ],
    ["div", RNE, [INF, 0n], INF, 0],
    ["sqrt", RNE, [ONE | SIGN], NAN, NV],
    ["sqrt", RDN, [SIGN], SIGN, 0],
    ["add", RNE, [0xffffffffffffffffn, ONE], NAN, 0],
    ["add", RNE, [ONE, SNAN], NAN, NV],
    ["fma", RNE, [INF, 0n, NAN], NAN, NV],
    ["fma", RNE, [NAN, 0n, ONE], NAN, 0],
    ["fma", RNE, [INF, ONE, INF | SIGN], NAN, NV],
    ["fma", RNE, [INF, ONE, SNAN], NAN, NV],
    ["to other format", RNE, [0xfff4000000000000n], NAN_F, NV],
  ]);
  checkRows(32, [
    ["to other format", RNE, [0xffc12345n], NAN, 0],
    ["to other format", RNE, [SNAN_F], NAN, NV],
    ["sqrt", RNE, [0xc0800000n], NAN_F, NV],
    ["fma", RNE, [0n, INF_F, NAN_F], NAN_F, NV],
  ]);
});

Deno.test("softfloat: comparisons are quiet for equality and signalling for order", () => {
  checkRows(64, [
    ["eq", RNE, [0n, SIGN], 1n, 0],
    ["eq", RNE, [NAN, NAN], 0n, 0],
    ["eq", RNE, [SNAN, ONE], 0n, NV],
    ["lt", RNE, [NAN, ONE], 0n, NV],
    ["le", RNE, [SIGN, 0n], 1n, 0],
    ["lt", RNE, [SIGN, 0n], 0n, 0],
  ]);
});

Deno.test("softfloat: minimum and maximum prefer numbers and order the zeros", () => {
  checkRows(64, [
    ["min", RNE, [0n, SIGN], SIGN, 0],
    ["max", RNE, [SIGN, 0n], 0n, 0],
    ["min", RNE, [NAN, ONE], ONE, 0],
    ["max", RNE, [ONE, SNAN], ONE, NV],
    ["max", RNE, [SNAN | SIGN, NAN], NAN, NV],
  ]);
  checkRows(32, [
    ["min", RNE, [0n, SIGN_F], SIGN_F, 0],
    ["max", RNE, [0xffffffffn, 0xffc00000n], NAN_F, 0],
    ["min", RNE, [SNAN_F, ONE_F], ONE_F, NV],
  ]);
});

Deno.test("softfloat: conversions to integers saturate, without inexact", () => {
  const all = 0xffffffffffffffffn;
  checkRows(64, [
    ["to i32", RTZ, [NAN], 0x7fffffffn, NV],
    ["to u32", RTZ, [NAN], all, NV],
    ["to i64", RTZ, [NAN | SIGN], 0x7fffffffffffffffn, NV],
    ["to u64", RTZ, [INF | SIGN], 0n, NV],
    ["to i32", RNE, [0x41dfffffffe00000n], 0x7fffffffn, NV], // 2^31 − 0.5
    ["to i32", RTZ, [0x41dfffffffe00000n], 0x7fffffffn, NX],
    ["to i32", RTZ, [0xc1e0000000000000n], 0xffffffff80000000n, 0], // −2^31
    ["to u32", RTZ, [0x41efffffffe00000n], all, 0], // 2^32 − 1, sign-extended
    ["to u32", RTZ, [0xbfeccccccccccccdn], 0n, NX], // −0.9
    ["to u32", RDN, [0xbfeccccccccccccdn], 0n, NV],
    ["to i64", RTZ, [0x43e0000000000000n], 0x7fffffffffffffffn, NV], // 2^63
    ["to u64", RTZ, [0x43e0000000000000n], SIGN, 0],
    ["to i64", RMM, [0xbfdfffffffffffffn], 0n, NX], // just above −0.5
    ["to i64", RMM, [0xbfe0000000000000n], all, NX],
    ["to i64", RNE, [0xbfe0000000000000n], 0n, NX],
    ["to i64", RUP, [1n], 1n, NX],
  ]);
});

Deno.test("softfloat: conversions from integers round once", () => {
  checkRows(64, [
    ["from i64", RNE, [SIGN], 0xc3e0000000000000n, 0],
    ["from u64", RNE, [0xffffffffffffffffn], 0x43f0000000000000n, NX],
    ["from u64", RTZ, [0xffffffffffffffffn], 0x43efffffffffffffn, NX],
    ["from u32", RNE, [0xffffffffn], 0x41efffffffe00000n, 0],
    ["from i64", RDN, [0n], 0n, 0],
  ]);
  checkRows(32, [
    // 2^54 + 2^30 + 1: by way of binary64 it would be a tie and go down
    ["from i64", RNE, [0x0040000040000001n], 0x5a800001n, NX],
    ["from i32", RNE, [0xffffffffn], 0xbf800000n, 0],
  ]);
});

Deno.test("softfloat: every value has one class", () => {
  const values = [0xfff0n, 0xbff0n, 0x8008n, 0x8000n, 0n, 0x0008n, 0x3ff0n, 0x7ff0n, 0x7ff4n, 0xfff8n];
  checkRows(64, values.map((top, bit): Row => ["classify", RNE, [top << 48n], 1n << BigInt(bit), 0]));
  const singles = [0xff80n, 0xbf80n, 0x8040n, 0x8000n, 0n, 0x0040n, 0x3f80n, 0x7f80n, 0x7fa0n, 0xffc0n];
  checkRows(32, singles.map((top, bit): Row => ["classify", RNE, [top << 16n], 1n << BigInt(bit), 0]));
});
