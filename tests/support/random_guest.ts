/**
 * One random guest: code over a page boundary, data, page tables, trap handlers and registers, all drawn from a
 * seed, to be installed in any machine. Handlers skip the instruction that faulted, or go on at one of several
 * landings (in any of the case's modes) where there is nothing to skip, so that streams go on for long.
 */
import { CSRS } from "../../core/decoder/riscv/csr.ts";
import { INSTRUCTIONS, type Row } from "../../core/decoder/riscv/encodings.ts";
import type { RiscvHart } from "../../core/decoder/riscv/hart.ts";
import { PRIV_M, PRIV_S, PRIV_U } from "../../core/decoder/riscv/trap.ts";
import type { Machine } from "../../core/machine.ts";
import { PAGE_SIZE } from "../../core/memory.ts";
import { GuestRandom } from "./guest_random.ts";
import {
  type Encoded,
  fromRow,
  listing,
  nop,
  randomInstruction,
  type StreamRules,
} from "./instruction_stream.ts";
import {
  CODE,
  DATA,
  DATA_PAGES,
  DEVICE_REGISTERS,
  DEVICES,
  FAR,
  HUGE,
  LANDING_COUNT,
  LANDINGS,
  landingStatus,
  LARGE,
  LENGTHS,
  MACHINE_HANDLER,
  MACHINE_HANDLER_CODE,
  RAM,
  RAM_BYTES,
  SUPERVISOR_HANDLER,
  SUPERVISOR_HANDLER_CODE,
  TABLES,
  USER,
  writePageTables,
} from "./random_guest_memory.ts";
import { encode } from "./riscv_assembler.ts";
import type { Shrinkable } from "./shrink.ts";
import { windingLoop } from "./winding_loops.ts";

const CODE_INSTRUCTIONS = 220;

const MSTATUS_MIE = 1 << 3;
/** menvcfg, high half: stimecmp exists, and A and D bits are set by hardware. */
const STCE_ADUE = 0xa000_0000;

/**
 * What a guest is like. Most are rough: they fault, change their code and tables, and run briefly. Wild ones break
 * their handlers and tables as well. Smooth ones run long loops without a fault, so that all of the translator's
 * optimisations see them.
 */
type Kind = "rough" | "wild" | "smooth";

// Registers with a job
const SP = 2, COUNTER = 31, NEW_CODE = [29, 30], FAR_CODE = 21, CODE_STORE = 22, DEVICE = 24, TABLE = 25;
const LINKS = [0, 1, 1, 5];
const CODE_POINTERS = [1, 1, 5, FAR_CODE];
const MEMORY_POINTERS = [SP, 8, 9, 18, 20];
const TARGETS = [0, 3, 4, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 19, 23, 28];
/** Pointers that move by a constant in each round of a loop, and by how much. */
const WALKERS = [26, 27];
const STRIDES = [8, 8, 8, 4, 1, 2, 16, 24, 64, 520, -8, -4, -1, -72];

const numbered = (...names: string[]) => names.map((name) => CSRS.find((row) => row.name === name)!.number);
const COMMON_CSRS = numbered(
  ...["fflags", "frm", "fcsr", "fcsr", "frm", "sstatus", "sstatus", "sscratch", "sepc", "scause", "stval"],
  ...["mscratch", "sip", "sie", "mepc", "mcause", "time", "cycle", "instret"],
);
const ALL_CSRS = CSRS.map((row) => row.number);

/** How a case is set up. */
export interface Setting {
  readonly name: string;
  /** Privilege modes of its landings; it starts in the first. */
  readonly modes: readonly number[];
  /** satp.MODE: 0, or 8 to 10 for Sv39 to Sv57. */
  readonly paging: number;
}

const mode = (name: string, modes: readonly number[], paging: number): Setting => ({ name, modes, paging });

