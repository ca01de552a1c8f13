/**
 * Random user-mode streams in one static executable, to be compared with another implementation. Each stream
 * gets its registers from a table and leaves them, with its piece of memory, in a block that the program then
 * writes to its standard output. On a bare machine the system call traps instead, and the block is read from RAM.
 *
 * Streams come to their end: branches go forward to an instruction of the same stretch, except those of counted
 * loops, and nothing traps.
 */
import { decode } from "../../core/decoder/riscv/decode.ts";
import { expand } from "../../core/decoder/riscv/compressed.ts";
import { INSTRUCTIONS, type Row } from "../../core/decoder/riscv/encodings.ts";
import { GuestRandom } from "./guest_random.ts";
import { type Encoded, listing, nop, randomInstruction, type StreamRules } from "./instruction_stream.ts";
import { encode, Program } from "./riscv_assembler.ts";
import type { Shrinkable } from "./shrink.ts";
import { staticElf } from "./static_elf.ts";

/** Where the program is linked: where a bare machine has its RAM. */
export const BASE = 0x8000_0000;
/** Where a bare machine should let the final system call trap to. */
export const END = BASE + 0x3_f000;
const REGISTERS = BASE + 0x4_0000;
const MEMORY = BASE + 0x5_0000;
const SAVED = BASE + 0x6_0000;
const IMAGE_BYTES = 0x7_0000;
/** What the program writes: each stream's memory, then each stream's registers. */
export const OUTPUT = MEMORY;
const MEMORY_BYTES = 1024, SAVED_BYTES = 512;
const STREAM_INSTRUCTIONS = 110;

const COUNTER = 30, TABLE = 31;
const POINTERS = [8, 9, 18];
const TARGETS = Array.from({ length: 30 }, (_, i) => i).filter((i) => !POINTERS.includes(i));
const FFLAGS = 1, FRM = 2, FCSR = 3;
const SYS_WRITE = 64, SYS_EXIT_GROUP = 94;

/** Whether a stream may hold a row: it computes, and needs no care to do so. */
function isPlain([name, bits]: Row): boolean {
  return !/^(illegal|ecall|ebreak|jalr|lr|sc)/.test(name) && !bits.endsWith("1110011");
}

/** The rows that streams are drawn from, snippets included. */
export const USER_ROWS: readonly Row[] = INSTRUCTIONS.filter((row) =>
  isPlain(row) || /^(jalr|lr|sc|csrr)/.test(row[0])
);

const PLAIN = INSTRUCTIONS.filter(isPlain);
const FLOAT = PLAIN.filter(([, bits]) => /(10...11|0.00111)$/.test(bits));
const FLOAT_LOADS = PLAIN.filter(([name]) => name === "flw" || name === "fld");

const RULES: Omit<StreamRules, "rows"> = {
  compressedOneIn: 5,
  targets: TARGETS,
  links: [0, 1, 5],
  pointers: POINTERS,
  aligned: [9],
  codePointers: [],
  strayOneIn: 0,
  csrs: [],
  readOnlyCsrs: [],
  roundingModes: [0, 1, 2, 3, 4, 7, 7],
  backward: 0,
  forward: 0,
};

/** One stream. The same seed gives the same stream. */
export class UserStream implements Shrinkable {
  readonly code: Encoded[] = [];
  readonly #rules: StreamRules;

  constructor(readonly seed: number) {
    const random = new GuestRandom(seed);
    const rows = random.oneIn(2) ? [...FLOAT, ...FLOAT_LOADS, ...FLOAT_LOADS, ...FLOAT_LOADS] : PLAIN;
    this.#rules = { ...RULES, rows };
    while (this.code.length < STREAM_INSTRUCTIONS) {
      this.#stretch(random, 3 + random.below(12));
      this.#put(...this.#snippet(random));
      if (random.oneIn(3)) this.#loop(random);
    }
    this.#stretch(random, 4);
  }

  get length(): number {
    return this.code.length;
  }

  remove(first: number, count: number): () => void {
    const saved = this.code.slice(first, first + count);
    saved.forEach(({ length }, i) => this.code[first + i] = nop(length));
    return () => saved.forEach((item, i) => this.code[first + i] = item);
  }

