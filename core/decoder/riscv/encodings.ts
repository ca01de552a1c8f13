/**
 * Every 32-bit instruction of the RV64 we run, once: its name, its bits as the manual draws them (a dot
 * is an operand bit) and its operands in assembler order. Decoder, interpreter, translator and tests are
 * built from these rows; adding an instruction starts with adding one here.
 *
 * An instruction's id is its index. Where two rows match, the first one counts. Row 0 stands for all
 * words that no other row matches, so a table indexed by id has an entry for illegal instructions too.
 *
 * Operands: `rd rs1 rs2` are integer registers, `fd fs1 fs2 fs3` FP ones in the same bits; the others are
 * named as the extractors of `decode.ts`. `mem` is `immI(rs1)` or, after a register to store, `immS(rs1)`.
 *
 * Sources: the RISC-V instruction set manual, volume I (20240411), chapter "RV32/64G Instruction Set
 * Listings", and its chapters on Zba, Zbb, Zbs and Zihintpause; volume II for the privileged instructions.
 */

/** Name, drawn bits, operands. */
export type Row = readonly [name: string, bits: string, operands: string];

const PSEUDO: readonly Row[] = [
  ["illegal", "....... ..... ..... ... ..... .......", ""],
];

const RV32I: readonly Row[] = [
  ["lui", "....... ..... ..... ... ..... 0110111", "rd immU"],
  ["auipc", "....... ..... ..... ... ..... 0010111", "rd immU"],
  ["jal", "....... ..... ..... ... ..... 1101111", "rd immJ"],
  ["jalr", "....... ..... ..... 000 ..... 1100111", "rd mem"],
  ["beq", "....... ..... ..... 000 ..... 1100011", "rs1 rs2 immB"],
  ["bne", "....... ..... ..... 001 ..... 1100011", "rs1 rs2 immB"],
  ["blt", "....... ..... ..... 100 ..... 1100011", "rs1 rs2 immB"],
  ["bge", "....... ..... ..... 101 ..... 1100011", "rs1 rs2 immB"],
  ["bltu", "....... ..... ..... 110 ..... 1100011", "rs1 rs2 immB"],
  ["bgeu", "....... ..... ..... 111 ..... 1100011", "rs1 rs2 immB"],
  ["lb", "....... ..... ..... 000 ..... 0000011", "rd mem"],
  ["lh", "....... ..... ..... 001 ..... 0000011", "rd mem"],
  ["lw", "....... ..... ..... 010 ..... 0000011", "rd mem"],
  ["lbu", "....... ..... ..... 100 ..... 0000011", "rd mem"],
  ["lhu", "....... ..... ..... 101 ..... 0000011", "rd mem"],
  ["sb", "....... ..... ..... 000 ..... 0100011", "rs2 mem"],
  ["sh", "....... ..... ..... 001 ..... 0100011", "rs2 mem"],
  ["sw", "....... ..... ..... 010 ..... 0100011", "rs2 mem"],
  ["addi", "....... ..... ..... 000 ..... 0010011", "rd rs1 immI"],
  ["slti", "....... ..... ..... 010 ..... 0010011", "rd rs1 immI"],
  ["sltiu", "....... ..... ..... 011 ..... 0010011", "rd rs1 immI"],
  ["xori", "....... ..... ..... 100 ..... 0010011", "rd rs1 immI"],
  ["ori", "....... ..... ..... 110 ..... 0010011", "rd rs1 immI"],
  ["andi", "....... ..... ..... 111 ..... 0010011", "rd rs1 immI"],
  ["add", "0000000 ..... ..... 000 ..... 0110011", "rd rs1 rs2"],
  ["sub", "0100000 ..... ..... 000 ..... 0110011", "rd rs1 rs2"],
  ["sll", "0000000 ..... ..... 001 ..... 0110011", "rd rs1 rs2"],
  ["slt", "0000000 ..... ..... 010 ..... 0110011", "rd rs1 rs2"],
  ["sltu", "0000000 ..... ..... 011 ..... 0110011", "rd rs1 rs2"],
  ["xor", "0000000 ..... ..... 100 ..... 0110011", "rd rs1 rs2"],
  ["srl", "0000000 ..... ..... 101 ..... 0110011", "rd rs1 rs2"],
  ["sra", "0100000 ..... ..... 101 ..... 0110011", "rd rs1 rs2"],
  ["or", "0000000 ..... ..... 110 ..... 0110011", "rd rs1 rs2"],
  ["and", "0000000 ..... ..... 111 ..... 0110011", "rd rs1 rs2"],
  // Zihintpause: a fence by its bits, so it stands before it.
  ["pause", "0000000 10000 00000 000 00000 0001111", ""],
  // Reserved fence fields are ignored, as the manual asks.
  ["fence", "....... ..... ..... 000 ..... 0001111", ""],
  ["ecall", "0000000 00000 00000 000 00000 1110011", ""],
  ["ebreak", "0000000 00001 00000 000 00000 1110011", ""],
];