/** Every setting. */
export const SETTINGS: readonly Setting[] = [
  mode("M-mode, bare", [PRIV_M], 0),
  mode("S-mode, Sv39", [PRIV_S], 8),
  mode("U-mode, Sv39", [PRIV_U], 8),
  mode("U- and S-mode, Sv39", [PRIV_U, PRIV_S], 8),
  mode("all modes, bare", [PRIV_U, PRIV_S, PRIV_M], 0),
  mode("all modes, Sv39", [PRIV_U, PRIV_S, PRIV_M], 8),
  mode("S- and U-mode, Sv48", [PRIV_S, PRIV_U], 9),
  mode("S- and U-mode, Sv57", [PRIV_S, PRIV_U], 10),
  mode("U-mode, Sv48", [PRIV_U], 9),
  mode("U- and S-mode, Sv57", [PRIV_U, PRIV_S], 10),
];

const ending = (pattern: RegExp) => INSTRUCTIONS.filter(([, bits]) => pattern.test(bits));

/** What cases concentrate on. Rows are repeated to be drawn more often. */
const MIXES: readonly (readonly Row[])[] = [
  INSTRUCTIONS,
  [...ending(/(01.0.11|110..11|00..011)$/), ...ending(/0.00011$/)],
  [...ending(/(10...11|0.00111)$/), ...ending(/0.00111$/)],
  [...ending(/0101111$/), ...ending(/0.00011$/), ...ending(/00100.*0010011$/)],
  [...ending(/1110011$/), ...ending(/(0010011|1100011)$/)],
];

function rulesFor(kind: Kind, random: GuestRandom, rows?: readonly Row[]): StreamRules {
  const smooth = kind === "smooth";
  const chosen = rows ?? random.pick(MIXES);
  return {
    rows: smooth ? chosen.filter(([, bits]) => !bits.endsWith("1110011")) : chosen,
    compressedOneIn: rows ? 0 : 4,
    targets: TARGETS,
    links: LINKS,
    pointers: smooth ? MEMORY_POINTERS : [...MEMORY_POINTERS, ...MEMORY_POINTERS, CODE_STORE, DEVICE, TABLE],
    aligned: smooth ? [8, 9, SP] : [8, 9, 8, 9, 20, SP, CODE_STORE],
    codePointers: CODE_POINTERS,
    strayOneIn: smooth || random.oneIn(3) ? 0 : 16,
    csrs: kind === "wild" ? ALL_CSRS : COMMON_CSRS,
    readOnlyCsrs: ALL_CSRS,
    roundingModes: smooth ? [0, 0, 0, 0, 0, 0, 7, 7, 7, 1, 2] : [0, 0, 1, 2, 3, 4, 7, 7, 7, 5],
    backward: smooth ? 8 : 16,
    forward: 24,
  };
}

/** Accesses by way of the walking pointers. */
const WALK_RULES: StreamRules = {
  ...rulesFor("smooth", new GuestRandom(0)),
  rows: INSTRUCTIONS.filter(([name, , operands]) => operands.endsWith("mem") && name !== "jalr"),
  pointers: WALKERS,
  compressedOneIn: 0,
};

/** Accesses to what is near a pointer. */
const FIELD_RULES: StreamRules = { ...WALK_RULES, pointers: [SP, 8, 9] };

/** An instruction at its place in the code. */
interface Placed extends Encoded {
  /** From the start of the code pages. */
  readonly offset: number;
}

/** Everything a case is. The same seed gives the same case. */
export class RandomGuest implements Shrinkable {
  readonly setting: Setting;
  /** The instructions, in the order of their addresses. */
  readonly code: Placed[] = [];
  readonly kind: Kind;
  readonly #rules: StreamRules;

  constructor(readonly seed: number, setting?: Setting, rows?: readonly Row[]) {
    const random = this.#random(0);
    this.setting = setting ?? random.pick(SETTINGS);
    this.kind = random.pick<Kind>(["rough", "rough", "rough", "rough", "rough", "wild", "smooth", "smooth"]);
    this.#rules = rulesFor(this.kind, random, rows);
    this.#writeCode(random);
  }

  get length(): number {
    return this.code.length;
  }