  /** The instructions, for messages. */
  listing(): string[] {
    return listing(this.code);
  }

  #put(...words: number[]): void {
    for (const bits of words) this.code.push({ bits, length: 4 });
  }

  /** Instructions among which branches stay. */
  #stretch(random: GuestRandom, count: number): void {
    const first = this.code.length;
    for (let i = 0; i < count; i++) this.code.push(randomInstruction(random, this.#rules));
    for (let i = first; i < this.code.length; i++) this.code[i] = this.#aimed(random, i);
  }

  /** A branch or jump, aimed at one of the next instructions; others as they are. */
  #aimed(random: GuestRandom, index: number): Encoded {
    const { bits, length } = this.code[index];
    const [name, , operands] = INSTRUCTIONS[length === 2 ? decode(expand(bits)) : decode(bits)];
    const isBranch = operands.includes("immB"), isJump = operands.includes("immJ");
    if (!isBranch && !isJump) return this.code[index];
    const last = Math.min(this.code.length, index + 1 + random.below(6));
    let distance = 4;
    for (let i = index + 1; i < last; i++) distance += this.code[i].length;
    const fields = { rd: bits >>> 7 & 31, rs1: bits >>> 15 & 31, rs2: bits >>> 20 & 31, imm: distance };
    return { bits: encode(name, fields), length: 4 };
  }

  #loop(random: GuestRandom): void {
    const rounds = 1 + random.below(random.oneIn(8) ? 2000 : 12);
    this.#put(encode("addi", { rd: COUNTER, imm: rounds }));
    const first = this.code.length;
    this.#stretch(random, 1 + random.below(10));
    this.#put(encode("addi", { rd: COUNTER, rs1: COUNTER, imm: -1 }));
    const bytes = this.code.slice(first).reduce((sum, { length }) => sum + length, 0);
    this.#put(encode("bne", { rs1: COUNTER, imm: -bytes }));
  }

  /** Instructions that are only comparable together, and changes of the FP state. */
  #snippet(random: GuestRandom): number[] {
    const rd = random.pick(TARGETS), rs1 = random.below(32), rs2 = random.below(32);
    const wide = random.oneIn(2) ? "d" : "w";
    switch (random.below(6)) {
      case 0:
        return [encode(`lr.${wide}`, { rd, rs1: 9 }), encode(`sc.${wide}`, { rd: 10, rs1: 9, rs2 })];
      case 1:
        return [
          encode("auipc", { rd: 5 }),
          encode("jalr", { rd: random.pick([0, 1, 5]), rs1: 5, imm: 12 }),
          encode("addi", { rd, imm: 1 }), // not executed
        ];
      case 2:
        return [encode("csrrwi", { rd, csr: FRM, imm: random.below(5) })];
      case 3: // flags, kept and cleared
        return [
          encode(random.pick(["csrrw", "csrrs", "csrrc"]), { rd, csr: FFLAGS, rs1 }),
          encode("sd", { rs1: 8, rs2: rd, imm: 8 * random.below(32) }),
          encode("csrrci", { rd: random.pick(TARGETS), csr: FFLAGS, imm: 31 }),
        ];
      case 4:
        return [
          encode("csrrs", { rd, csr: FCSR }),
          encode("csrrsi", { rd, csr: FFLAGS, imm: random.below(32) }),
        ];
      default:
        return [encode("csrrwi", { csr: FCSR, imm: 0 })];
    }
  }
}

/** An executable of several streams. */
export class UserProgram {
  constructor(readonly streams: readonly UserStream[]) {}

  /** Bytes the program writes. */
  get outputBytes(): number {
    return SAVED - OUTPUT + this.streams.length * SAVED_BYTES;
  }

  /** The spans of the output that a stream leaves, registers first. */
  spans(stream: number): readonly { from: number; to: number }[] {
    const registers = SAVED - OUTPUT + stream * SAVED_BYTES, memory = stream * MEMORY_BYTES;
    return [
      { from: registers, to: registers + SAVED_BYTES },
      { from: memory, to: memory + MEMORY_BYTES },
    ];
  }

