/** Which state slots some blocks use most, weighted by how often they run: what is worth a register. */
import { type Ir, OP_GET, OP_SET } from "./ir.ts";
import { STATE_SLOTS } from "./layout.ts";

/** Uses of integer slots in several blocks. */
export class SlotUse {
  readonly #weight = new Float64Array(STATE_SLOTS);
  readonly #isUsed = new Int32Array(STATE_SLOTS);
  readonly #isSet = new Uint8Array(STATE_SLOTS);
  /** 1 where a slot is set to what may be no sign extension of a 32-bit number. */
  readonly #isWide = new Uint8Array(STATE_SLOTS);
  /** The last block that sets a slot. */
  readonly #setBy = new Int32Array(STATE_SLOTS);
  #block = 0;
  readonly #used: number[] = [];
  /** Pairs: the first slot is set to a sign extension if the second holds one at the block's entry. */
  readonly #relies: [number, number][] = [];

  /** Forgets everything. */
  clear(): void {
    for (const s of this.#used) {
      this.#weight[s] =
        this.#isUsed[s] =
        this.#isSet[s] =
        this.#isWide[s] =
          0;
    }
    this.#used.length = this.#relies.length = 0;
  }

  /** Adds a block that was seen to run so many times. */
  add(ir: Ir, times: number): void {
    this.#block++;
    for (let i = 0; i < ir.length; i++) {
      const op = ir.op[i];
      if (op !== OP_GET && op !== OP_SET) continue;
      const s = ir.a[i] >> 3;
      if (this.#isUsed[s]++ === 0) this.#used.push(s);
      if (op === OP_SET && this.#isWide[s] === 0) {
        const relied: number[] = [];
        if (!ir.isSigned32(ir.b[i], undefined, relied)) this.#isWide[s] = 1;
        for (const slot of relied) this.#relies.push([ir.a[i], slot]);
      }
      if (op === OP_GET) this.#weight[s] += times;
      else if (this.#setBy[s] !== this.#block) {
        this.#setBy[s] = this.#block;
        this.#isSet[s] = 1;
        this.#weight[s] += times;
      }
    }
  }

  /** The slots used most, at most so many. */
  most(count: number): number[] {
    const used = [...this.#used].sort((a, b) => this.#weight[b] - this.#weight[a]);
    return used.slice(0, count).map((s) => s << 3);
  }

  /** Adds to some slots those which must hold sign extensions for the first ones to be set to nothing else. */
  addRelied(slots: Set<number>): void {
    for (let before = -1; before !== slots.size;) {
      before = slots.size;
      for (const [slot, relied] of this.#relies) if (slots.has(slot)) slots.add(relied);
    }
  }

  /** All slots that are used. */
  slots(): number[] {
    return this.#used.map((s) => s << 3);
  }

  /** The slots that are set to nothing but sign extensions of 32-bit numbers. */
  signed(): number[] {
    return this.#used.filter((s) => this.#isWide[s] === 0).map((s) => s << 3);
  }

  /** Whether any block sets a slot. */
  isSet(slot: number): boolean {
    return this.#isSet[slot >> 3] !== 0;
  }
}
