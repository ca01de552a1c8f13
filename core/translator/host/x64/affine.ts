/**
 * Addresses in a loop as sums of slots, each of which moves by a constant per round, or not at all; some are
 * shifted, some subtracted, and a constant is added.
 */
import * as ir from "../../ir.ts";
import { ALU_ADD, type Assembler, SHIFT_SHL } from "./assembler.ts";
import { STATE, STATE_BIAS } from "./registers.ts";

/** Most slots in a sum. */
const MOST_TERMS = 3;
/** Largest shift of a slot in a sum. */
const MOST_SHIFT = 6;
/** In a term: it is subtracted. */
const NEGATIVE = 8;
/** Largest step of a 32-bit counter per round. */
export const MOST_COUNT = 512;

/** The sums of one block at a time. */
export class AffineSums {
  /** The sum found last: terms of slot << 4 | NEGATIVE | shift, in order. */
  readonly terms: Int32Array = new Int32Array(MOST_TERMS);
  /** How many terms it has. */
  count = 0;
  /** What is added to them. */
  offset = 0;

  constructor(private readonly block: ir.Ir) {}

  /** Takes a value apart into a sum of slots and a constant. False if it is none. */
  find(v: number): boolean {
    this.count = 0;
    this.offset = 0;
    if (!this.#add(v, 0, 0)) return false;
    this.terms.subarray(0, this.count).sort();
    return true;
  }

  /** Adds a value, shifted and perhaps negated, to the sum. */
  #add(v: number, shift: number, sign: number): boolean {
    const { block } = this;
    const a = block.a[v], b = block.b[v];
    switch (block.op[v]) {
      case ir.OP_CONST:
        this.offset += block.lo[v] * 2 ** shift * (sign === 0 ? 1 : -1);
        return block.isConst32(v) && Math.abs(this.offset) < 2 ** 30;
      case ir.OP_ADD64:
        return this.#add(a, shift, sign) && this.#add(b, shift, sign);
      case ir.OP_SUB64:
        return this.#add(a, shift, sign) && this.#add(b, shift, sign ^ NEGATIVE);
      case ir.OP_SHL64:
        if (block.op[b] !== ir.OP_CONST) return false;
        shift += block.lo[b] & 63;
        return shift <= MOST_SHIFT && this.#add(a, shift, sign);
      case ir.OP_ADD_SHIFTED:
        if (shift + block.c[v] > MOST_SHIFT) return false;
        return this.#add(a, shift, sign) && this.#add(b, shift + block.c[v], sign);
      case ir.OP_GET:
        if (this.count === MOST_TERMS) return false;
        this.terms[this.count++] = a << 4 | sign | shift;
        return true;
    }
    return false;
  }

  /**
   * What a round adds to the sum of some terms; not finite where that is not a constant.
   *
   * @param counters Collects slots that count in 32 bits: they are affine as long as they do not overflow.
   */
  strideOf(terms: Int32Array, counters: number[]): number {
    let stride = 0;
    for (const term of terms) {
      stride += this.#step(term >> 4, counters) * 2 ** (term & 7) * ((term & NEGATIVE) === 0 ? 1 : -1);
    }
    return stride;
  }

  /** What a round adds to a slot; infinite where that is not a constant. Overwrites the sum found last. */
  #step(slot: number, counters: number[]): number {
    const { block } = this;
    for (let i = block.length - 1; i >= 0; i--) {
      if (block.op[i] !== ir.OP_SET || block.a[i] !== slot) continue;
      const v = block.b[i], counted = block.a[v];
      if (block.op[v] === ir.OP_SEXT32 && block.op[counted] === ir.OP_ADD32) {
        const from = block.a[counted], step = block.b[counted];
        const counts = block.op[from] === ir.OP_GET && block.a[from] === slot && block.isConst32(step) &&
          Math.abs(block.lo[step]) <= MOST_COUNT;
        if (!counts) return Infinity;
        if (!counters.includes(slot)) counters.push(slot);
        return block.lo[step];
      }
      const found = this.find(v) && this.count === 1 && this.terms[0] === slot << 4;
      return found ? this.offset : Infinity;
    }
    return 0;
  }
}

/** Emits the sum of some terms, all of which are in memory, without its constant, in `sum`. */
export function emitSum(asm: Assembler, terms: Int32Array, sum: number, scratch: number): void {
  terms.forEach((term, t) => {
    const r = t === 0 ? sum : scratch;
    asm.load(1, r, STATE, (term >> 4) - STATE_BIAS);
    if ((term & NEGATIVE) !== 0) asm.group3(3, 1, r);
    if ((term & 7) !== 0) asm.shiftImm(SHIFT_SHL, 1, r, term & 7);
    if (t > 0) asm.alu(ALU_ADD, 1, sum, scratch);
  });
}
