/**
 * Loops over memory without a TLB probe per access.
 *
 * In a loop, most addresses are a sum of registers that each move by a constant per round (or not at all), some
 * of them shifted, plus a constant. All accesses through the same sum are a *stream*. Before the loop runs, the
 * code checks for each stream that everything one round touches lies in one page which the TLB has, and computes
 * how many rounds that stays true (nothing in the loop may touch the TLB meanwhile); the loop then runs so many
 * rounds with nothing but the page's addend, which is in a register where one is left. Whenever the check does not hold, the careful
 * copy of the block, which probes and leaves where it must, takes over for a round.
 *
 *     entry:    for each stream: one page? in the TLB?  no: careful
 *               rounds = min over streams of bytes left in the page / stride, and of budget / N
 *               fewer than a few rounds: careful
 *               set budget for the other rounds aside
 *               load what is carried in registers
 *     head:     the block, its streams unchecked
 *               sub r15d, N; js: store all, take the budget back, jmp entry
 *               jmp head                    (where nothing has to move first: jns head)
 *     careful:  the block as usual; jmp entry
 */
import * as ir from "../../ir.ts";
import { AffineSums, emitSum, MOST_COUNT } from "./affine.ts";
import {
  MOST_STREAMS,
  STATE_BUDGET_ASIDE,
  STATE_STREAMS,
  TLB_LOAD,
  TLB_OFFSET_MASK,
  TLB_STORE,
  tlbTable,
} from "../../layout.ts";
import { ALU_ADD, ALU_AND, ALU_CMP, ALU_SUB, type Assembler, SHIFT_SHR } from "./assembler.ts";
import { BUDGET, CC_A, CC_B, CC_NE, CC_S, RAX, RCX, RDI, RDX, RSI, STATE, STATE_BIAS } from "./registers.ts";

/** Largest step of a stream per round, in bytes, either way. */
const MOST_STRIDE = 1024;
/** Most bytes a stream may touch in a round. */
const MOST_SPAN = 2048;
/** Most rounds in one go: a 32-bit counter is then far from overflowing. */
const MOST_ROUNDS = 1 << 20;
/** Fewer rounds than this are not worth the check. */
const LEAST_ROUNDS = 3;
const ASIDE = STATE_BUDGET_ASIDE - STATE_BIAS;

/** Displacement of a stream's addend from the state register. */
export const streamCell = (stream: number): number => STATE_STREAMS + 8 * stream - STATE_BIAS;

/** The streamed variant of a memory op, or 0. */
function streamed(op: number): number {
  switch (op) {
    case ir.OP_LOAD:
      return ir.OP_STREAM_LOAD;
    case ir.OP_STORE:
      return ir.OP_STREAM_STORE;
    case ir.OP_FLOAD:
      return ir.OP_STREAM_FLOAD;
    case ir.OP_FSTORE:
      return ir.OP_STREAM_FSTORE;
  }
  return 0;
}

/** Whether an op keeps a loop from having streams: it probes or changes the TLB, or reads the clock. */
function excludes(op: number): boolean {
  return op === ir.OP_TIME || op === ir.OP_TRANSLATE_STORE || op === ir.OP_STATE_ADDRESS;
}

/** The streams of one loop. */
export class Streams {
  /** How many there are. */
  count = 0;
  /** The terms that a stream's addresses have in common: see affine.ts. */
  readonly #terms: Int32Array[] = [];
  readonly #stride = new Int32Array(MOST_STREAMS);
  readonly #first = new Int32Array(MOST_STREAMS);
  readonly #end = new Int32Array(MOST_STREAMS);
  readonly #loads = new Uint8Array(MOST_STREAMS);
  readonly #stores = new Uint8Array(MOST_STREAMS);
  /** Of a stream: the register that holds its addend, or -1: a cell in memory does. */
  readonly registers: Int8Array = new Int8Array(MOST_STREAMS).fill(-1);
  readonly #changed: number[] = [];
  /** Slots that count in 32 bits: affine as long as they do not overflow. */
  readonly #counters: number[] = [];
  readonly #sums: AffineSums;

