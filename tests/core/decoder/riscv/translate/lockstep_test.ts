/** Translations against the interpreter: random programs over every row, in every mode. */
import { assert, assertEquals } from "@std/assert";
import { CSRS } from "../../../../../core/decoder/riscv/csr.ts";
import { fixedBits, idOf, INSTRUCTIONS, type Row } from "../../../../../core/decoder/riscv/encodings.ts";
import {
  fSlot,
  S_PRIV,
  S_RESERVATION,
  S_RESERVED,
  S_SATP,
  xSlot,
} from "../../../../../core/decoder/riscv/state.ts";
import { TRANSLATE } from "../../../../../core/decoder/riscv/translate/table.ts";
import { decode } from "../../../../../core/decoder/riscv/decode.ts";
import { expand } from "../../../../../core/decoder/riscv/compressed.ts";
import { OP_INSN, OP_REFUND_IF } from "../../../../../core/translator/ir.ts";
import { PRIV_M, PRIV_S, PRIV_U } from "../../../../../core/decoder/riscv/trap.ts";
import { Lockstep, RAM, RAM_BYTES, Random, type Side } from "../lockstep_fixture.ts";

const CODE = RAM; // a page of program, and one of trap handler
const HANDLER = RAM + 0x1000;
const DATA = RAM + 0x2000;
const TABLES = RAM + 0x1_0000;

const POINTERS = [8, 9, 18, 20]; // registers that stay pointers into data
const ALIGNED = [8, 9, 9, 9, 20, 20]; // mostly
const CODE_POINTER = 21;
const ROUNDING = [0, 0, 0, 7, 7, 7, 1, 2, 3, 4, 5];
const CSR_NUMBERS = CSRS.map((csr) => csr.number);
/** Those that are translated, sstatus above all. */
const BUSY_CSRS = [0x100, 0x100, 0x100, 0x140, 0x141, 0x142, 0x143, 0x180, 0xc01, 0x340, 0x341, 0x342, 0x343];

function branchBits(displacement: number): number {
  return (displacement >> 12) << 31 | (displacement & 0x7e0) << 20 | (displacement & 0x1e) << 7 |
    (displacement & 0x800) >> 4;
}

function jumpBits(displacement: number): number {
  return (displacement >> 20) << 31 | (displacement & 0x7fe) << 20 | (displacement & 0x800) << 9 |
    (displacement & 0xff000);
}

/** In bytes, for a draw from -20 to 19: what is farther ahead is brought near, as hammocks are. */
function branchDisplacement(draw: number): number {
  return draw < 10 ? 2 * draw : 8 + 4 * (draw & 3);
}

/** An instruction of the given row with random operands that mostly make sense. */
function instruction(row: Row, random: Random): number {
  const [name, bits, operands] = row;
  const { mask, match } = fixedBits(bits);
  let insn = match | random.word() & ~mask;
  const put = (shift: number, width: number, value: number) => {
    const field = ((1 << width) - 1) << shift;
    if ((mask & field) === 0) insn = insn & ~field | value << shift & field;
  };
  for (const operand of operands.split(" ")) {
    switch (operand) {
      case "rd":
        if ([...POINTERS, CODE_POINTER].includes(insn >>> 7 & 31)) put(7, 5, 10);
        break;
      case "mem":
      case "(rs1)":
        put(15, 5, name === "jalr" ? CODE_POINTER : random.pick(operand === "mem" ? POINTERS : ALIGNED));
        if (operand === "mem") {
          const imm = random.below(5) === 0 ? random.word() : random.below(33) * random.pick([1, 2, 4, 8]);
          put(25, 7, imm >> 5);
          if (operands.startsWith("rs2") || operands.startsWith("fs2")) put(7, 5, imm);
          else put(20, 5, imm);
        }
        break;
      case "immB":
        insn = insn & 0x01fff07f | branchBits(branchDisplacement(random.below(40) - 20));
        break;
      case "immJ":
        insn = insn & 0xfff | jumpBits(2 * (random.below(random.below(8) === 0 ? 4000 : 40) - 20));
        break;
      case "csr":
        put(20, 12, random.pick(random.below(3) === 0 ? CSR_NUMBERS : BUSY_CSRS));
        break;
      case "rs1":
        if (name.endsWith(".vma") && random.below(2) === 0) {
          put(15, 5, random.pick([...POINTERS, CODE_POINTER]));
        }
        break;
      case "rm":
        put(12, 3, random.pick(ROUNDING));
        break;
    }
  }
  return insn;
}

/** Halfwords or words of program, mostly from the given rows. */
function fill(side: Side, at: number, bytes: number, rows: readonly Row[], random: Random): void {
  const { view } = side.ram;
  for (let offset = at - RAM; offset < at - RAM + bytes;) {
    if (random.below(12) === 0) {
      view.setUint16(offset, random.word() & 0xfffe, true); // compressed, unless it happens to be 11
      offset += 2;
    } else {
      view.setInt32(offset, instruction(random.pick(rows), random), true);
      offset += 4;
    }
  }
}

