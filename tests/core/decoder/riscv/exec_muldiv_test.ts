import { assertEquals } from "@std/assert";
import { compute } from "./test_hart.ts";

const MIN = 0x8000_0000_0000_0000n;
const MAX = 0x7fff_ffff_ffff_ffffn;
const ONES = 0xffff_ffff_ffff_ffffn;
const MIN_WORD = 0xffff_ffff_8000_0000n;

const VECTORS: readonly [string, bigint, bigint, bigint][] = [
  ["mul", 0xffff_ffffn, 0xffff_ffffn, 0xffff_fffe_0000_0001n],
  ["mul", ONES, ONES, 1n],
  ["mulh", ONES, ONES, 0n],
  ["mulh", MIN, MIN, 0x4000_0000_0000_0000n],
  ["mulh", MIN, 1n, ONES],
  ["mulhsu", ONES, ONES, ONES],
  ["mulhsu", 1n, ONES, 0n],
  ["mulhu", ONES, ONES, 0xffff_ffff_ffff_fffen],
  ["mulhu", MIN, 2n, 1n],
  ["mulw", 0x1_0000_0003n, 0x2_0000_0005n, 15n],
  ["mulw", 0x8000_0000n, 1n, MIN_WORD],
  ["div", 7n, 0n, ONES],
  ["div", MIN, ONES, MIN],
  ["div", BigInt.asUintN(64, -7n), 2n, BigInt.asUintN(64, -3n)],
  ["div", MAX, 3n, MAX / 3n],
  ["divu", 7n, 0n, ONES],
  ["divu", ONES, 10n, ONES / 10n],
  ["divu", 0x1f_ffff_ffff_ffffn, 0x1f_ffff_ffff_fffen, 1n],
  ["rem", 7n, 0n, 7n],
  ["rem", MIN, 0n, MIN],
  ["rem", MIN, ONES, 0n],
  ["rem", BigInt.asUintN(64, -7n), 2n, ONES],
  ["rem", BigInt.asUintN(64, -4n), 2n, 0n],
  ["remu", ONES, 0n, ONES],
  ["remu", ONES, 10n, 5n],
  ["divw", 0xdead_0000_0007n, 0x1_0000_0000n, ONES],
  ["divw", MIN_WORD, ONES, MIN_WORD],
  ["divw", BigInt.asUintN(64, -7n), 2n, BigInt.asUintN(64, -3n)],
  ["divuw", 7n, 0n, ONES],
  ["divuw", 0xffff_ffffn, 1n, ONES],
  ["divuw", 0x8000_0000n, 3n, 0x2aaa_aaaan],
  ["remw", MIN_WORD, 0n, MIN_WORD],
  ["remw", MIN_WORD, ONES, 0n],
  ["remw", BigInt.asUintN(64, -7n), 2n, ONES],
  ["remuw", 0x8000_0001n, 0n, 0xffff_ffff_8000_0001n],
  ["remuw", 0xffff_ffffn, 0x10n, 15n],
  ["remuw", 0xffff_fffen, 0xffff_ffffn, 0xffff_ffff_ffff_fffen],
];

Deno.test("products, quotients and remainders give the manual's results", () => {
  for (const [name, a, b, expected] of VECTORS) {
    assertEquals(compute(name, a, b), expected, `${name} ${a} ${b}`);
  }
});

Deno.test("they agree with arithmetic on big integers wherever halves carry", () => {
  const edges = [
    1n,
    2n,
    3n,
    10n,
    0xffffn,
    0x1_0000n,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ffffn,
    0x1_0000_0000n,
  ];
  for (const bit of [51n, 52n, 53n, 54n, 62n, 63n]) edges.push((1n << bit) - 1n, 1n << bit, (1n << bit) + 1n);
  edges.push(0x0123_4567_89ab_cdefn, ONES);
  const operands = [...edges, ...edges.map((value) => BigInt.asUintN(64, -value))];
  const u = (value: bigint): bigint => BigInt.asUintN(64, value);
  for (const a of operands) {
    for (const b of operands) {
      const sa = BigInt.asIntN(64, a), sb = BigInt.asIntN(64, b);
      const expected: Record<string, bigint> = {
        mul: u(a * b),
        mulh: u(sa * sb >> 64n),
        mulhsu: u(sa * b >> 64n),
        mulhu: a * b >> 64n,
        div: u(sa / sb),
        divu: a / b,
        rem: u(sa % sb),
        remu: a % b,
      };
      for (const name in expected) assertEquals(compute(name, a, b), expected[name], `${name} ${a} ${b}`);
    }
  }
});
