/**
 * Descriptions of where values are, made while a block is emitted, and the code that is made of them later: stores
 * at exits, and what it takes to go on in another block of a region.
 *
 * A description is a run of words in an Int32Array: per slot its state offset, where its value is, and what
 * belongs to that.
 */
import type { Ir } from "../../ir.ts";
import type { Assembler } from "./assembler.ts";
import { emitChain } from "./recompute.ts";
import { RAX, STATE, STATE_BIAS } from "./registers.ts";

/** XMM register n is register number XMM + n in a description. */
export const XMM = 16;
/** The value is an FP single to be NaN-boxed (added to the register number). */
export const WHERE_SINGLE = 16;
/** A constant, whose halves follow. */
export const WHERE_CONST = 48;
/** In the table of sites alone: a constant whose high half is the sign of its low half, which follows. */
export const WHERE_SMALL_CONST = 52;
/** Of what a region carries: in the slot's memory (the slot follows). */
export const WHERE_SLOT = 49;
/** Of a lazy value: in memory at a state offset, which follows. */
export const WHERE_MEMORY = 50;
/** Of a lazy value: to be computed. The value, its leaf, and where that and the other leaf are, follow. */
export const WHERE_DEFERRED = 51;

/** Emits what descriptions say. */
export class Stores {
  constructor(private readonly ir: Ir, private readonly asm: Assembler) {}

  /** Emits stores of what is described in `[from, to)` of `data`. */
  emit(data: Int32Array, from: number, to: number): void {
    while (from < to) {
      const slot = data[from++];
      const where = data[from++];
      switch (where) {
        case WHERE_CONST:
          this.constant(slot, data[from], data[from + 1]);
          from += 2;
          break;
        case WHERE_MEMORY:
          this.asm.load(1, RAX, STATE, data[from++] - STATE_BIAS);
          this.register(slot, RAX);
          break;
        case WHERE_DEFERRED:
          emitChain(this.asm, this.ir, data[from], data[from + 1], data[from + 2], data[from + 3]);
          this.register(slot, RAX);
          from += 4;
          break;
        default:
          this.register(slot, where);
      }
    }
  }

  /**
   * Emits what a description of an edge in `[from, to)` says: it begins with where its stores end, and goes on
   * with registers and what shall be in them.
   */
  emitEdge(data: Int32Array, from: number, to: number): void {
    let at = data[from];
    this.emit(data, from + 1, at);
    const moves: [number, number][] = [];
    const loads: number[] = [];
    while (at < to) {
      const where = data[at + 1];
      if (where < WHERE_CONST) moves.push([data[at], where]);
      else loads.push(at);
      at += where < WHERE_CONST ? 2 : where === WHERE_CONST ? 4 : 3;
    }
    this.moveAll(moves);
    for (const load of loads) {
      if (data[load + 1] === WHERE_CONST) this.asm.movImm(data[load], data[load + 2], data[load + 3]);
      else this.load(data[load + 2], data[load]);
    }
  }

  /** Stores a register, given as in a description, to a slot. */
  register(slot: number, where: number): void {
    const disp = slot - STATE_BIAS;
    if (where < XMM) this.asm.store(1, STATE, disp, where);
    else if (where < XMM + WHERE_SINGLE) this.asm.fstore(8, STATE, -1, disp, where - XMM);
    else {
      this.asm.fstore(4, STATE, -1, disp, where - XMM - WHERE_SINGLE);
      this.asm.storeImm(0, STATE, disp + 4, -1);
    }
  }

  /** Stores a constant to a slot. */
  constant(slot: number, lo: number, hi: number): void {
    const disp = slot - STATE_BIAS;
    if (hi === lo >> 31) this.asm.storeImm(1, STATE, disp, lo);
    else {
      this.asm.storeImm(0, STATE, disp, lo);
      this.asm.storeImm(0, STATE, disp + 4, hi);
    }
  }

  /** Loads a slot into a register. */
  load(slot: number, r: number): void {
    if (r >= XMM) this.asm.fload(8, r - XMM, STATE, -1, slot - STATE_BIAS);
    else this.asm.load(1, r, STATE, slot - STATE_BIAS);
  }

  /**
   * Moves registers to registers, given as pairs of destination and source, all at once: a move is made once
   * nothing waits for what is in its destination; a circle is broken through scratch.
   */
  moveAll(moves: [number, number][]): void {
    while (moves.length > 0) {
      const free = moves.findIndex(([to]) => !moves.some(([, from]) => from === to));
      if (free >= 0) {
        const [[to, from]] = moves.splice(free, 1);
        this.#move(to, from);
      } else {
        const [, from] = moves[0];
        const scratch = from >= XMM ? XMM : RAX;
        this.#move(scratch, from);
        for (const move of moves) if (move[1] === from) move[1] = scratch;
      }
    }
  }

  #move(to: number, from: number): void {
    if (to >= XMM) this.asm.fmov(to - XMM, from - XMM);
    else this.asm.movRR(1, to, from);
  }
}
