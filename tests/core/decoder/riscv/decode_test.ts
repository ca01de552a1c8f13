import { assert, assertEquals, assertThrows } from "@std/assert";
import * as fields from "../../../../core/decoder/riscv/decode.ts";
import { decode } from "../../../../core/decoder/riscv/decode.ts";
import {
  fixedBits,
  I_ILLEGAL,
  idOf,
  indexById,
  INSTRUCTIONS,
} from "../../../../core/decoder/riscv/encodings.ts";

const nameOf = (insn: number): string => INSTRUCTIONS[decode(insn)][0];

/** Words as binutils assembles them. */
const WORDS: readonly [number, string][] = [
  [0x12345537, "lui"],
  [0x12345517, "auipc"],
  [0xff5ff0ef, "jal"],
  [0xffc58067, "jalr"],
  [0xfeb50ee3, "beq"],
  [0x00c5b503, "ld"],
  [0xfea5bc23, "sd"],
  [0x03f59513, "slli"],
  [0x01f5951b, "slliw"],
  [0x00c58533, "add"],
  [0x40c58533, "sub"],
  [0x02c5b533, "mulhu"],
  [0x0ff0000f, "fence"],
  [0x8330000f, "fence"],
  [0x0100000f, "pause"],
  [0x0000100f, "fence.i"],
  [0x00000073, "ecall"],
  [0x00100073, "ebreak"],
  [0x30200073, "mret"],
  [0x10200073, "sret"],
  [0x10500073, "wfi"],
  [0x12b50073, "sfence.vma"],
  [0x16b50073, "sinval.vma"],
  [0x18000073, "sfence.w.inval"],
  [0x18100073, "sfence.inval.ir"],
  [0x300592f3, "csrrw"],
  [0x1005a52f, "lr.w"],
  [0x06c5b52f, "amoadd.d"],
  [0x6ac5f543, "fmadd.d"],
  [0x02c5f553, "fadd.d"],
  [0xc0359553, "fcvt.lu.s"],
  [0x0805c53b, "zext.h"],
  [0x6b85d513, "rev8"],
  [0x2875d513, "orc.b"],
  [0x60259513, "cpop"],
  [0x6025951b, "cpopw"],
];

Deno.test("words of an assembler decode to their instructions", () => {
  for (const [word, name] of WORDS) assertEquals(nameOf(word), name, word.toString(16));
});

Deno.test("every row decodes to itself whatever its operand bits are", () => {
  let random = 1;
  for (let id = 1; id < INSTRUCTIONS.length; id++) {
    const [name, bits] = INSTRUCTIONS[id];
    const { mask, match } = fixedBits(bits);
    for (let i = 0; i < 64; i++) {
      random = Math.imul(random, 1664525) + 1013904223 | 0;
      const word = match | random & ~mask;
      if (word !== 0x0100000f) assertEquals(nameOf(word), name, word.toString(16));
    }
  }
});

Deno.test("decoding finds the first row that matches, for words that are nearly instructions too", () => {
  const patterns = INSTRUCTIONS.map(([, bits]) => fixedBits(bits));
  let random = 7;
  for (let id = 1; id < INSTRUCTIONS.length; id++) {
    for (let bit = 0; bit < 32; bit++) {
      random = Math.imul(random, 1664525) + 1013904223 | 0;
      const word = (patterns[id].match | random & ~patterns[id].mask) ^ 1 << bit;
      const first = patterns.findIndex(({ mask, match }, i) => i > 0 && (word & mask) === match);
      assertEquals(decode(word), Math.max(first, I_ILLEGAL), word.toString(16));
    }
  }
});

Deno.test("every combination of opcode, funct3 and funct7 has its chain", () => {
  const patterns = INSTRUCTIONS.map(([, bits]) => fixedBits(bits));
  for (let index = 0; index < 1 << 15; index++) {
    const word = index >> 8 << 25 | (index >> 5 & 7) << 12 | (index & 31) << 2 | 3;
    const first = patterns.findIndex(({ mask, match }, i) => i > 0 && (word & mask) === match);
    assertEquals(decode(word), Math.max(first, I_ILLEGAL), word.toString(16));
  }
});

Deno.test("what is no instruction of ours is illegal", () => {
  const words = [
    0,
    0xffffffff | 0,
    0x0000_1067, // jalr with funct3 1
    0x0200_151b, // slliw by 32
    0x1015_a52f, // lr.w with rs2
    0x6065_9513, // between sext.h and nothing
    0x0815_c53b, // packw
    0x1020_0073 ^ 1 << 7, // sret with rd
    0x0005_a057, // a vector instruction
    0x0220_f053 | 3 << 25, // fadd.q
  ];
  for (const word of words) assertEquals(decode(word), I_ILLEGAL, (word >>> 0).toString(16));
});

Deno.test("extractors give the operands an assembler put in", () => {
  assertEquals(fields.immI(0xfff5_8513 | 0), -1);
  assertEquals(fields.immI(0x7ff5_8513), 2047);
  assertEquals(fields.immS(0xfea5_bc23 | 0), -8); // sd a0, -8(a1)
  assertEquals(fields.immS(0x7ea5_bfa3), 2047);
  assertEquals(fields.immB(0xfeb5_0ee3 | 0), -4); // beq a0, a1, .-4
  assertEquals(fields.immB(0x7eb5_0fe3), 4094);
  assertEquals(fields.immB(0x80b5_0063 | 0), -4096);
  assertEquals(fields.immU(0x8000_0537 | 0), -0x8000_0000);
  assertEquals(fields.immJ(0xff5f_f0ef | 0), -12); // jal .-12
  assertEquals(fields.immJ(0x7fff_f06f), 0xffffe);
  assertEquals(fields.immJ(0x8000_006f | 0), -0x100000);
  assertEquals(fields.shamt6(0x03f5_9513), 63);
  assertEquals(fields.shamt5(0x01f5_951b), 31);
  assertEquals(fields.csr(0x3005_92f3), 0x300);
  assertEquals(fields.uimm(0x300f_d2f3), 31);
  const fmadd = 0x6ac5_f543; // fmadd.d fa0, fa1, fa2, fa3
  assertEquals(
    [fields.rd(fmadd), fields.rs1(fmadd), fields.rs2(fmadd), fields.rs3(fmadd), fields.rm(fmadd)],
    [
      10,
      11,
      12,
      13,
      7,
    ],
  );
});

Deno.test("rows are well drawn: 32 bits, known operands, names that are unique", () => {
  const operands = new Set(
    "rd rs1 rs2 fd fs1 fs2 fs3 rm mem (rs1) immI immB immU immJ shamt6 shamt5 csr uimm".split(" "),
  );
  for (const [name, bits, list] of INSTRUCTIONS) {
    assert(/^[01.]{7} [01.]{5} [01.]{5} [01.]{3} [01.]{5} [01.]{7}$/.test(bits), name);
    for (const operand of list.split(" ")) {
      assert(operand === "" || operands.has(operand), `${name} ${operand}`);
    }
  }
  assertEquals(new Set(INSTRUCTIONS.map(([name]) => name)).size, INSTRUCTIONS.length);
});

Deno.test("tables keyed by name become tables indexed by id", () => {
  const table = indexById({ add: 1, "fence.i": 2 }, 0);
  assertEquals([table[idOf("add")], table[idOf("fence.i")], table[idOf("sub")]], [1, 2, 0]);
  assertThrows(() => indexById({ addd: 1 }, 0), RangeError, 'No instruction is named "addd"');
});