/** Sv39 tables that map RAM onto itself, in pages, and a superpage from 0xc000_0000. */
function pageTables(side: Side, random: Random, user: boolean): void {
  const { view } = side.ram;
  const pte = (offset: number, target: number, bits: number) =>
    view.setBigUint64(TABLES - RAM + offset, BigInt(target) / 4096n << 10n | BigInt(bits), true);
  pte(8 * 2, TABLES + 0x1000, 1);
  pte(8 * 3, RAM, 0xcf | (user ? 0x10 : 0));
  pte(0x1000, TABLES + 0x2000, 1);
  for (let page = 0; page < RAM_BYTES / 4096; page++) {
    const target = RAM + 4096 * page;
    const isCode = target < DATA;
    let bits = 0xcf | (user ? 0x10 : 0); // everything allowed, accessed, dirty
    if (!isCode && random.below(4) === 0) bits ^= 1 << random.below(8);
    if (isCode && !user && random.below(8) === 0) bits ^= 0x40;
    pte(0x2000 + 8 * page, target, bits);
  }
}

interface Setting {
  readonly privilege: number;
  readonly paging: boolean;
  /** mstatus.FS */
  readonly fs: number;
}

/** A fresh random case, the same on both sides. */
function start(lockstep: Lockstep, seed: number, rows: readonly Row[], setting: Setting): void {
  lockstep.both((side) => {
    const random = new Random(seed);
    const { hart, ram, clock, view } = side;
    clock.instructions = 0;
    ram.u8.fill(0);
    const entry = random.below(4) === 0 ? HANDLER - 2 * random.below(20) : CODE + 2 * random.below(2040);
    hart.reset(BigInt(entry), PRIV_M, 0n, 0n);
    fill(side, CODE, 8188, rows, random);
    for (let i = 0; i < 0x1000; i += 4) ram.view.setInt32(DATA - RAM + i, random.word(), true);
    ram.codePages[0] = ram.codePages[1] = 1; // so that stores to it end the block
    if (setting.paging) pageTables(side, random, setting.privilege === PRIV_U);

    const set = (name: string, value: bigint) => assert(hart.setRegister(name, value), name);
    set("pmpaddr0", 0xffff_ffff_ffff_ffffn);
    set("pmpcfg0", 0x1fn);
    set("mtvec", BigInt(HANDLER));
    set("stvec", BigInt(HANDLER + 64));
    set("mepc", BigInt(CODE));
    set("sepc", BigInt(CODE + 8));
    set("medeleg", random.value() & 0xb3ffn);
    set("mideleg", random.value() & 0x222n);
    set("mcounteren", random.value() & 7n);
    set("scounteren", random.value() & 7n);
    set("menvcfg", random.value());
    set("mstatus", random.value() & 0x4c01a2n | BigInt(setting.fs) << 13n);
    set("frm", random.below(3) === 0 ? BigInt(random.below(6)) : 0n);
    if (random.below(4) === 0) {
      set("mie", random.value());
      set("mip", random.value());
    }
    view.setBigUint64(S_SATP, setting.paging ? 8n << 60n | BigInt(TABLES) / 4096n : 0n, true);
    for (let i = 1; i < 32; i++) view.setBigUint64(xSlot(i), random.value(), true);
    const kinds = random.below(2) === 0 ? 5 : 2; // any, or singles only
    for (let i = 0; i < 32; i++) view.setBigUint64(fSlot(i), random.floatBits(kinds), true);
    const far = setting.paging && random.below(3) === 0 ? 0x4000_0000n : 0n; // by the superpage
    view.setBigUint64(xSlot(8), BigInt(DATA + random.below(256)), true);
    view.setBigUint64(xSlot(9), BigInt(DATA + 8 * random.below(256)) + far, true);
    view.setBigUint64(xSlot(18), BigInt(DATA + 4096 * random.below(4) - 8 + random.below(8)), true);
    view.setBigUint64(xSlot(20), BigInt(DATA + 64) + far, true);
    view.setBigUint64(xSlot(CODE_POINTER), BigInt(CODE + 2 * random.below(2000)) + far, true);
    view.setBigUint64(S_RESERVATION, view.getBigUint64(xSlot(random.pick([9, 20])), true), true);
    hart.state[S_RESERVED >> 2] = random.below(2);
    hart.state[S_PRIV >> 2] = setting.privilege;
    hart.modeChanged();
  });
}

const settings: Record<string, Setting> = {
  "in M-mode": { privilege: PRIV_M, paging: false, fs: 3 },
  "in S-mode without paging": { privilege: PRIV_S, paging: false, fs: 3 },
  "in S-mode with paging": { privilege: PRIV_S, paging: true, fs: 0 },
  "in U-mode with paging": { privilege: PRIV_U, paging: true, fs: 3 },
  "with a clean FPU": { privilege: PRIV_U, paging: false, fs: 2 },
  "with the FPU off": { privilege: PRIV_U, paging: false, fs: 0 },
};

