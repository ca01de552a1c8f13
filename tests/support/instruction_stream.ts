/**
 * Random instructions that mostly make sense: registers with a job (pointers, loop counter) keep it, memory
 * operands mostly hit memory, branches stay near. What is left to chance is everything else.
 */
import { COMPRESSED, expand } from "../../core/decoder/riscv/compressed.ts";
import { decode, immB, immJ, rd, rs1 } from "../../core/decoder/riscv/decode.ts";
import { fixedBits, I_ILLEGAL, INSTRUCTIONS, type Row } from "../../core/decoder/riscv/encodings.ts";
import type { GuestRandom } from "./guest_random.ts";
import { encode, type Operands } from "./riscv_assembler.ts";

/** What instructions may do. */
export interface StreamRules {
  /** Rows to choose from. */
  readonly rows: readonly Row[];
  /** One in so many is compressed; 0: none is. */
  readonly compressedOneIn: number;
  /** Integer registers that may be written. */
  readonly targets: readonly number[];
  /** Registers that jumps may link to. */
  readonly links: readonly number[];
  /** Bases of loads and stores. */
  readonly pointers: readonly number[];
  /** Bases of atomics. */
  readonly aligned: readonly number[];
  /** Bases of indirect jumps. */
  readonly codePointers: readonly number[];
  /** Bases and jumps are what these rules say but once in so many; 0: always. */
  readonly strayOneIn: number;
  /** CSRs to access. */
  readonly csrs: readonly number[];
  /** CSRs to read only. */
  readonly readOnlyCsrs: readonly number[];
  /** Values of the rounding mode field. */
  readonly roundingModes: readonly number[];
  /** Halfwords that branches and jumps may go back, and forth. */
  readonly backward: number;
  readonly forward: number;
}

/** An encoded instruction. */
export interface Encoded {
  readonly bits: number;
  /** Bytes: 2 or 4. */
  readonly length: number;
}

/** Does nothing, in as many bytes. */
export function nop(length: number): Encoded {
  return { bits: length === 4 ? encode("addi") : 0x0001, length };
}

/** What instructions do, one line each, for messages; those that do nothing are left out. */
export function listing(code: readonly Encoded[]): string[] {
  let offset = 0;
  return code.flatMap(({ bits, length }) => {
    const at = offset;
    offset += length;
    if (bits === nop(length).bits) return [];
    const [name] = INSTRUCTIONS[decode(length === 2 ? expand(bits) : bits)];
    return [`  +${at.toString(16)}: ${(bits >>> 0).toString(16).padStart(2 * length, "0")} ${name}`];
  });
}

/** Draws one instruction. */
export function randomInstruction(random: GuestRandom, rules: StreamRules): Encoded {
  if (rules.compressedOneIn > 0 && random.oneIn(rules.compressedOneIn)) return compressed(random, rules);
  return { bits: fromRow(random, rules, random.pick(rules.rows)), length: 4 };
}

/** Draws the operands of a row. */
export function fromRow(random: GuestRandom, rules: StreamRules, row: Row): number {
  const [name, , operands] = row;
  if (name === INSTRUCTIONS[I_ILLEGAL][0]) return illegal(random);
  const stray = rules.strayOneIn > 0 && random.oneIn(rules.strayOneIn);
  const drawn: { -readonly [K in keyof Operands]: Operands[K] } = {
    rd: random.below(32),
    rs1: random.below(32),
    rs2: random.below(32),
    rs3: random.below(32),
    imm: random.word(),
    rm: random.pick(rules.roundingModes),
  };
  for (const operand of operands.split(" ")) {
    switch (operand) {
      case "rd":
        drawn.rd = random.pick(name === "jal" || name === "jalr" ? rules.links : rules.targets);
        break;
      case "mem":
        if (!stray) drawn.rs1 = random.pick(name === "jalr" ? rules.codePointers : rules.pointers);
        drawn.imm = offset(random, name === "jalr");
        break;
      case "(rs1)":
        if (!stray) drawn.rs1 = random.pick(rules.aligned);
        break;
      case "immB":
      case "immJ":
        drawn.imm = displacement(random, rules);
        break;
      case "shamt6":
        drawn.imm = random.below(64);
        break;
      case "shamt5":
      case "uimm":
        drawn.imm = random.below(32);
        break;
      case "csr": {
        const readOnly = random.oneIn(4) && rules.readOnlyCsrs.length > 0;
        drawn.csr = random.pick(readOnly ? rules.readOnlyCsrs : rules.csrs);
        if (readOnly && !stray) return encode("csrrs", { rd: drawn.rd, csr: drawn.csr });
        break;
      }
    }
  }
  const word = encode(name, drawn);
  // Bits that are no operand in the row but free in its drawing, such as acquire and release.
  const { mask } = fixedBits(row[1]);
  return name === "fence" ? word | random.word() & ~mask : withOrdering(random, name, word);
}

/** Acquire and release of atomics. */
function withOrdering(random: GuestRandom, name: string, word: number): number {
  return /^(lr|sc|amo)/.test(name) ? word | random.below(4) << 25 : word;
}

function displacement(random: GuestRandom, rules: StreamRules): number {
  return 2 * (random.below(rules.backward + rules.forward) - rules.backward);
}

function offset(random: GuestRandom, isJump: boolean): number {
  switch (random.below(8)) {
    case 0:
      return isJump ? random.below(8) : random.word() >> 20;
    case 1:
      return random.below(64) - 16;
    default:
      return isJump ? 0 : random.below(33) * random.pick([1, 2, 4, 8]);
  }
}

function illegal(random: GuestRandom): number {
  for (;;) {
    const word = random.word() | 3;
    if (decode(word) === I_ILLEGAL) return word;
  }
}

const EXPANDING = COMPRESSED.filter(([, , expansion]) => expansion !== undefined);

/** Drawn anew until it fits the rules. */
function compressed(random: GuestRandom, rules: StreamRules): Encoded {
  if (rules.strayOneIn > 0 && random.oneIn(40)) return { bits: random.word() & 0xfffc, length: 2 };
  for (let tries = 0; tries < 40; tries++) {
    const { mask, match } = fixedBits(random.pick(EXPANDING)[1]);
    const bits = (match | random.word() & ~mask) & 0xffff;
    const insn = expand(bits);
    if (insn === 0 || !fits(insn, rules)) continue;
    return { bits, length: 2 };
  }
  return nop(2);
}

function fits(insn: number, rules: StreamRules): boolean {
  const [name, , operands] = INSTRUCTIONS[decode(insn)];
  if (!rules.rows.some((row) => row[0] === name)) return false;
  const list = operands.split(" ");
  const link = name === "jal" || name === "jalr";
  if (list[0] === "rd" && !(link ? rules.links : rules.targets).includes(rd(insn))) return false;
  if (name === "jalr") return rules.codePointers.includes(rs1(insn));
  if (list.includes("mem")) return rules.pointers.includes(rs1(insn));
  const distance = list.includes("immB") ? immB(insn) : list.includes("immJ") ? immJ(insn) : 0;
  return distance >= -2 * rules.backward && distance < 2 * rules.forward;
}
