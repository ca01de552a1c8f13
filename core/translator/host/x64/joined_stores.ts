/**
 * Bytes that are stored one by one next to each other, all four of a word: how compilers for machines that cannot be
 * trusted with unaligned words copy such a word. It is mostly read as a word soon. A host cannot forward several stores
 * to one load: the load waits, for a dozen cycles and more, until all of them have reached the cache. So the first of
 * these stores makes them all.
 *
 * That is only done by the mirror, where a store either is made as a whole or faults, and then nothing was stored:
 * the interpreter goes on with the first byte. Nothing lies between the stores that could leave the block.
 */
import * as ir from "../../ir.ts";
import { LEAVES, OP_INFO } from "../../op_info.ts";
import { FOLLOWS, type MirrorChecks } from "./mirror_checks.ts";

/** Bytes that one store makes: each is in a register then. */
const BYTES = 4;

/** The joined stores of one block at a time. */
export class JoinedStores {
  /** By the op that makes them: the ops that store the bytes of a word, its lowest byte first. */
  readonly #joined = new Map<number, readonly number[]>();
  readonly #made = new Set<number>();
  /** Stores of bytes through one value, one after the other. */
  readonly #run = new Int32Array(BYTES);
  #runLength = 0;

  constructor(private readonly block: ir.Ir) {}

  /** The ops whose bytes op i stores, the lowest address first; undefined where it stores its own. */
  bytesOf(i: number): readonly number[] | undefined {
    return this.#joined.get(i);
  }

  /** Whether an earlier op has made op i's store. */
  isMade(i: number): boolean {
    return this.#made.has(i);
  }

  /** Leaves every store by itself. */
  clear(): void {
    this.#runLength = 0;
    if (this.#joined.size === 0) return; // there are few of them, and emptying what is empty takes its time, too
    this.#joined.clear();
    this.#made.clear();
  }

  /** Finds the joined stores of the block, whose accesses are made by the mirror where it is known what they reach. */
  find(checks: MirrorChecks): void {
    const { block } = this;
    this.clear();
    let reach = ir.REACHES_UNKNOWN;
    for (let i = 0; i < block.length; i++) {
      const op = block.op[i];
      if (op === ir.OP_INSN) reach = block.b[i];
      else if (op === ir.OP_STORE && block.c[i] === 1 && reach !== ir.REACHES_UNKNOWN) {
        if (this.#runLength > 0 && !this.#continues(i, checks)) this.#runLength = 0;
        this.#run[this.#runLength++] = i;
        if (this.#runLength === BYTES) this.#join();
      } else if ((OP_INFO[op] & LEAVES) !== 0) this.#runLength = 0;
    }
  }

  /** Whether a store may be made by the first of the run: through the same value, with one that is there by then. */
  #continues(i: number, checks: MirrorChecks): boolean {
    const { block } = this, first = this.#run[0];
    return block.a[i] === block.a[first] && block.b[i] < first && checks.of[i] === FOLLOWS;
  }

  /** Joins the stores of the run if they are to the bytes of a word. */
  #join(): void {
    const { lo } = this.block;
    const [...bytes] = this.#run.toSorted((i, j) => lo[i] - lo[j]);
    const isWord = bytes.every((i, k) => lo[i] === lo[bytes[0]] + k);
    const [first, ...others] = this.#run;
    if (isWord) {
      this.#joined.set(first, bytes);
      for (const i of others) this.#made.add(i);
    }
    this.#runLength = 0;
  }
}