const groups: Record<string, readonly Row[]> = {
  "any instructions": INSTRUCTIONS,
  "integer instructions": INSTRUCTIONS.filter(([, bits]) => /(01.0.11|110..11|00..011)$/.test(bits)),
  "plain instructions and branches": INSTRUCTIONS.filter(([, bits]) => /(0.1..11|1100011)$/.test(bits)),
  "CSR and privileged instructions": INSTRUCTIONS.filter(([, bits]) =>
    /(1110011|0010011|1100011)$/.test(bits)
  ),
  "atomic instructions": INSTRUCTIONS.filter(([, bits]) => bits.endsWith("0101111")),
  "FP instructions": INSTRUCTIONS.filter(([, bits]) => /(10...11|0.00111)$/.test(bits)),
};

const lockstep = new Lockstep();
/** How often each instruction's id was executed as IR. */
const executed = new Int32Array(INSTRUCTIONS.length);
/** How many hammocks were. */
let hammocks = 0;

/** Notes the first `instructions` of the last block as executed. */
function count(instructions: number): void {
  const { ir, frontEnd, translated } = lockstep;
  const page = frontEnd.startOffset & ~4095;
  for (let i = 0, current = 0; i < ir.length; i++) {
    if (ir.op[i] === OP_REFUND_IF && current < instructions) hammocks++;
    if (ir.op[i] !== OP_INSN) continue;
    current = ir.a[i];
    if (current >= instructions) break;
    const offset = page + (ir.lo[i] & 4095);
    const half = translated.ram.view.getUint16(offset, true);
    const compressed = (half & 3) !== 3;
    executed[decode(compressed ? expand(half) : translated.ram.view.getInt32(offset, true))]++;
  }
}

/** Runs one random case to its end. */
function runCase(seed: number, rows: readonly Row[], setting: Setting): void {
  start(lockstep, seed, rows, setting);
  const { hart, clock } = lockstep.translated;
  for (let steps = 0; steps < 12 && clock.instructions < 200; steps++) {
    if (hart.waiting || hart.stopped) break;
    count(lockstep.step().native);
  }
  lockstep.compareAll();
}

/** Runs random cases, naming the one that fails. */
function runCases(seeds: number, rows: readonly Row[], setting: Setting): void {
  for (let seed = 0; seed < seeds; seed++) {
    try {
      runCase(seed, rows, setting);
    } catch (cause) {
      throw new Error(`seed ${seed}, ${rows[0][0]}`, { cause });
    }
  }
}

for (const [situation, setting] of Object.entries(settings)) {
  Deno.test(`each instruction ${situation} does as IR what the interpreter does`, () => {
    for (const row of INSTRUCTIONS) runCases(2, [row], setting);
  });
  for (const [group, rows] of Object.entries(groups)) {
    Deno.test(`${group} ${situation} do as IR what the interpreter does`, () => runCases(50, rows, setting));
  }
}

Deno.test("what kernels do on the way back to programs does as IR what the interpreter does", () => {
  const SUM = 1n << 18n, FS_CLEAN = 2n << 13n, SPIE = 1n << 5n;
  const CSRC = 0x10053073, CSRW = 0x10051073, SC = 0x18a4b02f; // of sstatus with a0; sc.d zero, a0, (s1)
  for (const idiom of [CSRC, CSRW, SC]) {
    for (const operand of [SUM, SUM | SPIE, SUM | FS_CLEAN, FS_CLEAN, FS_CLEAN | SPIE, FS_CLEAN >> 1n, 0n]) {
      for (const status of [SUM, SUM | FS_CLEAN, FS_CLEAN, 0n]) {
        for (const reserved of [0, 1]) {
          start(lockstep, Number(operand >> 13n), INSTRUCTIONS, settings["in S-mode without paging"]);
          lockstep.both(({ hart, ram, view }) => {
            ram.view.setInt32(0, idiom, true);
            hart.setRegister("mstatus", status);
            hart.setRegister("pc", BigInt(CODE));
            view.setBigUint64(xSlot(10), operand, true);
            view.setBigUint64(S_RESERVATION, view.getBigUint64(xSlot(9), true), true);
            hart.state[S_RESERVED >> 2] = reserved;
            hart.modeChanged();
          });
          const { native } = lockstep.step();
          lockstep.compareAll();
          const isUsual = idiom === CSRC
            ? operand === SUM && (status & SUM) !== 0n
            : idiom === CSRW
            ? (operand & ~SPIE) === FS_CLEAN && status === 0n
            : reserved === 0;
          if (isUsual) assert(native > 0, `${idiom.toString(16)} of ${operand} in ${status} is interpreted`);
        }
      }
    }
  }
});

Deno.test("every instruction that has a translation was executed as IR above", () => {
  const interpreted = TRANSLATE[idOf("illegal")];
  const missed = INSTRUCTIONS.filter((_, id) => TRANSLATE[id] !== interpreted && executed[id] === 0);
  assertEquals(missed.map(([name]) => name), []);
});

Deno.test("hammocks were executed often", () => assert(hammocks > 300, `only ${hammocks}`));