  /** Names what is at an offset of the output. */
  describe(offset: number): string {
    const saved = offset - (SAVED - OUTPUT);
    if (saved < 0) return `memory +0x${(offset % MEMORY_BYTES).toString(16)}`;
    const slot = Math.floor(saved % SAVED_BYTES / 8);
    return slot < 30 ? `x${slot + 1}` : slot === 30 ? "fcsr" : `f${slot - 31}`;
  }

  /** The executable. */
  elf(): Uint8Array<ArrayBuffer> {
    const image = new Uint8Array(IMAGE_BYTES);
    const view = new DataView(image.buffer);
    let at = BASE;
    const put = (bytes: Uint8Array) => {
      image.set(bytes, at - BASE);
      at += bytes.length;
    };
    this.streams.forEach((stream, k) => {
      this.#data(view, stream, k);
      put(enterStream(at, k));
      for (const { bits, length } of stream.code) {
        const word = new Uint8Array(Int32Array.of(bits).buffer);
        put(word.subarray(0, length));
      }
      put(leaveStream(at, k));
    });
    put(
      new Program(at)
        .add("addi", { rd: 10, imm: 1 })
        .addressOf(11, OUTPUT)
        .addressOf(12, OUTPUT + this.outputBytes)
        .add("sub", { rd: 12, rs1: 12, rs2: 11 })
        .add("addi", { rd: 17, imm: SYS_WRITE })
        .add("ecall")
        .add("addi", { rd: 10 })
        .add("addi", { rd: 17, imm: SYS_EXIT_GROUP })
        .add("ecall")
        .bytes(),
    );
    if (at > END) throw new RangeError("Too many streams for one program");
    image.set(new Program(END).add("wfi").bytes(), END - BASE);
    return staticElf(BASE, image);
  }

  /** A stream's registers and memory. */
  #data(view: DataView, stream: UserStream, k: number): void {
    const random = new GuestRandom(~stream.seed);
    const memory = MEMORY + k * MEMORY_BYTES;
    const put = (address: number, value: bigint) => view.setBigUint64(address - BASE, value, true);
    for (let i = 0; i < MEMORY_BYTES; i += 8) put(memory + i, random.floatRegister());
    const slots = REGISTERS + k * SAVED_BYTES;
    for (let i = 1; i < 31; i++) put(slots + 8 * (i - 1), random.integerRegister());
    const middle = memory + MEMORY_BYTES / 2;
    put(slots + 8 * 7, BigInt(memory + 256));
    put(slots + 8 * 8, BigInt(middle));
    put(slots + 8 * 17, BigInt(middle + random.below(64)));
    put(slots + 8 * 30, BigInt(random.below(5) << 5 | random.below(32)));
    for (let i = 0; i < 32; i++) put(slots + 8 * (31 + i), random.floatRegister());
  }
}

function enterStream(at: number, k: number): Uint8Array {
  const code = new Program(at)
    .addressOf(TABLE, REGISTERS + k * SAVED_BYTES)
    .add("ld", { rd: 1, rs1: TABLE, imm: 8 * 30 })
    .add("csrrw", { csr: FCSR, rs1: 1 });
  for (let i = 0; i < 32; i++) code.add("fld", { rd: i, rs1: TABLE, imm: 8 * (31 + i) });
  for (let i = 1; i < 31; i++) code.add("ld", { rd: i, rs1: TABLE, imm: 8 * (i - 1) });
  return code.bytes();
}

function leaveStream(at: number, k: number): Uint8Array {
  const code = new Program(at).addressOf(TABLE, SAVED + k * SAVED_BYTES);
  for (let i = 1; i < 31; i++) code.add("sd", { rs1: TABLE, rs2: i, imm: 8 * (i - 1) });
  for (let i = 0; i < 32; i++) code.add("fsd", { rs1: TABLE, rs2: i, imm: 8 * (31 + i) });
  return code.add("csrrs", { rd: 1, csr: FCSR }).add("sd", { rs1: TABLE, rs2: 1, imm: 8 * 30 }).bytes();
}
