/**
 * RISC-V platform-level interrupt controller. Gateways are level-triggered: a source that is high becomes
 * pending once, stays pending until some context claims it, and can become pending again only after that
 * claim was completed.
 *
 * Registers and rules: RISC-V Platform-Level Interrupt Controller Specification 1.0.0, chapters 3 to 9.
 * Only aligned 32-bit accesses reach a register; others read zero and write nothing.
 */
import type { Device, InterruptLine } from "./device.ts";

// Memory map (chapter 3). Source 0 does not exist.
const PRIORITY = 0x0;
const PENDING = 0x1000;
const ENABLE = 0x2000;
const ENABLE_STRIDE = 0x80;
const CONTEXT = 0x200000;
const CONTEXT_STRIDE = 0x1000;
const CONTEXT_THRESHOLD = 0;
const CONTEXT_CLAIM = 4;

/** Highest source number. */
export const PLIC_SOURCES = 95;
/** Bytes of address space, whatever the number of contexts. */
export const PLIC_SIZE = 0x600000;
const WORDS = (PLIC_SOURCES >> 5) + 1;
/** Priorities and thresholds are 0 (never) to 7. */
const PRIORITY_MASK = 7;

/** Everything a {@linkcode Plic} remembers, as plain data. */
export interface PlicState {
  readonly priority: number[];
  readonly level: number[];
  readonly pending: number[];
  readonly claimed: number[];
  readonly enable: number[];
  readonly threshold: number[];
}

/** A platform-level interrupt controller. */
export class Plic implements Device {
  readonly #priority = new Uint8Array(PLIC_SOURCES + 1);
  // One bit per source:
  readonly #level = new Int32Array(WORDS);
  readonly #pending = new Int32Array(WORDS);
  /** Claimed and not yet completed: the gateway forwards nothing. */
  readonly #claimed = new Int32Array(WORDS);
  /** WORDS words per context. */
  readonly #enable: Int32Array;
  readonly #threshold: Uint8Array;

  /** @param outputs The interrupt input each context drives, in context order. */
  constructor(private readonly outputs: readonly InterruptLine[]) {
    this.#enable = new Int32Array(WORDS * outputs.length);
    this.#threshold = new Uint8Array(outputs.length);
  }