  constructor(private readonly block: ir.Ir) {
    this.#sums = new AffineSums(block);
  }

  /**
   * Finds the streams of the block, a loop, and turns their accesses into streamed ones. False where there
   * is nothing to gain.
   */
  find(): boolean {
    const { block } = this;
    this.count = 0;
    this.registers.fill(-1);
    this.#changed.length = 0;
    this.#counters.length = 0;
    for (let i = 0; i < block.length; i++) {
      const op = streamed(block.op[i]);
      if (op === 0) {
        if (excludes(block.op[i])) return this.#none();
        continue;
      }
      // One probe in the loop might replace an entry that a stream relies on: all accesses are streamed, or none.
      const stream = this.#streamOf(i);
      if (stream < 0) return this.#none();
      const store = op === ir.OP_STREAM_STORE || op === ir.OP_STREAM_FSTORE;
      (store ? this.#stores : this.#loads)[stream] = 1;
      block.op[i] = op;
      block.hi[i] = stream;
      this.#changed.push(i);
    }
    return this.count > 0;
  }

  #none(): boolean {
    this.restore();
    return false;
  }

  /** Streams by how many accesses they have, most first. */
  byUse(): readonly number[] {
    const { block } = this;
    const uses = new Array<number>(this.count).fill(0);
    for (const i of this.#changed) uses[block.hi[i]]++;
    return uses.map((_, s) => s).sort((s, t) => uses[t] - uses[s]);
  }

  /** Turns the accesses back into ordinary ones. */
  restore(): void {
    const { block } = this;
    for (const i of this.#changed) {
      block.op[i] += ir.OP_LOAD - ir.OP_STREAM_LOAD;
      block.hi[i] = 0;
    }
    this.#changed.length = 0;
  }

  /** The stream an access belongs to, new if need be; -1 if its address is no stream's. */
  #streamOf(i: number): number {
    const { block } = this, sum = this.#sums;
    if (!sum.find(block.a[i])) return -1;
    const first = sum.offset + block.lo[i];
    const end = first + (block.c[i] & 15);
    for (let s = 0; s < this.count; s++) {
      if (!this.#isSumOf(s)) continue;
      const from = Math.min(this.#first[s], first), to = Math.max(this.#end[s], end);
      if (to - from > MOST_SPAN) return -1;
      this.#first[s] = from;
      this.#end[s] = to;
      return s;
    }
    if (this.count === MOST_STREAMS || Math.abs(first) > MOST_SPAN) return -1;
    const s = this.count;
    const terms = this.#terms[s] = sum.terms.slice(0, sum.count);
    const stride = sum.strideOf(terms, this.#counters);
    if (!(Math.abs(stride) <= MOST_STRIDE)) return -1;
    this.count++;
    this.#stride[s] = stride;
    this.#first[s] = first;
    this.#end[s] = end;
    this.#loads[s] = this.#stores[s] = 0;
    return s;
  }

  /** Whether the sum found last is a stream's. */
  #isSumOf(s: number): boolean {
    const terms = this.#terms[s], sum = this.#sums;
    return terms.length === sum.count && terms.every((term, t) => term === sum.terms[t]);
  }

  /**
   * Emits the check. All state is in memory. Falls through with the budget of all rounds but the first in
   * the budget register, and the rest put aside; jumps that lead to the careful copy are added to `careful`.
   */
  emitCheck(asm: Assembler, careful: number[]): void {
    const instructions = this.block.instructions;
    asm.movImm(RSI, MOST_ROUNDS, 0); // rounds after the first
    for (const slot of this.#counters) {
      // A sign-extended number well within 32 bits.
      asm.loadSized(4, true, RAX, STATE, -1, slot - STATE_BIAS);
      asm.aluMem(ALU_CMP, 1, RAX, STATE, slot - STATE_BIAS);
      careful.push(asm.jcc(CC_NE));
      asm.aluImm(ALU_ADD, 0, RAX, MOST_ROUNDS * MOST_COUNT);
      careful.push(asm.jcc(CC_S));
    }
    for (let s = 0; s < this.count; s++) this.#emitStream(asm, s, careful);
    asm.aluImm(ALU_CMP, 0, RSI, LEAST_ROUNDS);
    careful.push(asm.jcc(CC_B));
    // eax = budget of all rounds; where that is too much, of as many rounds as the budget allows.
    asm.lea(0, RDX, RSI, 1);
    asm.imulImm(0, RAX, RDX, instructions);
    asm.alu(ALU_CMP, 0, RAX, BUDGET);
    const enough = asm.jccShort(CC_A ^ 1);
    asm.movRR(0, RAX, BUDGET);
    asm.movImm(RDX, 0, 0);
    asm.movImm(RCX, instructions, 0);
    asm.group3(6, 0, RCX); // eax = rounds, edx = what is left over
    asm.aluImm(ALU_CMP, 0, RAX, LEAST_ROUNDS);
    careful.push(asm.jcc(CC_B));
    asm.imul(0, RAX, RCX);
    asm.bindShort(enough);
    asm.alu(ALU_SUB, 0, BUDGET, RAX);
    asm.store(0, STATE, ASIDE, BUDGET);
    asm.lea(0, BUDGET, RAX, -instructions);
  }

  #emitStream(asm: Assembler, s: number, careful: number[]): void {
    const { block } = this;
    const mmuIndex = block.context & 3;
    const stride = this.#stride[s], span = this.#end[s] - this.#first[s];
    emitSum(asm, this.#terms[s], RAX, RCX);
    if (this.#first[s] !== 0) asm.lea(1, RAX, RAX, this.#first[s]);
    // edx = bytes of the page before what this round touches, or behind it where it moves up
    asm.movRR(0, RDX, RAX);
    if (stride > 0) {
      asm.group3(2, 0, RDX);
      asm.aluImm(ALU_AND, 0, RDX, 4095);
      asm.aluImm(ALU_SUB, 0, RDX, span - 1);
      careful.push(asm.jcc(CC_S)); // two pages
    } else {
      asm.aluImm(ALU_AND, 0, RDX, 4095);
      asm.aluImm(ALU_CMP, 0, RDX, 4096 - span);
      careful.push(asm.jcc(CC_A));
    }
    asm.rorx(0, RCX, RAX, 8);
    asm.aluImm(ALU_AND, 0, RCX, TLB_OFFSET_MASK);
    asm.aluImm(ALU_AND, 1, RAX, -4096);
    for (const kind of [TLB_LOAD, TLB_STORE]) {
      if ((kind === TLB_LOAD ? this.#loads : this.#stores)[s] === 0) continue;
      const table = tlbTable(mmuIndex, kind) - STATE_BIAS;
      asm.aluMemIndex(ALU_CMP, 1, RAX, STATE, RCX, table);
      careful.push(asm.jcc(CC_NE));
      if (kind === TLB_LOAD || this.#loads[s] === 0) {
        asm.loadIndex(1, RDI, STATE, RCX, table + 8);
        asm.store(1, STATE, streamCell(s), RDI);
      }
    }
    if (stride === 0) return;
    const step = Math.abs(stride);
    if ((step & (step - 1)) === 0) asm.shiftImm(SHIFT_SHR, 0, RDX, 31 - Math.clz32(step));
    else {
      asm.imulImm(0, RDX, RDX, Math.floor(65536 / step)); // rounded down: at most a round too few
      asm.shiftImm(SHIFT_SHR, 0, RDX, 16);
    }
    asm.alu(ALU_CMP, 0, RDX, RSI);
    asm.cmov(CC_B, 0, RSI, RDX);
  }
}

/** Takes back the budget that was put aside. */
export function takeBudgetBack(asm: Assembler): void {
  asm.aluMem(ALU_ADD, 0, BUDGET, STATE, ASIDE);
  asm.storeImm(0, STATE, ASIDE, 0);
}
