/** Instructions from their rows: one at a time by name and operands, and small programs with labels. */
import { fixedBits, idOf, INSTRUCTIONS } from "../../core/decoder/riscv/encodings.ts";

/** Operands of one instruction; what its row does not have is ignored. */
export interface Operands {
  /** Destination, integer or FP. */
  readonly rd?: number;
  readonly rs1?: number;
  readonly rs2?: number;
  readonly rs3?: number;
  /** Immediate, displacement, shift amount, `uimm`. */
  readonly imm?: number;
  readonly csr?: number;
  /** Rounding mode. @default 7: dynamic */
  readonly rm?: number;
}

const storeImmediate = (imm: number) => (imm >> 5) << 25 | (imm & 31) << 7;

/** How each operand is encoded: the inverses of `decode.ts`'s extractors. */
const ENCODE: Readonly<Record<string, (operands: Operands) => number>> = {
  rd: ({ rd = 0 }) => rd << 7,
  fd: ({ rd = 0 }) => rd << 7,
  rs1: ({ rs1 = 0 }) => rs1 << 15,
  fs1: ({ rs1 = 0 }) => rs1 << 15,
  "(rs1)": ({ rs1 = 0 }) => rs1 << 15,
  rs2: ({ rs2 = 0 }) => rs2 << 20,
  fs2: ({ rs2 = 0 }) => rs2 << 20,
  fs3: ({ rs3 = 0 }) => rs3 << 27,
  mem: ({ rs1 = 0, imm = 0 }) => rs1 << 15 | imm << 20,
  "store mem": ({ rs1 = 0, imm = 0 }) => rs1 << 15 | storeImmediate(imm),
  immI: ({ imm = 0 }) => imm << 20,
  immB: ({ imm = 0 }) => (imm >> 12) << 31 | (imm & 0x7e0) << 20 | (imm & 0x1e) << 7 | (imm & 0x800) >> 4,
  immU: ({ imm = 0 }) => imm & ~0xfff,
  immJ: ({ imm = 0 }) => (imm >> 20) << 31 | (imm & 0x7fe) << 20 | (imm & 0x800) << 9 | (imm & 0xff000),
  shamt6: ({ imm = 0 }) => imm << 20,
  shamt5: ({ imm = 0 }) => imm << 20,
  rm: ({ rm = 7 }) => rm << 12,
  csr: ({ csr = 0 }) => csr << 20,
  uimm: ({ imm = 0 }) => imm << 15,
};

/** Encodes an instruction. */
export function encode(name: string, operands: Operands = {}): number {
  const [, bits, list] = INSTRUCTIONS[idOf(name)];
  let word = fixedBits(bits).match;
  const isStore = /^[rf]s2 mem/.test(list);
  for (const operand of list.split(" ")) {
    if (operand === "") continue;
    word |= ENCODE[operand === "mem" && isStore ? "store mem" : operand](operands);
  }
  return word;
}

/** A program being put together, for a known address. */
export class Program {
  readonly words: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #branches: { at: number; name: string; operands: Operands; label: string }[] = [];

  /** A program that will run at an address. */
  constructor(readonly address: number) {}

  /** Adds an instruction. */
  add(name: string, operands: Operands = {}): this {
    this.words.push(encode(name, operands));
    return this;
  }

  /** Adds a branch or jump to a label. */
  branch(name: string, operands: Operands, label: string): this {
    this.#branches.push({ at: this.words.length, name, operands, label });
    return this.add(name, operands);
  }

  /** Names the address of the next instruction. */
  label(name: string): this {
    this.#labels.set(name, this.words.length);
    return this;
  }

  /** Puts an address into a register, relative to pc. */
  addressOf(rd: number, target: number): this {
    const distance = target - (this.address + 4 * this.words.length);
    const high = (distance + 0x800) & ~0xfff;
    return this.add("auipc", { rd, imm: high }).add("addi", { rd, rs1: rd, imm: distance - high });
  }

  /** The instructions, with every branch aimed. */
  bytes(): Uint8Array<ArrayBuffer> {
    for (const { at, name, operands, label } of this.#branches) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new RangeError(`There is no label "${label}"`);
      this.words[at] = encode(name, { ...operands, imm: 4 * (target - at) });
    }
    return new Uint8Array(Int32Array.from(this.words).buffer);
  }
}