const RV64I: readonly Row[] = [
  ["lwu", "....... ..... ..... 110 ..... 0000011", "rd mem"],
  ["ld", "....... ..... ..... 011 ..... 0000011", "rd mem"],
  ["sd", "....... ..... ..... 011 ..... 0100011", "rs2 mem"],
  ["slli", "000000. ..... ..... 001 ..... 0010011", "rd rs1 shamt6"],
  ["srli", "000000. ..... ..... 101 ..... 0010011", "rd rs1 shamt6"],
  ["srai", "010000. ..... ..... 101 ..... 0010011", "rd rs1 shamt6"],
  ["addiw", "....... ..... ..... 000 ..... 0011011", "rd rs1 immI"],
  ["slliw", "0000000 ..... ..... 001 ..... 0011011", "rd rs1 shamt5"],
  ["srliw", "0000000 ..... ..... 101 ..... 0011011", "rd rs1 shamt5"],
  ["sraiw", "0100000 ..... ..... 101 ..... 0011011", "rd rs1 shamt5"],
  ["addw", "0000000 ..... ..... 000 ..... 0111011", "rd rs1 rs2"],
  ["subw", "0100000 ..... ..... 000 ..... 0111011", "rd rs1 rs2"],
  ["sllw", "0000000 ..... ..... 001 ..... 0111011", "rd rs1 rs2"],
  ["srlw", "0000000 ..... ..... 101 ..... 0111011", "rd rs1 rs2"],
  ["sraw", "0100000 ..... ..... 101 ..... 0111011", "rd rs1 rs2"],
];

const ZIFENCEI: readonly Row[] = [
  ["fence.i", "....... ..... ..... 001 ..... 0001111", ""],
];

const ZICSR: readonly Row[] = [
  ["csrrw", "....... ..... ..... 001 ..... 1110011", "rd csr rs1"],
  ["csrrs", "....... ..... ..... 010 ..... 1110011", "rd csr rs1"],
  ["csrrc", "....... ..... ..... 011 ..... 1110011", "rd csr rs1"],
  ["csrrwi", "....... ..... ..... 101 ..... 1110011", "rd csr uimm"],
  ["csrrsi", "....... ..... ..... 110 ..... 1110011", "rd csr uimm"],
  ["csrrci", "....... ..... ..... 111 ..... 1110011", "rd csr uimm"],
];

const RV32M: readonly Row[] = [
  ["mul", "0000001 ..... ..... 000 ..... 0110011", "rd rs1 rs2"],
  ["mulh", "0000001 ..... ..... 001 ..... 0110011", "rd rs1 rs2"],
  ["mulhsu", "0000001 ..... ..... 010 ..... 0110011", "rd rs1 rs2"],
  ["mulhu", "0000001 ..... ..... 011 ..... 0110011", "rd rs1 rs2"],
  ["div", "0000001 ..... ..... 100 ..... 0110011", "rd rs1 rs2"],
  ["divu", "0000001 ..... ..... 101 ..... 0110011", "rd rs1 rs2"],
  ["rem", "0000001 ..... ..... 110 ..... 0110011", "rd rs1 rs2"],
  ["remu", "0000001 ..... ..... 111 ..... 0110011", "rd rs1 rs2"],
];

