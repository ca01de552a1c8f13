import { assertEquals } from "@std/assert";
import { computeFloat, MEMORY, TestHart } from "./test_hart.ts";

const BOX = 0xffff_ffff_0000_0000n;
const ONE = BOX | 0x3f80_0000n;
const TWO = BOX | 0x4000_0000n;
const THREE = BOX | 0x4040_0000n;
const MINUS_ONE = BOX | 0xbf80_0000n;
const NAN = BOX | 0x7fc0_0000n;
const SIGNALLING = BOX | 0x7f80_0001n;
const INFINITY = BOX | 0x7f80_0000n;
const NV = 16, DZ = 8, NX = 1;

/** Instruction, up to three operands, rounding mode, result, flags. */
const VECTORS: readonly [string, bigint[], number, bigint, number][] = [
  ["fadd.s", [ONE, TWO], 0, THREE, 0],
  ["fadd.s", [ONE, BOX | 0x3300_0000n], 3, BOX | 0x3f80_0001n, NX],
  ["fsub.s", [ONE, TWO], 0, MINUS_ONE, 0],
  ["fsub.s", [INFINITY, INFINITY], 0, NAN, NV],
  ["fmul.s", [TWO, MINUS_ONE], 0, BOX | 0xc000_0000n, 0],
  ["fdiv.s", [ONE, BOX], 0, INFINITY, DZ],
  ["fdiv.s", [ONE, THREE], 0, BOX | 0x3eaa_aaabn, NX],
  ["fdiv.s", [ONE, THREE], 1, BOX | 0x3eaa_aaaan, NX],
  ["fsqrt.s", [BOX | 0x4080_0000n], 0, TWO, 0],
  ["fsqrt.s", [MINUS_ONE], 0, NAN, NV],
  ["fmin.s", [ONE, MINUS_ONE], 0, MINUS_ONE, 0],
  ["fmin.s", [SIGNALLING, ONE], 0, ONE, NV],
  ["fmax.s", [ONE, NAN], 0, ONE, 0],
  ["fmadd.s", [TWO, TWO, MINUS_ONE], 0, THREE, 0],
  ["fmsub.s", [TWO, TWO, ONE], 0, THREE, 0],
  ["fnmsub.s", [TWO, TWO, ONE], 0, BOX | 0xc040_0000n, 0],
  ["fnmadd.s", [TWO, TWO, ONE], 0, BOX | 0xc0a0_0000n, 0],
  ["fsgnj.s", [ONE, BOX | 0x8000_0000n], 0, MINUS_ONE, 0],
  ["fsgnjn.s", [ONE, ONE], 0, MINUS_ONE, 0],
  ["fsgnjx.s", [MINUS_ONE, MINUS_ONE], 0, ONE, 0],
  ["fsgnj.s", [SIGNALLING, ONE], 0, SIGNALLING, 0],
  ["feq.s", [ONE, ONE], 0, 1n, 0],
  ["feq.s", [NAN, NAN], 0, 0n, 0],
  ["flt.s", [MINUS_ONE, ONE], 0, 1n, 0],
  ["flt.s", [NAN, ONE], 0, 0n, NV],
  ["fle.s", [ONE, ONE], 0, 1n, 0],
  ["fclass.s", [MINUS_ONE], 0, 2n, 0],
  ["fclass.s", [SIGNALLING], 0, 0x100n, 0],
  ["fcvt.w.s", [BOX | 0xbfc0_0000n], 0, 0xffff_ffff_ffff_fffen, NX],
  ["fcvt.w.s", [BOX | 0xbfc0_0000n], 1, 0xffff_ffff_ffff_ffffn, NX],
  ["fcvt.w.s", [NAN], 0, 0x7fff_ffffn, NV],
  ["fcvt.wu.s", [BOX | 0x4f00_0000n], 0, 0xffff_ffff_8000_0000n, 0],
  ["fcvt.wu.s", [MINUS_ONE], 0, 0n, NV],
  ["fcvt.l.s", [MINUS_ONE], 0, 0xffff_ffff_ffff_ffffn, 0],
  ["fcvt.lu.s", [INFINITY], 0, 0xffff_ffff_ffff_ffffn, NV],
  ["fcvt.s.w", [0xffff_ffffn], 0, MINUS_ONE, 0],
  ["fcvt.s.wu", [0xdead_0000_0001n], 0, ONE, 0],
  ["fcvt.s.l", [0xffff_ffff_ffff_ffffn], 0, MINUS_ONE, 0],
  ["fcvt.s.lu", [0xffff_ffff_ffff_ffffn], 1, BOX | 0x5f7f_ffffn, NX],
  ["fmv.x.w", [0x1234_5678_8000_0000n], 0, 0xffff_ffff_8000_0000n, 0],
  ["fmv.w.x", [0x1234_5678_7f80_0001n], 0, SIGNALLING, 0],
];

