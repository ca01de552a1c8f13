/**
 * The table in which generated code looks for the block at a pc, once it knows the RAM page that the pc is in. What it
 * does not find there the engine knows, or makes. A set is a cache line of the host's: it holds four blocks, the one
 * that was missing last first.
 */

/** log2 of the number of sets. */
export const BLOCK_SETS_BITS = 15;
/** Entries of a set. */
export const BLOCK_WAYS = 4;
/** Bytes per entry: pc (8); page and context, as {@linkcode blockTag} has them (4; 0: empty); code address (4). */
export const BLOCK_ENTRY_BYTES = 16;
/** log2 of the bytes of a set. */
export const BLOCK_SET_SHIFT = 6;
/** Bytes of the table. */
export const BLOCK_TABLE_BYTES: number = 1 << BLOCK_SETS_BITS + BLOCK_SET_SHIFT;

const ENTRY_WORDS = BLOCK_ENTRY_BYTES >> 2;
const SET_WORDS = BLOCK_WAYS * ENTRY_WORDS;
const TAG = 2, CODE = 3;

/** What tells blocks of the same pc apart. RAM has less than 2^20 pages, a context 8 bits. */
export function blockTag(ramPage: number, context: number): number {
  return (ramPage << 8 | context) + 1;
}

/** The table, in memory that generated code can address. */
export class BlockTable {
  /** @param words {@linkcode BLOCK_TABLE_BYTES} of zeroes. */
  constructor(private readonly words: Int32Array) {}

  /** Enters a block, in place of the one of its set that came first where that is full. */
  publish(pcLo: number, pcHi: number, tag: number, code: number): void {
    const { words } = this;
    const first = setOf(pcLo), last = first + SET_WORDS - ENTRY_WORDS;
    let to = first;
    while (to < last && words[to + TAG] !== 0 && words[to + CODE] !== code) to += ENTRY_WORDS;
    // Not by copyWithin(): its call takes longer than so short a loop.
    for (let at = to + ENTRY_WORDS - 1; at >= first + ENTRY_WORDS; at--) words[at] = words[at - ENTRY_WORDS];
    words[first] = pcLo;
    words[first + 1] = pcHi;
    words[first + TAG] = tag;
    words[first + CODE] = code;
  }

  /** Takes a block out, if it is there. */
  retract(pcLo: number, pcHi: number, code: number): void {
    const { words } = this;
    const first = setOf(pcLo);
    for (let at = first; at < first + SET_WORDS; at += ENTRY_WORDS) {
      if (words[at] === pcLo && words[at + 1] === pcHi && words[at + CODE] === code) words[at + TAG] = 0;
    }
  }

  /** The code of a block, as generated code finds it; 0 where it does not. */
  find(pcLo: number, pcHi: number, tag: number): number {
    const { words } = this;
    const first = setOf(pcLo);
    for (let at = first; at < first + SET_WORDS; at += ENTRY_WORDS) {
      if (words[at] === pcLo && words[at + 1] === pcHi && words[at + TAG] === tag) return words[at + CODE];
    }
    return 0;
  }

  /** Empties the table. */
  clear(): void {
    this.words.fill(0);
  }
}

/** The first word of a pc's set. */
function setOf(pcLo: number): number {
  return (((pcLo >>> 1) ^ (pcLo >>> 13)) & ((1 << BLOCK_SETS_BITS) - 1)) * SET_WORDS;
}