  /** The input line of a source, 1 to {@linkcode PLIC_SOURCES}. */
  source(number: number): InterruptLine {
    if (!Number.isInteger(number) || number < 1 || number > PLIC_SOURCES) {
      throw new RangeError(`The PLIC has sources 1 to ${PLIC_SOURCES}, not ${number}`);
    }
    return { set: (level) => this.#drive(number, level) };
  }

  read(offset: number, size: number): number {
    if (size !== 4 || offset & 3) return 0;
    if (offset < PENDING) return this.#priority[(offset - PRIORITY) >> 2] ?? 0;
    if (offset < ENABLE) return (this.#pending[(offset - PENDING) >> 2] ?? 0) >>> 0;
    if (offset < CONTEXT) {
      const index = this.#enableIndex(offset);
      return index < 0 ? 0 : this.#enable[index] >>> 0;
    }
    const context = Math.floor((offset - CONTEXT) / CONTEXT_STRIDE);
    if (context >= this.outputs.length) return 0;
    switch (offset % CONTEXT_STRIDE) {
      case CONTEXT_THRESHOLD:
        return this.#threshold[context];
      case CONTEXT_CLAIM:
        return this.#claim(context);
    }
    return 0;
  }

  write(offset: number, value: number, size: number): void {
    if (size !== 4 || offset & 3) return;
    if (offset < PENDING) {
      const source = (offset - PRIORITY) >> 2;
      if (source >= 1 && source <= PLIC_SOURCES) this.#priority[source] = value & PRIORITY_MASK;
    } else if (offset < ENABLE) {
      return; // pending bits are read-only
    } else if (offset < CONTEXT) {
      const index = this.#enableIndex(offset);
      if (index >= 0) this.#enable[index] = index % WORDS === 0 ? value & ~1 : value;
    } else {
      const context = Math.floor((offset - CONTEXT) / CONTEXT_STRIDE);
      if (context >= this.outputs.length) return;
      switch (offset % CONTEXT_STRIDE) {
        case CONTEXT_THRESHOLD:
          this.#threshold[context] = value & PRIORITY_MASK;
          break;
        case CONTEXT_CLAIM:
          this.#complete(context, value);
          break;
      }
    }
    this.#updateOutputs();
  }

  reset(): void {
    // The levels stay: they belong to the devices that drive them.
    for (const table of [this.#priority, this.#pending, this.#claimed, this.#enable, this.#threshold]) {
      table.fill(0);
    }
    for (let w = 0; w < WORDS; w++) this.#pending[w] = this.#level[w];
    this.#updateOutputs();
  }

  /** The device's state as plain data. */
  save(): PlicState {
    return {
      priority: Array.from(this.#priority),
      level: Array.from(this.#level),
      pending: Array.from(this.#pending),
      claimed: Array.from(this.#claimed),
      enable: Array.from(this.#enable),
      threshold: Array.from(this.#threshold),
    };
  }

  /** Puts back what {@linkcode Plic.save} gave. */
  restore(state: PlicState): void {
    const copy = (to: Uint8Array | Int32Array, from: number[]) => {
      for (let i = 0; i < to.length; i++) to[i] = from[i] ?? 0;
    };
    copy(this.#priority, state.priority.map((p) => p & PRIORITY_MASK));
    copy(this.#level, state.level);
    copy(this.#pending, state.pending);
    copy(this.#claimed, state.claimed);
    copy(this.#enable, state.enable);
    copy(this.#threshold, state.threshold.map((t) => t & PRIORITY_MASK));
    this.#updateOutputs();
  }

  /** Index into #enable of a register in the enable area, -1 where there is none. */
  #enableIndex(offset: number): number {
    const context = Math.floor((offset - ENABLE) / ENABLE_STRIDE);
    const word = ((offset - ENABLE) % ENABLE_STRIDE) >> 2;
    return context < this.outputs.length && word < WORDS ? context * WORDS + word : -1;
  }

  #drive(source: number, level: boolean): void {
    const word = source >> 5, bit = 1 << (source & 31);
    if (((this.#level[word] & bit) !== 0) === level) return;
    if (!level) {
      this.#level[word] &= ~bit; // a request already forwarded stays pending (chapter 8)
      return;
    }
    this.#level[word] |= bit;
    if (this.#claimed[word] & bit) return;
    this.#pending[word] |= bit;
    this.#updateOutputs();
  }

  /** The pending, enabled source of highest priority above `threshold`; the lowest number wins a tie. */
  #best(context: number, threshold: number): number {
    let best = 0, bestPriority = threshold;
    for (let w = 0; w < WORDS; w++) {
      let bits = this.#pending[w] & this.#enable[context * WORDS + w];
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        const source = w * 32 + bit;
        if (this.#priority[source] > bestPriority) {
          best = source;
          bestPriority = this.#priority[source];
        }
      }
    }
    return best;
  }

  /** A claim ignores the threshold (chapter 7). */
  #claim(context: number): number {
    const source = this.#best(context, 0);
    if (source !== 0) {
      const bit = 1 << (source & 31);
      this.#pending[source >> 5] &= ~bit;
      this.#claimed[source >> 5] |= bit;
      this.#updateOutputs();
    }
    return source;
  }

  /** Completing a source that the context has not enabled is ignored (chapter 9). */
  #complete(context: number, source: number): void {
    if (source < 1 || source > PLIC_SOURCES) return;
    const word = source >> 5, bit = 1 << (source & 31);
    if (!(this.#enable[context * WORDS + word] & bit)) return;
    this.#claimed[word] &= ~bit;
    this.#pending[word] |= this.#level[word] & bit;
  }

  #updateOutputs(): void {
    for (let c = 0; c < this.outputs.length; c++) {
      this.outputs[c].set(this.#best(c, this.#threshold[c]) !== 0);
    }
  }
}
