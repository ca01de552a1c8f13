/**
 * Regions: several blocks of one page that jump to each other with the guest's most used registers in host
 * registers, the same ones at every head. A loop that goes this way and that is one region: from wherever it
 * leaves the likeliest way, it comes back without having stored and loaded what it is about.
 *
 *     entry of a block:  load what is carried        (from outside)
 *     head:              sub r15d, N; js ...         (from within)
 *                        ...
 *     edge:              store what is not carried, move what is to its registers; jmp head of another block
 *
 * Memory is behind in all carried slots that any of the blocks sets; exits to elsewhere store them all.
 */
import type { Assembler } from "./assembler.ts";

/** A region being emitted. */
export class Region {
  /** Head of each block, by the low half of its pc; 0 until it is emitted. */
  readonly #heads: Map<number, number>;
  /** Jumps to be patched: position, low half of the pc. */
  readonly #jumps: number[] = [];

  /**
   * @param pcs Low halves of the blocks' pcs.
   * @param slots Integer slots that are carried.
   * @param set For each, whether any of the blocks sets it.
   */
  constructor(
    pcs: readonly number[],
    readonly slots: readonly number[],
    readonly set: readonly boolean[],
  ) {
    this.#heads = new Map(pcs.map((pc) => [pc, 0]));
  }

  /** Whether a block of the region begins at a pc. */
  has(pcLo: number): boolean {
    return this.#heads.has(pcLo);
  }

  /** Notes where a block's head is. */
  place(pcLo: number, position: number): void {
    this.#heads.set(pcLo, position);
  }

  /** Emits a jump to a block's head. */
  jump(asm: Assembler, pcLo: number): void {
    const head = this.#heads.get(pcLo)!;
    if (head !== 0) asm.jmpTo(head);
    else this.#jumps.push(asm.jmp(), pcLo);
  }

  /** Patches the jumps to heads that were emitted after them. */
  link(asm: Assembler): void {
    for (let i = 0; i < this.#jumps.length; i += 2) {
      const at = this.#jumps[i];
      asm.bind(at, this.#heads.get(this.#jumps[i + 1])!);
    }
  }
}