  remove(first: number, count: number): () => void {
    const saved = this.code.slice(first, first + count);
    saved.forEach(({ length, offset }, i) => this.code[first + i] = { ...nop(length), offset });
    return () => saved.forEach((placed, i) => this.code[first + i] = placed);
  }

  /** The instructions, for messages: their offsets count from the first. */
  listing(): string[] {
    return listing(this.code);
  }

  /** Puts a machine into the case's initial state. */
  install(machine: Machine): void {
    const random = this.#random(1);
    const hart = machine.vcpus[0] as RiscvHart;
    machine.exit = undefined;
    machine.clock.instructions = machine.clock.idleNs = 0;
    machine.bus.reset();
    const [first] = this.setting.modes;
    hart.reset(BigInt(this.#landing(random, first)), first, 0n, 0n);
    machine.ram.write(RAM, this.#memory(random));
    this.#setRegisters(hart, random);
    this.#setSystem(hart, random);
  }

  /** Budgets to run with, small and large. */
  *budgets(): Generator<number> {
    const random = this.#random(2);
    const smooth = this.kind === "smooth";
    const sizes = smooth ? [2, 50, 1000, 4000] : [1, 4, 20, 20, 200];
    for (let left = smooth ? 15_000 : 900; left > 0;) {
      const budget = 1 + random.below(random.pick(sizes));
      left -= budget;
      yield budget;
    }
  }

  /** A source for events from outside that happen between two budgets. */
  events(): GuestRandom {
    return this.#random(3);
  }

  #random(purpose: number): GuestRandom {
    return new GuestRandom(Math.imul(this.seed, 8) + purpose);
  }

  // ---- code

  #writeCode(random: GuestRandom): void {
    // About half of it before the page boundary, so that blocks and single instructions end there.
    let offset = PAGE_SIZE - 2 * random.below(600) - 2;
    const put = (encoded: Encoded) => {
      this.code.push({ ...encoded, offset });
      offset += encoded.length;
    };
    const draw = () => put(randomInstruction(random, this.#rules));
    const smooth = this.kind === "smooth";
    while (this.code.length < CODE_INSTRUCTIONS) {
      if (random.oneIn(14)) this.#loop(random, put, () => offset);
      else if (random.oneIn(smooth ? 24 : 40)) {
        const rounds = 1 + random.below(smooth ? 300 : 60);
        const one = () => randomInstruction(random, random.oneIn(2) ? FIELD_RULES : this.#rules);
        windingLoop(random, COUNTER, rounds, one).forEach(put);
      } else if (!smooth && random.oneIn(16)) {
        for (const word of this.#snippet(random)) put({ bits: word, length: 4 });
      } else draw();
    }
    put({ bits: encode("jal", { imm: this.code[0].offset - offset }), length: 4 });
    // A subroutine whose first instruction is often replaced.
    put(nop(4));
    put({ bits: encode("jalr", { rs1: 1 }), length: 4 });
  }

  /** A counted loop; half of them walk over memory. */
  #loop(random: GuestRandom, put: (e: Encoded) => void, offset: () => number): void {
    const smooth = this.kind === "smooth", walks = random.oneIn(2);
    const rounds = 1 + random.below(smooth ? random.pick([400, 2000]) : 40);
    const add = (rd: number, rs1: number, imm: number) =>
      put({ bits: encode("addi", { rd, rs1, imm }), length: 4 });
    if (walks) { for (const rd of WALKERS) add(rd, random.pick(MEMORY_POINTERS), random.below(64) - 32); }
    add(COUNTER, 0, rounds);
    const start = offset();
    for (let i = random.below(smooth && !walks ? 30 : 9); i >= 0; i--) {
      put(randomInstruction(random, walks && random.oneIn(2) ? WALK_RULES : this.#rules));
    }
    if (walks) { for (const rd of WALKERS) if (!random.oneIn(4)) add(rd, rd, random.pick(STRIDES)); }
    add(COUNTER, COUNTER, -1);
    put({ bits: encode("bne", { rs1: COUNTER, imm: start - offset() }), length: 4 });
  }

  /** Instructions that only make sense together. */
  #snippet(random: GuestRandom): number[] {
    const base = random.pick([8, 9, 20]);
    const rd = random.pick(TARGETS), rs2 = random.below(32);
    const imm = 4 * random.below(64);
    const wide = random.oneIn(2) ? "d" : "w";
    switch (random.below(7)) {
      case 0: // code that is changed
        if (random.oneIn(4)) {
          return [encode("sw", { rs1: CODE_STORE, rs2: random.pick(NEW_CODE), imm }), encode("fence.i")];
        }
        return NEW_CODE.flatMap((rs2) => {
          const call = encode("jalr", { rd: 1, rs1: CODE_STORE });
          return [encode("sw", { rs1: CODE_STORE, rs2 }), call, ...(random.oneIn(2) ? [call] : [])];
        });
      case 1:
        return [
          encode(`lr.${wide}`, { rd, rs1: base }),
          ...(random.oneIn(2) ? [fromRow(random, this.#rules, random.pick(this.#rules.rows))] : []),
          encode(`sc.${wide}`, { rd: 10, rs1: base, rs2 }),
        ];
      case 2: // a timer, and perhaps a wait for it
        return [
          encode("csrrs", { rd: 10, csr: 0xc01 }),
          encode("addi", { rd: 10, rs1: 10, imm: random.below(400) }),
          encode("csrrw", { rs1: 10, csr: 0x14d }),
          encode("csrrsi", { csr: 0x100, imm: 2 }),
          ...(random.oneIn(3) ? [encode("wfi")] : []),
        ];
      case 3: // a page table entry that changes
        return [
          encode(random.pick(["sb", "amoxor.d", "amoand.w"]), {
            rd,
            rs1: TABLE,
            rs2,
            imm: 8 * random.below(8),
          }),
          ...(random.oneIn(2) ? [encode("sfence.vma", { rs1: random.pick([0, SP, 9, CODE_STORE]) })] : []),
        ];
      case 4: // a call to where the same code is seen at another address
        return [encode("jalr", { rd: 1, rs1: FAR_CODE }), encode("jalr", { rd: 1, rs1: FAR_CODE })];
      case 5:
        return [encode("csrrwi", { rd, csr: 0x002, imm: random.below(6) })];
      default:
        return [encode("csrrs", { rd, csr: 0x003 }), encode("csrrwi", { csr: 0x001, imm: 0 })];
    }
  }

  // ---- memory

  /** The address of one of the instructions, as a mode sees it. */
  #landing(random: GuestRandom, privilege: number): number {
    const { offset } = random.pick(this.code);
    return this.#window(privilege) + (CODE - RAM) + offset;
  }

  /** Where a mode sees RAM's start. */
  #window(privilege: number): number {
    return this.setting.paging !== 0 && privilege === PRIV_U ? USER : RAM;
  }

  #memory(random: GuestRandom): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(RAM_BYTES);
    const view = new DataView(bytes.buffer);
    for (const { bits, length, offset } of this.code) {
      const at = CODE - RAM + offset;
      if (length === 2) view.setUint16(at, bits, true);
      else view.setInt32(at, bits, true);
      bytes[LENGTHS - RAM + offset / 2] = length;
    }
    bytes.set(MACHINE_HANDLER_CODE, MACHINE_HANDLER - RAM);
    bytes.set(SUPERVISOR_HANDLER_CODE, SUPERVISOR_HANDLER - RAM);
    for (let i = 0; i < LANDING_COUNT; i++) {
      const privilege = random.pick(this.setting.modes);
      const at = LANDINGS - RAM + 16 * i;
      view.setBigUint64(at, BigInt(this.#landing(random, privilege)), true);
      view.setInt32(at + 8, landingStatus(privilege), true);
    }
    for (let at = DATA - RAM; at < DATA - RAM + DATA_PAGES * PAGE_SIZE; at += 8) {
      view.setBigUint64(at, random.oneIn(2) ? random.integer() : random.operand(64), true);
      at += 8 * random.below(64);
    }
    if (this.setting.paging !== 0) writePageTables(view, this.setting.paging, random, this.kind);
    return bytes;
  }

  // ---- registers

  #setRegisters(hart: RiscvHart, random: GuestRandom): void {
    const home = this.#window(this.setting.modes[0]) - RAM;
    const set = (i: number, value: number | bigint) => hart.setRegister(`x${i}`, BigInt(value));
    for (let i = 1; i < 32; i++) set(i, random.integerRegister());
    for (let i = 0; i < 32; i++) hart.setRegister(`f${i}`, random.floatRegister());
    const page = () => DATA + PAGE_SIZE * random.below(DATA_PAGES);
    const paged = this.setting.paging !== 0;
    const far = () => this.setting.paging > 8 && random.oneIn(2) ? FAR : 0;
    set(SP, far() + home + page() + 8 * random.below(512));
    set(8, home + page() + 8 * random.below(512));
    set(
      9,
      far() + (paged ? random.pick([USER, USER, LARGE, HUGE]) - RAM : 0) + page() + 8 * random.below(512),
    );
    set(18, home + page() - 8 + random.below(16));
    set(20, (random.oneIn(2) ? home : 0) + page() + random.below(16));
    for (const i of [1, 5]) set(i, this.#landing(random, random.pick(this.setting.modes)));
    const subroutine = this.code.at(-2)!;
    // HUGE and the others have the same TLB indexes.
    set(
      FAR_CODE,
      (paged ? HUGE : RAM) - RAM + CODE + (random.oneIn(4) ? random.pick(this.code) : subroutine).offset,
    );
    set(CODE_STORE, home + CODE + (random.oneIn(3) ? random.pick(this.code) : subroutine).offset);
    for (const i of NEW_CODE) set(i, fromRow(random, this.#rules, random.pick(this.#rules.rows)));
    const device = random.pick(DEVICE_REGISTERS);
    set(DEVICE, paged ? DEVICES + PAGE_SIZE * DEVICE_REGISTERS.indexOf(device) + device % PAGE_SIZE : device);
    set(TABLE, TABLES + (random.oneIn(2) ? 0x1000 : 0x2000) + 8 * random.below(24));
  }

  #setSystem(hart: RiscvHart, random: GuestRandom): void {
    const set = (name: string, value: bigint | number) => hart.setRegister(name, BigInt(value));
    const { paging } = this.setting;
    set("pmpaddr0", random.oneIn(12) ? random.bits(30) : -1n);
    set("pmpcfg0", 0x1f);
    set("mtvec", MACHINE_HANDLER);
    set("stvec", SUPERVISOR_HANDLER);
    set("medeleg", random.oneIn(2) ? 0xb3ffn : random.bits(16));
    set("mideleg", random.oneIn(2) ? 0x222n : random.bits(12));
    set("mcounteren", random.oneIn(4) ? random.bits(3) : 7n);
    set("scounteren", random.oneIn(4) ? random.bits(3) : 7n);
    set("menvcfg", BigInt(random.oneIn(4) ? random.bits(32) & BigInt(STCE_ADUE) : STCE_ADUE) << 32n);
    set("mie", random.oneIn(3) ? random.bits(12) : 0n);
    set("stimecmp", -1n);
    const fpu = BigInt(random.pick([3, 3, 3, 3, 2, 1, 0])) << 13n;
    const rarely = random.oneIn(4) ? random.bits(23) & 0x5c01a2n : 0n; // TSR, TVM, MXR, SUM and the like
    const supervisorMemory = random.oneIn(2) ? 1n << 18n : 0n;
    set("mstatus", fpu | rarely | supervisorMemory | (random.oneIn(2) ? BigInt(MSTATUS_MIE) : 0n) | 2n);
    set("frm", random.oneIn(4) ? random.below(6) : 0);
    set("satp", BigInt(paging) << 60n | BigInt(TABLES / PAGE_SIZE));
  }
}
