import { assertEquals } from "@std/assert";
import { compute, MEMORY, TestHart } from "./test_hart.ts";

const MIN = 0x8000_0000_0000_0000n;
const MAX = 0x7fff_ffff_ffff_ffffn;
const ONES = 0xffff_ffff_ffff_ffffn;

const REGISTERS: readonly [string, bigint, bigint, bigint][] = [
  ["add", 0xffff_ffffn, 1n, 0x1_0000_0000n],
  ["add", ONES, 1n, 0n],
  ["sub", 0x1_0000_0000n, 1n, 0xffff_ffffn],
  ["sub", 0n, 1n, ONES],
  ["slt", MIN, MAX, 1n],
  ["slt", 0xffff_ffffn, 1n, 0n],
  ["slt", 5n, 5n, 0n],
  ["sltu", MIN, MAX, 0n],
  ["sltu", 1n, 0xffff_ffffn, 1n],
  ["and", 0xff00_ff00_ff00_ff00n, 0x0ff0_0ff0_0ff0_0ff0n, 0x0f00_0f00_0f00_0f00n],
  ["or", 0xf0n << 56n, 0x0fn, 0xf000_0000_0000_000fn],
  ["xor", ONES, 0xffff_0000n, 0xffff_ffff_0000_ffffn],
  ["sll", 1n, 63n, MIN],
  ["sll", 0x8000_0001n, 1n, 0x1_0000_0002n],
  ["sll", 3n, 64n, 3n],
  ["sll", 3n, 32n, 0x3_0000_0000n],
  ["srl", MIN, 63n, 1n],
  ["srl", 0x1_8000_0000n, 1n, 0xc000_0000n],
  ["srl", MIN, 32n, 0x8000_0000n],
  ["sra", MIN, 63n, ONES],
  ["sra", MIN, 4n, 0xf800_0000_0000_0000n],
  ["sra", MIN, 32n, 0xffff_ffff_8000_0000n],
  ["sra", MIN, 64n, MIN],
  ["addw", 0x7fff_ffffn, 1n, 0xffff_ffff_8000_0000n],
  ["addw", 0xdead_0000_0001n, 1n, 2n],
  ["subw", 0n, 1n, ONES],
  ["sllw", 1n, 31n, 0xffff_ffff_8000_0000n],
  ["sllw", 1n, 32n, 1n],
  ["srlw", 0xdead_8000_0000n, 31n, 1n],
  ["srlw", 0x8000_0000n, 32n, 0xffff_ffff_8000_0000n],
  ["sraw", 0x8000_0000n, 31n, ONES],
  ["sraw", 0x1_4000_0000n, 1n, 0x2000_0000n],
];

const IMMEDIATES: readonly [string, bigint, number, bigint][] = [
  ["addi", 0n, -1, ONES],
  ["addi", 0xffff_ffffn, 1, 0x1_0000_0000n],
  ["addi", 0x1_0000_0000n, -1, 0xffff_ffffn],
  ["slti", ONES, 0, 1n],
  ["slti", 0n, -1, 0n],
  ["slti", 0xffff_ffff_ffff_fffen, -1, 1n],
  ["sltiu", 5n, -1, 1n],
  ["sltiu", ONES, -1, 0n],
  ["sltiu", 0n, 1, 1n],
  ["andi", ONES, -16, 0xffff_ffff_ffff_fff0n],
  ["ori", 1n, -2048, 0xffff_ffff_ffff_f801n],
  ["xori", ONES, -1, 0n],
  ["slli", 1n, 63, MIN],
  ["slli", 0xffff_ffffn, 4, 0xf_ffff_fff0n],
  ["srli", MIN, 62, 2n],
  ["srli", 5n, 0, 5n],
  ["srai", MIN, 62, 0xffff_ffff_ffff_fffen],
  ["srai", 0x4000_0000_0000_0000n, 40, 0x40_0000n],
  ["addiw", 0x7fff_ffffn, 1, 0xffff_ffff_8000_0000n],
  ["addiw", 0x1_ffff_ffffn, 0, ONES],
  ["slliw", 0xffn, 24, 0xffff_ffff_ff00_0000n],
  ["srliw", 0xffff_ffff_8000_0000n, 4, 0x0800_0000n],
  ["srliw", 0x8000_0000n, 0, 0xffff_ffff_8000_0000n],
  ["sraiw", 0x8000_0000n, 4, 0xffff_ffff_f800_0000n],
];

Deno.test("integer computation on registers gives the manual's results", () => {
  for (const [name, a, b, expected] of REGISTERS) {
    assertEquals(compute(name, a, b), expected, `${name} ${a} ${b}`);
  }
});

Deno.test("integer computation with immediates gives the manual's results", () => {
  for (const [name, a, imm, expected] of IMMEDIATES) {
    assertEquals(compute(name, a, 0n, imm << 20), expected, `${name} ${a} ${imm}`);
  }
});

