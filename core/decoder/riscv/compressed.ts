/**
 * From a 16-bit compressed instruction to the 32-bit instruction it stands for, so that nothing else needs
 * to know of compression. RV64C with D: the quadrant listings of the manual's chapter on "C".
 *
 * A row draws the bits as the manual does. Letters place operands: `d s t` are rd, rs1, rs2 (`x` is rd and
 * rs1), five bits wide or, three bits wide, the registers x8 to x15; `i` is an immediate whose bits are
 * listed as in the manual, `-` before them where the first is its sign. The first row that matches counts,
 * and rows that expand to nothing draw what is reserved. Hints expand to instructions without effect.
 */
import { type FixedBits, fixedBits, idOf, INSTRUCTIONS } from "./encodings.ts";

/** Name, drawn bits, what it expands to, bits of the immediate, operands that are always the same. */
export type CompressedRow = readonly [
  name: string,
  bits: string,
  expansion?: string,
  immediate?: string,
  implied?: number,
];

const RD_RA = 1 << 7;
const RD_SP = 2 << 7;
const RS1_SP = 2 << 15;

/** The compressed instructions. */
export const COMPRESSED: readonly CompressedRow[] = [
  // Quadrant 0
  ["reserved", "000 00000000 ... 00"],
  ["c.addi4spn", "000 iiiiiiii ddd 00", "addi", "5:4|9:6|2|3", RS1_SP],
  ["c.fld", "001 iii sss ii ddd 00", "fld", "5:3|7:6"],
  ["c.lw", "010 iii sss ii ddd 00", "lw", "5:3|2|6"],
  ["c.ld", "011 iii sss ii ddd 00", "ld", "5:3|7:6"],
  ["c.fsd", "101 iii sss ii ttt 00", "fsd", "5:3|7:6"],
  ["c.sw", "110 iii sss ii ttt 00", "sw", "5:3|2|6"],
  ["c.sd", "111 iii sss ii ttt 00", "sd", "5:3|7:6"],
  // Quadrant 1
  ["c.addi", "000 i xxxxx iiiii 01", "addi", "-5|4:0"],
  ["reserved", "001 . 00000 ..... 01"],
  ["c.addiw", "001 i xxxxx iiiii 01", "addiw", "-5|4:0"],
  ["c.li", "010 i ddddd iiiii 01", "addi", "-5|4:0"],
  ["reserved", "011 0 ..... 00000 01"],
  ["c.addi16sp", "011 i 00010 iiiii 01", "addi", "-9|4|6|8:7|5", RD_SP | RS1_SP],
  ["c.lui", "011 i ddddd iiiii 01", "lui", "-17|16:12"],
  ["c.srli", "100 i 00 xxx iiiii 01", "srli", "5|4:0"],
  ["c.srai", "100 i 01 xxx iiiii 01", "srai", "5|4:0"],
  ["c.andi", "100 i 10 xxx iiiii 01", "andi", "-5|4:0"],
  ["c.sub", "100 0 11 xxx 00 ttt 01", "sub"],
  ["c.xor", "100 0 11 xxx 01 ttt 01", "xor"],
  ["c.or", "100 0 11 xxx 10 ttt 01", "or"],
  ["c.and", "100 0 11 xxx 11 ttt 01", "and"],
  ["c.subw", "100 1 11 xxx 00 ttt 01", "subw"],
  ["c.addw", "100 1 11 xxx 01 ttt 01", "addw"],
  ["c.j", "101 iiiiiiiiiii 01", "jal", "-11|4|9:8|10|6|7|3:1|5"],
  ["c.beqz", "110 iii sss iiiii 01", "beq", "-8|4:3|7:6|2:1|5"],
  ["c.bnez", "111 iii sss iiiii 01", "bne", "-8|4:3|7:6|2:1|5"],
  // Quadrant 2
  ["c.slli", "000 i xxxxx iiiii 10", "slli", "5|4:0"],
  ["c.fldsp", "001 i ddddd iiiii 10", "fld", "5|4:3|8:6", RS1_SP],
  ["reserved", "010 . 00000 ..... 10"],
  ["c.lwsp", "010 i ddddd iiiii 10", "lw", "5|4:2|7:6", RS1_SP],
  ["reserved", "011 . 00000 ..... 10"],
  ["c.ldsp", "011 i ddddd iiiii 10", "ld", "5|4:3|8:6", RS1_SP],
  ["reserved", "100 0 00000 00000 10"],
  ["c.jr", "100 0 sssss 00000 10", "jalr"],
  ["c.mv", "100 0 ddddd ttttt 10", "add"],
  ["c.ebreak", "100 1 00000 00000 10", "ebreak"],
  ["c.jalr", "100 1 sssss 00000 10", "jalr", "", RD_RA],
  ["c.add", "100 1 xxxxx ttttt 10", "add"],
  ["c.fsdsp", "101 iiiiii ttttt 10", "fsd", "5:3|8:6", RS1_SP],
  ["c.swsp", "110 iiiiii ttttt 10", "sw", "5:2|7:6", RS1_SP],
  ["c.sdsp", "111 iiiiii ttttt 10", "sd", "5:3|8:6", RS1_SP],
];