Deno.test("single-precision instructions give the manual's results and flags", () => {
  for (const [name, [a, b, c], mode, value, flags] of VECTORS) {
    assertEquals(
      computeFloat(name, a, b, c, mode),
      { value, flags },
      `${name} ${a.toString(16)} mode ${mode}`,
    );
  }
});

Deno.test("operands that are not NaN-boxed count as the canonical NaN", () => {
  const unboxed = 0x3f80_0000n;
  const vectors: [string, bigint[], bigint][] = [
    ["fadd.s", [ONE, unboxed], NAN],
    ["fmadd.s", [ONE, ONE, unboxed], NAN],
    ["fsqrt.s", [unboxed], NAN],
    ["fmin.s", [unboxed, TWO], TWO],
    ["fsgnj.s", [unboxed, MINUS_ONE], BOX | 0xffc0_0000n],
    ["fsgnjx.s", [ONE, unboxed], ONE],
    ["feq.s", [unboxed, unboxed], 0n],
    ["fclass.s", [unboxed], 0x200n],
    ["fmv.x.w", [unboxed], unboxed],
  ];
  for (const [name, [a, b, c], value] of vectors) {
    assertEquals(computeFloat(name, a, b, c), { value, flags: 0 }, name);
  }
});

Deno.test("flw boxes, fsw stores the low half whether boxed or not", () => {
  const hart = new TestHart();
  hart.setX(1, MEMORY + 8n);
  hart.setF(2, 0x1234_5678_9abc_def0n);
  hart.execute("fsw", { rs1: 1, rs2: 2, bits: 4 << 7 });
  assertEquals([hart.memory.getUint32(12, true), hart.events], [0x9abc_def0, []]);
  hart.execute("flw", { rd: 3, rs1: 1, bits: 4 << 20 });
  assertEquals([hart.f(3), hart.events], [BOX | 0x9abc_def0n, ["dirty"]]);
  hart.execute("flw", { rd: 0, rs1: 0 });
  assertEquals([hart.f(0), hart.events], [0n, ["dirty", "fault"]]);
});

Deno.test("a dynamic rounding mode is frm; a reserved one is illegal and changes nothing", () => {
  const hart = new TestHart();
  hart.setF(1, ONE);
  hart.setF(2, THREE);
  hart.frm = 3;
  hart.execute("fdiv.s", { rd: 3, rs1: 1, rs2: 2, bits: 7 << 12 });
  assertEquals(hart.f(3), BOX | 0x3eaa_aaabn);
  for (const [rm, frm] of [[5, 0], [6, 0], [7, 5], [7, 6], [7, 7]]) {
    const other = new TestHart();
    other.frm = frm;
    other.execute("fdiv.s", { rd: 3, rs1: 1, rs2: 2, bits: rm << 12 });
    assertEquals([other.events, other.f(3), other.flags], [["illegal"], 0n, 0]);
  }
});