Deno.test("lui and auipc sign-extend their immediate", () => {
  const hart = new TestHart();
  hart.pc = 0x8000_1000n;
  hart.execute("lui", { rd: 1, bits: 0x8000_0000 | 0 });
  assertEquals(hart.x(1), 0xffff_ffff_8000_0000n);
  hart.execute("auipc", { rd: 1, bits: 0xffff_f000 | 0 });
  assertEquals(hart.x(1), 0x8000_0000n);
  hart.execute("auipc", { rd: 1, bits: 0x7fff_f000 });
  assertEquals(hart.x(1), 0x1_0000_0000n);
});

Deno.test("x0 stays zero", () => {
  const hart = new TestHart();
  hart.execute("addi", { rd: 0, rs1: 0, bits: 1 << 20 });
  hart.execute("jal", { rd: 0 });
  assertEquals(hart.x(0), 0n);
});

Deno.test("jal links to the following instruction, compressed or not, and jumps across 4 GiB", () => {
  const hart = new TestHart();
  hart.pc = 0xffff_fffen;
  hart.execute("jal", { rd: 1, bits: 4 << 20 }, 2);
  assertEquals([hart.x(1), hart.next], [0x1_0000_0000n, 0x1_0000_0002n]);
  hart.pc = 0x1_0000_0000n;
  hart.execute("jal", { rd: 1, bits: 0xffdff << 12 }); // -4
  assertEquals([hart.x(1), hart.next], [0x1_0000_0004n, 0xffff_fffcn]);
});

Deno.test("jalr clears the target's bit 0 and reads its base before it links", () => {
  const hart = new TestHart();
  hart.pc = 0x1000n;
  hart.setX(1, 0xffff_ffff_8000_0000n);
  hart.execute("jalr", { rd: 1, rs1: 1, bits: -1 << 20 });
  assertEquals([hart.x(1), hart.next], [0x1004n, 0xffff_ffff_7fff_fffen]);
});

Deno.test("branches compare all 64 bits", () => {
  const taken: [string, bigint, bigint, boolean][] = [
    ["beq", 1n, 1n, true],
    ["beq", 1n, 0x1_0000_0001n, false],
    ["bne", 1n, 0x1_0000_0001n, true],
    ["bne", 1n, 1n, false],
    ["blt", MIN, 0n, true],
    ["blt", 0n, 0n, false],
    ["bge", 0n, MIN, true],
    ["bge", 0n, 0n, true],
    ["bge", 0n, 1n, false],
    ["bltu", 1n, 0x8000_0000n, true],
    ["bltu", MIN, 0n, false],
    ["bgeu", MIN, MAX, true],
    ["bgeu", 0n, 1n, false],
  ];
  for (const [name, a, b, isTaken] of taken) {
    const hart = new TestHart();
    hart.pc = 0x2000n;
    hart.setX(1, a);
    hart.setX(2, b);
    hart.execute(name, { rs1: 1, rs2: 2, bits: 0xfe00_0e80 | 0 }); // -4
    assertEquals(hart.next, isTaken ? 0x1ffcn : 0x2004n, `${name} ${a} ${b}`);
  }
});

Deno.test("loads extend by their sign or by zeros", () => {
  const hart = new TestHart();
  hart.memory.setBigUint64(16, 0x89ab_cdef_8182_8384n, true);
  hart.setX(1, MEMORY + 32n);
  const loads: [string, bigint][] = [
    ["lb", 0xffff_ffff_ffff_ff84n],
    ["lbu", 0x84n],
    ["lh", 0xffff_ffff_ffff_8384n],
    ["lhu", 0x8384n],
    ["lw", 0xffff_ffff_8182_8384n],
    ["lwu", 0x8182_8384n],
    ["ld", 0x89ab_cdef_8182_8384n],
  ];
  for (const [name, expected] of loads) {
    hart.execute(name, { rd: 2, rs1: 1, bits: -16 << 20 });
    assertEquals(hart.x(2), expected, name);
  }
});

Deno.test("stores write their low bytes only", () => {
  for (const [name, size] of [["sb", 1], ["sh", 2], ["sw", 4], ["sd", 8]] as const) {
    const hart = new TestHart();
    hart.setX(1, MEMORY + 16n);
    hart.setX(2, 0x8877_6655_4433_2211n);
    hart.execute(name, { rs1: 1, rs2: 2, bits: 0xfe00_0c00 | 0 }); // -8
    assertEquals(hart.memory.getBigUint64(8, true), BigInt.asUintN(8 * size, 0x8877_6655_4433_2211n), name);
  }
});

Deno.test("a load that traps leaves its destination as it was", () => {
  for (const name of ["lb", "lbu", "lh", "lhu", "lw", "lwu", "ld"]) {
    const hart = new TestHart();
    hart.setX(2, 7n);
    hart.execute(name, { rd: 2, rs1: 1 });
    assertEquals([hart.x(2), hart.events], [7n, ["fault"]], name);
  }
});
