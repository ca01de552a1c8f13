import { assertEquals } from "@std/assert";
import { compute } from "./test_hart.ts";

const MIN = 0x8000_0000_0000_0000n;
const ONES = 0xffff_ffff_ffff_ffffn;
const A = 0x0123_4567_89ab_cdefn;

const REGISTERS: readonly [string, bigint, bigint, bigint][] = [
  ["add.uw", 0xdead_ffff_ffffn, 1n, 0x1_0000_0000n],
  ["sh1add", MIN | 0x8000_0000n, 1n, 0x1_0000_0001n],
  ["sh2add", 0x4000_0000n, 0xffff_ffffn, 0x1_ffff_ffffn],
  ["sh3add", ONES, 8n, 0n],
  ["sh1add.uw", 0xdead_8000_0000n, 1n, 0x1_0000_0001n],
  ["sh2add.uw", 0xdead_ffff_ffffn, 0n, 0x3_ffff_fffcn],
  ["sh3add.uw", 0xdead_ffff_ffffn, 8n, 0x8_0000_0000n],
  ["andn", ONES, 0xffn, 0xffff_ffff_ffff_ff00n],
  ["orn", 1n, ~0x10n & ONES, 0x11n],
  ["xnor", ONES, 0xf0n, 0xf0n],
  ["max", MIN, 1n, 1n],
  ["max", 0x1_0000_0000n, 0xffff_ffffn, 0x1_0000_0000n],
  ["maxu", MIN, 1n, MIN],
  ["min", MIN, 1n, MIN],
  ["min", 2n, 1n, 1n],
  ["minu", MIN, 1n, 1n],
  ["minu", 0xffff_ffffn, 0x1_0000_0000n, 0xffff_ffffn],
  ["rol", A, 8n, 0x2345_6789_abcd_ef01n],
  ["rol", A, 64n, A],
  ["rol", A, 40n, 0xabcd_ef01_2345_6789n],
  ["ror", A, 8n, 0xef01_2345_6789_abcdn],
  ["ror", A, 32n, 0x89ab_cdef_0123_4567n],
  ["ror", A, 0n, A],
  ["rolw", A, 4n, 0xffff_ffff_9abc_def8n],
  ["rolw", A, 32n, 0xffff_ffff_89ab_cdefn],
  ["rorw", A, 4n, 0xffff_ffff_f89a_bcden],
  ["rorw", A, 16n, 0xffff_ffff_cdef_89abn],
  ["bclr", ONES, 63n, 0x7fff_ffff_ffff_ffffn],
  ["bclr", ONES, 64n, 0xffff_ffff_ffff_fffen],
  ["bext", MIN, 63n, 1n],
  ["bext", MIN, 31n, 0n],
  ["binv", 0n, 32n, 0x1_0000_0000n],
  ["binv", 1n << 31n, 31n, 0n],
  ["bset", 0n, 31n, 0x8000_0000n],
  ["bset", 0n, 127n, MIN],
];

const UNARY: readonly [string, bigint, bigint][] = [
  ["clz", 0n, 64n],
  ["clz", 1n, 63n],
  ["clz", 0x1_0000_0000n, 31n],
  ["clz", MIN, 0n],
  ["clzw", 0xffff_ffff_0000_0000n, 32n],
  ["clzw", 1n, 31n],
  ["ctz", 0n, 64n],
  ["ctz", 0x1_0000_0000n, 32n],
  ["ctz", MIN, 63n],
  ["ctz", ONES, 0n],
  ["ctzw", 0xffff_ffff_0000_0000n, 32n],
  ["ctzw", 0x8000_0000n, 31n],
  ["cpop", 0n, 0n],
  ["cpop", ONES, 64n],
  ["cpop", A, 32n],
  ["cpopw", 0xffff_ffff_8000_0001n, 2n],
  ["sext.b", 0x80n, 0xffff_ffff_ffff_ff80n],
  ["sext.b", 0xff7fn, 0x7fn],
  ["sext.h", 0x8000n, 0xffff_ffff_ffff_8000n],
  ["zext.h", ONES, 0xffffn],
  ["orc.b", 0x0100_8000_0010_007fn, 0xff00_ff00_00ff_00ffn],
  ["orc.b", 0x8000_0000_8000_0000n, 0xff00_0000_ff00_0000n],
  ["orc.b", ONES, ONES],
  ["orc.b", 0n, 0n],
  ["rev8", A, 0xefcd_ab89_6745_2301n],
];

const IMMEDIATES: readonly [string, bigint, number, bigint][] = [
  ["slli.uw", 0xdead_ffff_ffffn, 0, 0xffff_ffffn],
  ["slli.uw", 0xdead_ffff_ffffn, 32, 0xffff_ffff_0000_0000n],
  ["rori", A, 60, 0x1234_5678_9abc_def0n],
  ["roriw", A, 0, 0xffff_ffff_89ab_cdefn],
  ["roriw", A, 31, 0x1357_9bdfn],
  ["bclri", ONES, 32, 0xffff_fffe_ffff_ffffn],
  ["bexti", MIN, 63, 1n],
  ["binvi", MIN, 63, 0n],
  ["bseti", 0n, 63, MIN],
];

Deno.test("bit manipulation on two registers gives the manual's results", () => {
  for (const [name, a, b, expected] of REGISTERS) {
    assertEquals(compute(name, a, b), expected, `${name} ${a} ${b}`);
  }
});

Deno.test("bit manipulation on one register gives the manual's results", () => {
  for (const [name, a, expected] of UNARY) assertEquals(compute(name, a), expected, `${name} ${a}`);
});

Deno.test("bit manipulation with an immediate gives the manual's results", () => {
  for (const [name, a, shamt, expected] of IMMEDIATES) {
    assertEquals(compute(name, a, 0n, shamt << 20), expected, `${name} ${a} ${shamt}`);
  }
});
