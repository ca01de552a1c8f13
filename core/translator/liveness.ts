/**
 * Which ops of a block matter, and where values are used: one pass from the block's end to its start.
 *
 * A `set` is dead if the slot is set again before anything can leave the block; a pure op is dead if nobody
 * uses its value. Where a value is used next is looked for only when somebody wants to know: hardly any block has
 * more values at a time than hosts have registers.
 */
import { type Ir, IR_CAPACITY, OP_FSET, OP_SET } from "./ir.ts";
import { STATE_SLOTS } from "./layout.ts";
import {
  LEAVES,
  OP_INFO,
  PURE,
  USES,
  USES_A,
  USES_B,
  USES_C,
  USES_D,
  USES_LO,
  USES_MORE,
} from "./op_info.ts";

/** In place of an op's index: no use follows. */
export const NEVER = 0x7fff;

/** Uses of values in one block at a time. */
export class Liveness {
  /** Index of the last op that uses a value; -1 if none does. */
  readonly lastUse: Int32Array = new Int32Array(IR_CAPACITY);
  /** 1 where an op is dead. */
  readonly dead: Uint8Array = new Uint8Array(IR_CAPACITY);
  /** How often a value is used, after {@linkcode Liveness.countUses}. */
  readonly uses: Int32Array = new Int32Array(IR_CAPACITY);
  // The count of leaving ops seen when a slot's later set was, going backwards; valid if stamped this block.
  readonly #setSeen = new Int32Array(STATE_SLOTS);
  readonly #setStamp = new Int32Array(STATE_SLOTS);
  #stamp = 0;

  /** Analyses a block. */
  analyse(ir: Ir): void {
    const { lastUse, dead } = this;
    const n = ir.length;
    this.#stamp++;
    // Not by fill(): for as few elements as most blocks have, its call takes longer than the loop.
    for (let i = 0; i < n; i++) {
      lastUse[i] = -1;
      dead[i] = 0;
    }
    let leaving = 0;
    for (let i = n - 1; i >= 0; i--) {
      const op = ir.op[i];
      const info = OP_INFO[op];
      if (info === 0) continue;
      if (op === OP_SET || op === OP_FSET) {
        if (!ir.stub) {
          const s = ir.a[i] >> 3;
          if (this.#setStamp[s] === this.#stamp && this.#setSeen[s] === leaving) {
            dead[i] = 1;
            continue;
          }
          this.#setStamp[s] = this.#stamp;
          this.#setSeen[s] = leaving;
        }
      } else if ((info & PURE) !== 0 && lastUse[i] < 0) {
        dead[i] = 1;
        continue;
      }
      if ((info & LEAVES) !== 0) leaving++;
      if ((info & USES) === 0) continue;
      if ((info & USES_A) !== 0 && ir.a[i] >= 0 && lastUse[ir.a[i]] < 0) lastUse[ir.a[i]] = i;
      if ((info & USES_B) !== 0 && lastUse[ir.b[i]] < 0) lastUse[ir.b[i]] = i;
      if ((info & USES_MORE) === 0) continue;
      if ((info & USES_C) !== 0 && lastUse[ir.c[i]] < 0) lastUse[ir.c[i]] = i;
      if ((info & USES_D) !== 0 && lastUse[ir.d[i]] < 0) lastUse[ir.d[i]] = i;
      if ((info & USES_LO) !== 0 && lastUse[ir.lo[i]] < 0) lastUse[ir.lo[i]] = i;
    }
  }

  /** Index of the first op from the given one on that uses a value; NEVER where none does. */
  nextUse(ir: Ir, v: number, from: number): number {
    const last = Math.min(this.lastUse[v], ir.length - 1);
    for (let i = from; i <= last; i++) if (this.#isUse(ir, i, v)) return i;
    return NEVER;
  }

  /** Op j is computed at op i already, before it: values that it alone would use later than that are not kept for it. */
  useEarly(ir: Ir, i: number, j: number): void {
    for (const v of [ir.a[j], ir.b[j]]) {
      if (v === i || this.lastUse[v] !== j) continue;
      let last = j - 1;
      while (last > i && !this.#isUse(ir, last, v)) last--;
      this.lastUse[v] = last;
    }
  }

  /** Whether a live op uses a value. */
  #isUse(ir: Ir, i: number, v: number): boolean {
    const info = OP_INFO[ir.op[i]];
    return this.dead[i] === 0 &&
      ((info & USES_A) !== 0 && ir.a[i] === v || (info & USES_B) !== 0 && ir.b[i] === v ||
        (info & USES_C) !== 0 && ir.c[i] === v || (info & USES_D) !== 0 && ir.d[i] === v ||
        (info & USES_LO) !== 0 && ir.lo[i] === v);
  }

  /** Counts the uses of every value by live ops. */
  countUses(ir: Ir): void {
    const { uses, dead } = this;
    const n = ir.length;
    uses.fill(0, 0, n);
    for (let i = 0; i < n; i++) {
      if (dead[i] !== 0) continue;
      const info = OP_INFO[ir.op[i]];
      if ((info & USES_A) !== 0 && ir.a[i] >= 0) uses[ir.a[i]]++;
      if ((info & USES_B) !== 0) uses[ir.b[i]]++;
      if ((info & USES_C) !== 0) uses[ir.c[i]]++;
      if ((info & USES_D) !== 0) uses[ir.d[i]]++;
      if ((info & USES_LO) !== 0) uses[ir.lo[i]]++;
    }
  }
}