const RV64M: readonly Row[] = [
  ["mulw", "0000001 ..... ..... 000 ..... 0111011", "rd rs1 rs2"],
  ["divw", "0000001 ..... ..... 100 ..... 0111011", "rd rs1 rs2"],
  ["divuw", "0000001 ..... ..... 101 ..... 0111011", "rd rs1 rs2"],
  ["remw", "0000001 ..... ..... 110 ..... 0111011", "rd rs1 rs2"],
  ["remuw", "0000001 ..... ..... 111 ..... 0111011", "rd rs1 rs2"],
];

const RV32A: readonly Row[] = [
  ["lr.w", "00010.. 00000 ..... 010 ..... 0101111", "rd (rs1)"],
  ["sc.w", "00011.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
  ["amoswap.w", "00001.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
  ["amoadd.w", "00000.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
  ["amoxor.w", "00100.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
  ["amoand.w", "01100.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
  ["amoor.w", "01000.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
  ["amomin.w", "10000.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
  ["amomax.w", "10100.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
  ["amominu.w", "11000.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
  ["amomaxu.w", "11100.. ..... ..... 010 ..... 0101111", "rd rs2 (rs1)"],
];

const RV64A: readonly Row[] = [
  ["lr.d", "00010.. 00000 ..... 011 ..... 0101111", "rd (rs1)"],
  ["sc.d", "00011.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
  ["amoswap.d", "00001.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
  ["amoadd.d", "00000.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
  ["amoxor.d", "00100.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
  ["amoand.d", "01100.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
  ["amoor.d", "01000.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
  ["amomin.d", "10000.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
  ["amomax.d", "10100.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
  ["amominu.d", "11000.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
  ["amomaxu.d", "11100.. ..... ..... 011 ..... 0101111", "rd rs2 (rs1)"],
];

const RV32F: readonly Row[] = [
  ["flw", "....... ..... ..... 010 ..... 0000111", "fd mem"],
  ["fsw", "....... ..... ..... 010 ..... 0100111", "fs2 mem"],
  ["fmadd.s", ".....00 ..... ..... ... ..... 1000011", "fd fs1 fs2 fs3 rm"],
  ["fmsub.s", ".....00 ..... ..... ... ..... 1000111", "fd fs1 fs2 fs3 rm"],
  ["fnmsub.s", ".....00 ..... ..... ... ..... 1001011", "fd fs1 fs2 fs3 rm"],
  ["fnmadd.s", ".....00 ..... ..... ... ..... 1001111", "fd fs1 fs2 fs3 rm"],
  ["fadd.s", "0000000 ..... ..... ... ..... 1010011", "fd fs1 fs2 rm"],
  ["fsub.s", "0000100 ..... ..... ... ..... 1010011", "fd fs1 fs2 rm"],
  ["fmul.s", "0001000 ..... ..... ... ..... 1010011", "fd fs1 fs2 rm"],
  ["fdiv.s", "0001100 ..... ..... ... ..... 1010011", "fd fs1 fs2 rm"],
  ["fsqrt.s", "0101100 00000 ..... ... ..... 1010011", "fd fs1 rm"],
  ["fsgnj.s", "0010000 ..... ..... 000 ..... 1010011", "fd fs1 fs2"],
  ["fsgnjn.s", "0010000 ..... ..... 001 ..... 1010011", "fd fs1 fs2"],
  ["fsgnjx.s", "0010000 ..... ..... 010 ..... 1010011", "fd fs1 fs2"],
  ["fmin.s", "0010100 ..... ..... 000 ..... 1010011", "fd fs1 fs2"],
  ["fmax.s", "0010100 ..... ..... 001 ..... 1010011", "fd fs1 fs2"],
  ["fcvt.w.s", "1100000 00000 ..... ... ..... 1010011", "rd fs1 rm"],
  ["fcvt.wu.s", "1100000 00001 ..... ... ..... 1010011", "rd fs1 rm"],
  ["fmv.x.w", "1110000 00000 ..... 000 ..... 1010011", "rd fs1"],
  ["feq.s", "1010000 ..... ..... 010 ..... 1010011", "rd fs1 fs2"],
  ["flt.s", "1010000 ..... ..... 001 ..... 1010011", "rd fs1 fs2"],
  ["fle.s", "1010000 ..... ..... 000 ..... 1010011", "rd fs1 fs2"],
  ["fclass.s", "1110000 00000 ..... 001 ..... 1010011", "rd fs1"],
  ["fcvt.s.w", "1101000 00000 ..... ... ..... 1010011", "fd rs1 rm"],
  ["fcvt.s.wu", "1101000 00001 ..... ... ..... 1010011", "fd rs1 rm"],
  ["fmv.w.x", "1111000 00000 ..... 000 ..... 1010011", "fd rs1"],
];

const RV64F: readonly Row[] = [
  ["fcvt.l.s", "1100000 00010 ..... ... ..... 1010011", "rd fs1 rm"],
  ["fcvt.lu.s", "1100000 00011 ..... ... ..... 1010011", "rd fs1 rm"],
  ["fcvt.s.l", "1101000 00010 ..... ... ..... 1010011", "fd rs1 rm"],
  ["fcvt.s.lu", "1101000 00011 ..... ... ..... 1010011", "fd rs1 rm"],
];

const RV32D: readonly Row[] = [
  ["fld", "....... ..... ..... 011 ..... 0000111", "fd mem"],
  ["fsd", "....... ..... ..... 011 ..... 0100111", "fs2 mem"],
  ["fmadd.d", ".....01 ..... ..... ... ..... 1000011", "fd fs1 fs2 fs3 rm"],
  ["fmsub.d", ".....01 ..... ..... ... ..... 1000111", "fd fs1 fs2 fs3 rm"],
  ["fnmsub.d", ".....01 ..... ..... ... ..... 1001011", "fd fs1 fs2 fs3 rm"],
  ["fnmadd.d", ".....01 ..... ..... ... ..... 1001111", "fd fs1 fs2 fs3 rm"],
  ["fadd.d", "0000001 ..... ..... ... ..... 1010011", "fd fs1 fs2 rm"],
  ["fsub.d", "0000101 ..... ..... ... ..... 1010011", "fd fs1 fs2 rm"],
  ["fmul.d", "0001001 ..... ..... ... ..... 1010011", "fd fs1 fs2 rm"],
  ["fdiv.d", "0001101 ..... ..... ... ..... 1010011", "fd fs1 fs2 rm"],
  ["fsqrt.d", "0101101 00000 ..... ... ..... 1010011", "fd fs1 rm"],
  ["fsgnj.d", "0010001 ..... ..... 000 ..... 1010011", "fd fs1 fs2"],
  ["fsgnjn.d", "0010001 ..... ..... 001 ..... 1010011", "fd fs1 fs2"],
  ["fsgnjx.d", "0010001 ..... ..... 010 ..... 1010011", "fd fs1 fs2"],
  ["fmin.d", "0010101 ..... ..... 000 ..... 1010011", "fd fs1 fs2"],
  ["fmax.d", "0010101 ..... ..... 001 ..... 1010011", "fd fs1 fs2"],
  ["fcvt.s.d", "0100000 00001 ..... ... ..... 1010011", "fd fs1 rm"],
  ["fcvt.d.s", "0100001 00000 ..... ... ..... 1010011", "fd fs1 rm"],
  ["feq.d", "1010001 ..... ..... 010 ..... 1010011", "rd fs1 fs2"],
  ["flt.d", "1010001 ..... ..... 001 ..... 1010011", "rd fs1 fs2"],
  ["fle.d", "1010001 ..... ..... 000 ..... 1010011", "rd fs1 fs2"],
  ["fclass.d", "1110001 00000 ..... 001 ..... 1010011", "rd fs1"],
  ["fcvt.w.d", "1100001 00000 ..... ... ..... 1010011", "rd fs1 rm"],
  ["fcvt.wu.d", "1100001 00001 ..... ... ..... 1010011", "rd fs1 rm"],
  ["fcvt.d.w", "1101001 00000 ..... ... ..... 1010011", "fd rs1 rm"],
  ["fcvt.d.wu", "1101001 00001 ..... ... ..... 1010011", "fd rs1 rm"],
];

const RV64D: readonly Row[] = [
  ["fcvt.l.d", "1100001 00010 ..... ... ..... 1010011", "rd fs1 rm"],
  ["fcvt.lu.d", "1100001 00011 ..... ... ..... 1010011", "rd fs1 rm"],
  ["fmv.x.d", "1110001 00000 ..... 000 ..... 1010011", "rd fs1"],
  ["fcvt.d.l", "1101001 00010 ..... ... ..... 1010011", "fd rs1 rm"],
  ["fcvt.d.lu", "1101001 00011 ..... ... ..... 1010011", "fd rs1 rm"],
  ["fmv.d.x", "1111001 00000 ..... 000 ..... 1010011", "fd rs1"],
];

const ZBA: readonly Row[] = [
  ["add.uw", "0000100 ..... ..... 000 ..... 0111011", "rd rs1 rs2"],
  ["sh1add", "0010000 ..... ..... 010 ..... 0110011", "rd rs1 rs2"],
  ["sh1add.uw", "0010000 ..... ..... 010 ..... 0111011", "rd rs1 rs2"],
  ["sh2add", "0010000 ..... ..... 100 ..... 0110011", "rd rs1 rs2"],
  ["sh2add.uw", "0010000 ..... ..... 100 ..... 0111011", "rd rs1 rs2"],
  ["sh3add", "0010000 ..... ..... 110 ..... 0110011", "rd rs1 rs2"],
  ["sh3add.uw", "0010000 ..... ..... 110 ..... 0111011", "rd rs1 rs2"],
  ["slli.uw", "000010. ..... ..... 001 ..... 0011011", "rd rs1 shamt6"],
];

const ZBB: readonly Row[] = [
  ["andn", "0100000 ..... ..... 111 ..... 0110011", "rd rs1 rs2"],
  ["orn", "0100000 ..... ..... 110 ..... 0110011", "rd rs1 rs2"],
  ["xnor", "0100000 ..... ..... 100 ..... 0110011", "rd rs1 rs2"],
  ["clz", "0110000 00000 ..... 001 ..... 0010011", "rd rs1"],
  ["clzw", "0110000 00000 ..... 001 ..... 0011011", "rd rs1"],
  ["ctz", "0110000 00001 ..... 001 ..... 0010011", "rd rs1"],
  ["ctzw", "0110000 00001 ..... 001 ..... 0011011", "rd rs1"],
  ["cpop", "0110000 00010 ..... 001 ..... 0010011", "rd rs1"],
  ["cpopw", "0110000 00010 ..... 001 ..... 0011011", "rd rs1"],
  ["max", "0000101 ..... ..... 110 ..... 0110011", "rd rs1 rs2"],
  ["maxu", "0000101 ..... ..... 111 ..... 0110011", "rd rs1 rs2"],
  ["min", "0000101 ..... ..... 100 ..... 0110011", "rd rs1 rs2"],
  ["minu", "0000101 ..... ..... 101 ..... 0110011", "rd rs1 rs2"],
  ["sext.b", "0110000 00100 ..... 001 ..... 0010011", "rd rs1"],
  ["sext.h", "0110000 00101 ..... 001 ..... 0010011", "rd rs1"],
  ["zext.h", "0000100 00000 ..... 100 ..... 0111011", "rd rs1"],
  ["rol", "0110000 ..... ..... 001 ..... 0110011", "rd rs1 rs2"],
  ["rolw", "0110000 ..... ..... 001 ..... 0111011", "rd rs1 rs2"],
  ["ror", "0110000 ..... ..... 101 ..... 0110011", "rd rs1 rs2"],
  ["rori", "011000. ..... ..... 101 ..... 0010011", "rd rs1 shamt6"],
  ["roriw", "0110000 ..... ..... 101 ..... 0011011", "rd rs1 shamt5"],
  ["rorw", "0110000 ..... ..... 101 ..... 0111011", "rd rs1 rs2"],
  ["orc.b", "0010100 00111 ..... 101 ..... 0010011", "rd rs1"],
  ["rev8", "0110101 11000 ..... 101 ..... 0010011", "rd rs1"],
];

const ZBS: readonly Row[] = [
  ["bclr", "0100100 ..... ..... 001 ..... 0110011", "rd rs1 rs2"],
  ["bclri", "010010. ..... ..... 001 ..... 0010011", "rd rs1 shamt6"],
  ["bext", "0100100 ..... ..... 101 ..... 0110011", "rd rs1 rs2"],
  ["bexti", "010010. ..... ..... 101 ..... 0010011", "rd rs1 shamt6"],
  ["binv", "0110100 ..... ..... 001 ..... 0110011", "rd rs1 rs2"],
  ["binvi", "011010. ..... ..... 001 ..... 0010011", "rd rs1 shamt6"],
  ["bset", "0010100 ..... ..... 001 ..... 0110011", "rd rs1 rs2"],
  ["bseti", "001010. ..... ..... 001 ..... 0010011", "rd rs1 shamt6"],
];

const PRIVILEGED: readonly Row[] = [
  ["sret", "0001000 00010 00000 000 00000 1110011", ""],
  ["mret", "0011000 00010 00000 000 00000 1110011", ""],
  ["wfi", "0001000 00101 00000 000 00000 1110011", ""],
  ["sfence.vma", "0001001 ..... ..... 000 00000 1110011", "rs1 rs2"],
];

const SVINVAL: readonly Row[] = [
  ["sinval.vma", "0001011 ..... ..... 000 00000 1110011", "rs1 rs2"],
  ["sfence.w.inval", "0001100 00000 00000 000 00000 1110011", ""],
  ["sfence.inval.ir", "0001100 00001 00000 000 00000 1110011", ""],
];

/** All rows; an instruction's id is its index here. */
export const INSTRUCTIONS: readonly Row[] = [
  PSEUDO,
  RV32I,
  RV64I,
  ZIFENCEI,
  ZICSR,
  RV32M,
  RV64M,
  RV32A,
  RV64A,
  RV32F,
  RV64F,
  RV32D,
  RV64D,
  ZBA,
  ZBB,
  ZBS,
  PRIVILEGED,
  SVINVAL,
].flat();

/** Id of words that are no instruction. */
export const I_ILLEGAL = 0;

const ids = new Map(INSTRUCTIONS.map(([name], id) => [name, id]));

/**
 * The id of an instruction, by name.
 *
 * @throws {RangeError} when no row has that name: a mistake in the program.
 */
export function idOf(name: string): number {
  const id = ids.get(name);
  if (id === undefined) throw new RangeError(`No instruction is named "${name}"`);
  return id;
}

/**
 * Turns things keyed by instruction name into an array indexed by id.
 *
 * @param fallback What ids get that `byName` does not mention.
 * @throws {RangeError} when `byName` has a name that no row has: a mistake in the program.
 */
export function indexById<T>(byName: Readonly<Record<string, T>>, fallback: T): T[] {
  const table = new Array<T>(INSTRUCTIONS.length).fill(fallback);
  for (const name in byName) table[idOf(name)] = byName[name];
  return table;
}

/** The fixed bits of a drawing: a word is matched when `(word & mask) === match`. */
export interface FixedBits {
  /** Ones where bits are fixed. */
  readonly mask: number;
  /** What the fixed bits are; zeros elsewhere. */
  readonly match: number;
}

/** Reads a drawing of 16 or 32 bits: 0 and 1 are fixed, spaces are nothing, all else is an operand bit. */
export function fixedBits(drawing: string): FixedBits {
  let mask = 0;
  let match = 0;
  for (let i = 0; i < drawing.length; i++) {
    const bit = drawing.charCodeAt(i);
    if (bit === 0x20) continue;
    mask <<= 1;
    match <<= 1;
    if (bit === 0x30 || bit === 0x31) {
      mask |= 1;
      match |= bit & 1;
    }
  }
  return { mask, match };
}
