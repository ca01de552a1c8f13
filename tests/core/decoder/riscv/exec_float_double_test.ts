import { assertEquals } from "@std/assert";
import { idOf, INSTRUCTIONS } from "../../../../core/decoder/riscv/encodings.ts";
import { FLOAT_DOUBLE } from "../../../../core/decoder/riscv/exec/float_double.ts";
import { FLOAT_SINGLE } from "../../../../core/decoder/riscv/exec/float_single.ts";
import { computeFloat, MEMORY, TestHart } from "./test_hart.ts";

const ONE = 0x3ff0_0000_0000_0000n;
const TWO = 0x4000_0000_0000_0000n;
const THREE = 0x4008_0000_0000_0000n;
const SIGN = 0x8000_0000_0000_0000n;
const NAN = 0x7ff8_0000_0000_0000n;
const SIGNALLING = 0x7ff0_0000_0000_0001n;
const INFINITY = 0x7ff0_0000_0000_0000n;
const ONES = 0xffff_ffff_ffff_ffffn;
const BOX = 0xffff_ffff_0000_0000n;
const NV = 16, DZ = 8, NX = 1;

/** Instruction, up to three operands, rounding mode, result, flags. */
const VECTORS: readonly [string, bigint[], number, bigint, number][] = [
  ["fadd.d", [ONE, TWO], 0, THREE, 0],
  ["fadd.d", [ONE, 1n], 3, ONE + 1n, NX],
  ["fsub.d", [ONE, TWO], 0, SIGN | ONE, 0],
  ["fsub.d", [ONE, ONE], 2, SIGN, 0],
  ["fmul.d", [TWO, SIGN | ONE], 0, SIGN | TWO, 0],
  ["fmul.d", [INFINITY, 0n], 0, NAN, NV],
  ["fdiv.d", [ONE, SIGN], 0, SIGN | INFINITY, DZ],
  ["fdiv.d", [ONE, THREE], 0, 0x3fd5_5555_5555_5555n, NX],
  ["fdiv.d", [ONE, THREE], 3, 0x3fd5_5555_5555_5556n, NX],
  ["fsqrt.d", [0x4010_0000_0000_0000n], 0, TWO, 0],
  ["fsqrt.d", [SIGN], 0, SIGN, 0],
  ["fmin.d", [0n, SIGN], 0, SIGN, 0],
  ["fmax.d", [SIGN, 0n], 0, 0n, 0],
  ["fmax.d", [SIGNALLING, NAN], 0, NAN, NV],
  ["fmadd.d", [TWO, TWO, SIGN | ONE], 0, THREE, 0],
  ["fmadd.d", [INFINITY, 0n, NAN], 0, NAN, NV],
  ["fmsub.d", [TWO, TWO, ONE], 0, THREE, 0],
  ["fnmsub.d", [TWO, TWO, ONE], 0, SIGN | THREE, 0],
  ["fnmadd.d", [TWO, ONE, ONE], 0, SIGN | THREE, 0],
  ["fnmadd.d", [ONE, ONE, SIGN | ONE], 0, 0n, 0],
  ["fsgnj.d", [ONE, SIGN], 0, SIGN | ONE, 0],
  ["fsgnjn.d", [SIGNALLING, 0n], 0, SIGN | SIGNALLING, 0],
  ["fsgnjx.d", [SIGN | ONE, SIGN], 0, ONE, 0],
  ["feq.d", [0n, SIGN], 0, 1n, 0],
  ["feq.d", [SIGNALLING, ONE], 0, 0n, NV],
  ["flt.d", [ONE, TWO], 0, 1n, 0],
  ["fle.d", [TWO, ONE], 0, 0n, 0],
  ["fle.d", [ONE, NAN], 0, 0n, NV],
  ["fclass.d", [INFINITY], 0, 0x80n, 0],
  ["fclass.d", [1n], 0, 0x20n, 0],
  ["fcvt.w.d", [SIGN | 0x4004_0000_0000_0000n], 2, 0xffff_ffff_ffff_fffdn, NX],
  ["fcvt.w.d", [0x41e0_0000_0000_0000n], 0, 0x7fff_ffffn, NV],
  ["fcvt.wu.d", [0x41ef_ffff_ffe0_0000n], 0, ONES, 0],
  ["fcvt.wu.d", [0x41f0_0000_0000_0000n], 0, ONES, NV],
  ["fcvt.l.d", [SIGN | 0x43e0_0000_0000_0000n], 0, SIGN, 0],
  ["fcvt.l.d", [NAN], 0, 0x7fff_ffff_ffff_ffffn, NV],
  ["fcvt.lu.d", [0x43e0_0000_0000_0000n], 0, SIGN, 0],
  ["fcvt.lu.d", [SIGN | ONE], 0, 0n, NV],
  ["fcvt.d.w", [0xdead_ffff_ffffn], 0, SIGN | ONE, 0],
  ["fcvt.d.wu", [0xdead_ffff_ffffn], 0, 0x41ef_ffff_ffe0_0000n, 0],
  ["fcvt.d.l", [ONES], 0, SIGN | ONE, 0],
  ["fcvt.d.lu", [ONES], 0, 0x43f0_0000_0000_0000n, NX],
  ["fcvt.d.lu", [ONES], 1, 0x43ef_ffff_ffff_ffffn, NX],
  ["fcvt.s.d", [ONE], 0, BOX | 0x3f80_0000n, 0],
  ["fcvt.s.d", [ONE + 1n], 3, BOX | 0x3f80_0001n, NX],
  ["fcvt.d.s", [BOX | 0xbf80_0000n], 0, SIGN | ONE, 0],
  ["fcvt.d.s", [0x3f80_0000n], 0, NAN, 0],
  ["fcvt.d.s", [BOX | 0x7f80_0001n], 0, NAN, NV],
  ["fmv.x.d", [SIGNALLING], 0, SIGNALLING, 0],
  ["fmv.d.x", [SIGNALLING], 0, SIGNALLING, 0],
];