/** Where a register operand goes in the 32-bit word; `x` goes to two places. */
const REGISTER: Readonly<Record<string, number>> = {
  d: 1 << 7,
  s: 1 << 15,
  t: 1 << 20,
  x: 1 << 7 | 1 << 15,
};

/** How each operand of the 32-bit rows encodes an immediate: the inverses of decode.ts's extractors. */
const ENCODE: Readonly<Record<string, (imm: number) => number>> = {
  immI: (imm) => imm << 20,
  immS: (imm) => (imm >> 5) << 25 | (imm & 31) << 7,
  immB: (imm) => (imm >> 12) << 31 | (imm & 0x7e0) << 20 | (imm & 0x1e) << 7 | (imm & 0x800) >> 4,
  immU: (imm) => imm & ~0xfff,
  immJ: (imm) => (imm >> 20) << 31 | (imm & 0x7fe) << 20 | (imm & 0x800) << 9 | (imm & 0xff000),
  shamt6: (imm) => imm << 20,
};

/** The name of the immediate in an operand list. */
function immediateOf(operands: string): string {
  if (operands.endsWith("s2 mem")) return "immS";
  return operands.replace("mem", "immI").split(" ").at(-1)!;
}

/** The bits that a list such as "-5|4:0" names, in order: each as what it adds to the immediate. */
function immediateBits(list: string): number[] {
  const weights: number[] = [];
  for (const range of list.replace("-", "").split("|")) {
    const [high, low = high] = range.split(":").map(Number);
    for (let bit = high; bit >= low; bit--) weights.push(1 << bit);
  }
  if (list.startsWith("-")) weights[0] = -weights[0];
  return weights;
}

/** A row as it is used. */
interface Expansion extends FixedBits {
  /** The word for all operand bits clear; 0 where that is reserved. */
  readonly base: number;
  /** What each bit of the halfword adds to it: every operand bit sets bits of the word that no other one sets. */
  readonly spread: Int32Array;
}

function compile([, bits, expansion, immediate = "", implied = 0]: CompressedRow): Expansion {
  const fixed = fixedBits(bits), spread = new Int32Array(16);
  if (expansion === undefined) return { ...fixed, base: 0, spread };
  const [, target, operands] = INSTRUCTIONS[idOf(expansion)];
  const encode = ENCODE[immediateOf(operands)];
  const weights = immediateBits(immediate);
  const drawing = bits.replaceAll(" ", "");
  let base = fixedBits(target).match | implied;
  for (const letter in REGISTER) {
    const first = drawing.indexOf(letter);
    const width = drawing.lastIndexOf(letter) - first + 1;
    if (width === 3) base |= REGISTER[letter] << 3; // the 8 of x8 to x15
    for (let i = 0; first >= 0 && i < width; i++) {
      spread[15 - first - i] = REGISTER[letter] << width - 1 - i;
    }
  }
  for (let i = 0, place = 0; i < 16; i++) {
    if (drawing[i] === "i") spread[15 - i] = encode(weights[place++]);
  }
  return { ...fixed, base, spread };
}

// All rows draw their quadrant (two low bits) and their three high bits: those that share them make up a group. A
// program uses few of the groups, so each is compiled when it is first wanted.
const groups: (readonly Expansion[] | undefined)[] = new Array(1 << 5).fill(undefined);

function compileGroup(high: number, quadrant: number): readonly Expansion[] {
  const first = high.toString(2).padStart(3, "0"), last = quadrant.toString(2).padStart(2, "0");
  return COMPRESSED.filter(([, bits]) => bits.startsWith(first) && bits.endsWith(last)).map(compile);
}

function expandFirst(halfword: number): number {
  const high = halfword >> 13, quadrant = halfword & 3;
  const group = groups[high << 2 | quadrant] ??= compileGroup(high, quadrant);
  const row = group.find(({ mask, match }) => (halfword & mask) === match);
  if (row === undefined) return 0;
  let insn = row.base;
  for (let bits = halfword & ~row.mask; bits !== 0; bits &= bits - 1) {
    insn |= row.spread[31 - Math.clz32(bits & -bits)];
  }
  return insn;
}

/** Expansions found so far; 0 also where there is none. A program uses few of the 2^16 halfwords. */
const expansions = new Int32Array(1 << 16);

/** The 32-bit instruction that a compressed one stands for; 0 when it is illegal or reserved. */
export function expand(halfword: number): number {
  return expansions[halfword] || (expansions[halfword] = expandFirst(halfword));
}
