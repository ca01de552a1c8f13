/**
 * Where generated code goes on when one of its accesses by the mirror faults: a hash table in host memory, which
 * the signal handler searches (see `fault_handler.ts`).
 *
 * Entries are two words, the address of the access and the address of the code that goes on; an empty one is 0.
 */

/** log2 of the number of entries. */
const TABLE_BITS = 16;
/** Bits by which a hash is shifted to be an entry's number. */
export const HASH_SHIFT: number = 32 - TABLE_BITS;
/** Mask of an entry's number. */
export const ENTRY_MASK: number = (1 << TABLE_BITS) - 1;
/** What an address is multiplied with (modulo 2^32) to get its hash: 2^32 over the golden ratio. */
export const HASH_FACTOR = 0x9e3779b1 | 0;
/** Bytes of a table. */
export const FAULT_TABLE_BYTES: number = 8 << TABLE_BITS;
/** More entries than this make searches long. */
const MOST_ENTRIES = 1 << (TABLE_BITS - 1);
/** No block has more accesses than this. */
const MOST_PER_BLOCK = 1024;

/** The table of one span of code memory. */
export class FaultTable {
  #entries = 0;

  constructor(private readonly words: Int32Array) {}

  /** Whether there is room for another block's. */
  hasRoom(): boolean {
    return this.#entries + MOST_PER_BLOCK <= MOST_ENTRIES;
  }

  /** The access at a host address goes on at another one when it faults. */
  add(access: number, target: number): void {
    const { words } = this;
    let entry = Math.imul(access, HASH_FACTOR) >>> HASH_SHIFT;
    while (words[2 * entry] !== 0) entry = (entry + 1) & ENTRY_MASK;
    words[2 * entry] = access;
    words[2 * entry + 1] = target;
    this.#entries++;
  }

  /** Forgets everything. */
  clear(): void {
    if (this.#entries > 0) this.words.fill(0);
    this.#entries = 0;
  }
}