Deno.test("double-precision instructions give the manual's results and flags", () => {
  for (const [name, [a, b, c], mode, value, flags] of VECTORS) {
    assertEquals(
      computeFloat(name, a, b, c, mode),
      { value, flags },
      `${name} ${a.toString(16)} mode ${mode}`,
    );
  }
});

Deno.test("fld and fsd move all 64 bits", () => {
  const hart = new TestHart();
  hart.setX(1, MEMORY + 8n);
  hart.setF(2, 0x1234_5678_9abc_def0n);
  hart.execute("fsd", { rs1: 1, rs2: 2, bits: 8 << 7 });
  hart.execute("fld", { rd: 0, rs1: 1, bits: 8 << 20 });
  assertEquals([hart.f(0), hart.events], [0x1234_5678_9abc_def0n, ["dirty"]]);
});

Deno.test("with the FPU off every FP instruction is illegal and changes nothing", () => {
  for (const name in { ...FLOAT_SINGLE, ...FLOAT_DOUBLE }) {
    const hart = new TestHart();
    hart.fpOn = false;
    hart.setX(1, MEMORY);
    hart.execute(name, { rd: 3, rs1: 1 });
    assertEquals([hart.events, hart.x(3), hart.f(3), hart.flags], [["illegal"], 0n, 0n, 0], name);
  }
});

Deno.test("what may write an FP register or raise a flag marks the FPU dirty, whether or not it does", () => {
  const clean = new Set(["fsw", "fsd", "fmv.x.w", "fmv.x.d", "fclass.s", "fclass.d"]);
  for (const name in { ...FLOAT_SINGLE, ...FLOAT_DOUBLE }) {
    const hart = new TestHart();
    hart.setX(1, MEMORY);
    hart.execute(name, { rd: 3, rs1: 1 });
    assertEquals(hart.events, clean.has(name) ? [] : ["dirty"], name);
  }
});

Deno.test("every instruction with a rounding mode refuses a reserved one", () => {
  for (const name in { ...FLOAT_SINGLE, ...FLOAT_DOUBLE }) {
    if (!INSTRUCTIONS[idOf(name)][2].endsWith("rm")) continue;
    const hart = new TestHart();
    hart.execute(name, { rd: 3, bits: 5 << 12 });
    assertEquals(hart.events, ["illegal"], name);
  }
});
