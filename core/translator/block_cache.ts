/**
 * Translated blocks: found by where they were taken from, linked to each other, dropped when the guest
 * writes over them.
 *
 * A block is identified by RAM offset, virtual pc (its code contains pcs) and context. Flat arrays, chained
 * by index, all bounded: when one is full everything is thrown away and translation starts over.
 */
import { PAGE_SIZE } from "../memory.ts";

const HASH_BITS = 16;
/** log2 of the writes that a page with code takes before all of it is dropped for the first time. */
const FIRST_PATIENCE = 5;
/** Most blocks kept at a time. */
export const MAX_BLOCKS = 1 << 18;
/** Of all tables, per block and per page of RAM. */
const BLOCK_BYTES = 40, PAGE_BYTES = 16;

/** The blocks of one machine. */
export class BlockCache {
  readonly pcLo: Int32Array;
  readonly pcHi: Int32Array;
  /** RAM offset of the entry. */
  readonly offset: Float64Array;
  readonly context: Uint16Array;
  /** Guest instructions on the way to the block's end. */
  readonly instructions: Uint16Array;
  /** Host address of the code; 0 for a dropped block. */
  readonly code: Int32Array;
  /** First of the links that jump here (linked through the exit tables), or -1. */
  readonly incoming: Int32Array;
  // Bytes of the page the block was taken from: [from, to)
  readonly #from: Uint16Array;
  readonly #to: Uint16Array;
  // Chains of blocks, by number + 1: tables that begin as zeros need not be filled.
  readonly #hash: Int32Array;
  readonly #hashNext: Int32Array;
  readonly #pageFirst: Int32Array;
  readonly #pageNext: Int32Array;
  /** 64 bits per page: which 64-byte granules hold code. */
  readonly #granules: Int32Array;
  /** Writes to each page since it was last given up, and log2 of how many it takes to give it up again. */
  readonly #writes: Uint16Array;
  readonly #patience: Uint8Array;
  /** Blocks handed out since the last clear. */
  count = 0;

  /** @param pages Number of RAM pages. */
  constructor(pages: number) {
    // One allocation, so large that hosts give it as untouched pages: of a smaller one they clear 128 KiB at once.
    const buffer = new ArrayBuffer((4 << HASH_BITS) + BLOCK_BYTES * MAX_BLOCKS + PAGE_BYTES * pages);
    let at = 0;
    const place = (elementBytes: number, length: number): [ArrayBuffer, number, number] => {
      const start = at;
      at += elementBytes * length;
      return [buffer, start, length];
    };
    this.offset = new Float64Array(...place(8, MAX_BLOCKS));
    this.pcLo = new Int32Array(...place(4, MAX_BLOCKS));
    this.pcHi = new Int32Array(...place(4, MAX_BLOCKS));
    this.code = new Int32Array(...place(4, MAX_BLOCKS));
    this.incoming = new Int32Array(...place(4, MAX_BLOCKS));
    this.#hashNext = new Int32Array(...place(4, MAX_BLOCKS));
    this.#pageNext = new Int32Array(...place(4, MAX_BLOCKS));
    this.context = new Uint16Array(...place(2, MAX_BLOCKS));
    this.instructions = new Uint16Array(...place(2, MAX_BLOCKS));
    this.#from = new Uint16Array(...place(2, MAX_BLOCKS));
    this.#to = new Uint16Array(...place(2, MAX_BLOCKS));
    this.#hash = new Int32Array(...place(4, 1 << HASH_BITS));
    this.#granules = new Int32Array(...place(4, 2 * pages));
    this.#pageFirst = new Int32Array(...place(4, pages));
    this.#writes = new Uint16Array(...place(2, pages));
    this.#patience = new Uint8Array(...place(1, pages));
  }

  #bucket(offset: number, context: number): number {
    return ((offset / 2) ^ (offset / 131072) ^ (context << 9)) & ((1 << HASH_BITS) - 1);
  }

  /** The block for this code, or -1. */
  find(offset: number, pcLo: number, pcHi: number, context: number): number {
    for (let b = this.#hash[this.#bucket(offset, context)] - 1; b >= 0; b = this.#hashNext[b] - 1) {
      if (
        this.offset[b] === offset && this.pcLo[b] === pcLo && this.pcHi[b] === pcHi &&
        this.context[b] === context
      ) return b;
    }
    return -1;
  }

  /** Whether another block fits. */
  hasRoom(): boolean {
    return this.count < MAX_BLOCKS;
  }

  /** The number the next added block will have. */
  get next(): number {
    return this.count;
  }

  /** Adds a block taken from RAM offsets `[from, to)` of one page. */
  add(
    offset: number,
    pcLo: number,
    pcHi: number,
    context: number,
    instructions: number,
    code: number,
    from: number,
    to: number,
  ): number {
    const b = this.count++;
    this.offset[b] = offset;
    this.pcLo[b] = pcLo;
    this.pcHi[b] = pcHi;
    this.context[b] = context;
    this.instructions[b] = instructions;
    this.code[b] = code;
    this.incoming[b] = -1;
    const page = Math.floor(offset / PAGE_SIZE);
    const first = from - page * PAGE_SIZE, end = to - page * PAGE_SIZE;
    this.#from[b] = first;
    this.#to[b] = end;
    const bucket = this.#bucket(offset, context);
    this.#hashNext[b] = this.#hash[bucket];
    this.#hash[bucket] = b + 1;
    this.#pageNext[b] = this.#pageFirst[page];
    this.#pageFirst[page] = b + 1;
    this.#markGranules(page, first, end);
    return b;
  }

  #markGranules(page: number, first: number, end: number): void {
    for (let g = first >> 6; g <= (end - 1) >> 6; g++) this.#granules[2 * page + (g >> 5)] |= 1 << (g & 31);
  }

  /** Whether `size` bytes at a RAM offset (within one page) may overlap translated code. */
  touchesCode(offset: number, size: number): boolean {
    const page = Math.floor(offset / PAGE_SIZE);
    const first = offset - page * PAGE_SIZE;
    for (let g = first >> 6; g <= (first + size - 1) >> 6; g++) {
      if ((this.#granules[2 * page + (g >> 5)] & (1 << (g & 31))) !== 0) return true;
    }
    return false;
  }

  /**
   * Notes a write to a page with code. True when it is time to drop all of its blocks: a page that is written
   * to again and again serves another purpose now. Where it proves to hold code still, the next time is later.
   */
  givesUp(page: number): boolean {
    if (++this.#writes[page] >> (FIRST_PATIENCE + this.#patience[page]) === 0) return false;
    this.#writes[page] = 0;
    if (FIRST_PATIENCE + this.#patience[page] < 15) this.#patience[page]++;
    return true;
  }

  /**
   * Drops the blocks that overlap `size` bytes at a RAM offset (within one page), telling about each before
   * it goes. Returns whether the page still holds code.
   *
   * @param keeps Tells which of them stay nevertheless.
   */
  drop(
    offset: number,
    size: number,
    dropped: (block: number) => void,
    keeps: (block: number) => boolean = () => false,
  ): boolean {
    const page = Math.floor(offset / PAGE_SIZE);
    const first = offset - page * PAGE_SIZE, end = first + size;
    let previous = -1;
    this.#granules[2 * page] = this.#granules[2 * page + 1] = 0;
    for (let b = this.#pageFirst[page] - 1; b >= 0; b = this.#pageNext[b] - 1) {
      if (this.#from[b] < end && first < this.#to[b] && !keeps(b)) {
        dropped(b);
        this.#unhash(b);
        this.code[b] = 0;
        if (previous < 0) this.#pageFirst[page] = this.#pageNext[b];
        else this.#pageNext[previous] = this.#pageNext[b];
      } else {
        this.#markGranules(page, this.#from[b], this.#to[b]);
        previous = b;
      }
    }
    return this.#pageFirst[page] !== 0;
  }

  /** The RAM pages that blocks of a page of virtual addresses were taken from. */
  pagesOf(pcLo: number, pcHi: number): Set<number> {
    const pages = new Set<number>();
    for (let b = 0; b < this.count; b++) {
      if (this.code[b] === 0 || this.pcHi[b] !== pcHi || ((this.pcLo[b] ^ pcLo) & -PAGE_SIZE) !== 0) continue;
      pages.add(Math.floor(this.offset[b] / PAGE_SIZE));
    }
    return pages;
  }

  /** Takes one block out; something else has taken its place. */
  remove(block: number): void {
    const page = Math.floor(this.offset[block] / PAGE_SIZE);
    this.#unhash(block);
    this.code[block] = 0;
    let previous = -1;
    for (let b = this.#pageFirst[page] - 1; b >= 0; b = this.#pageNext[b] - 1) {
      if (b === block) {
        if (previous < 0) this.#pageFirst[page] = this.#pageNext[b];
        else this.#pageNext[previous] = this.#pageNext[b];
        return;
      }
      previous = b;
    }
  }

  #unhash(block: number): void {
    const bucket = this.#bucket(this.offset[block], this.context[block]);
    let previous = -1;
    for (let b = this.#hash[bucket] - 1; b >= 0; b = this.#hashNext[b] - 1) {
      if (b === block) {
        if (previous < 0) this.#hash[bucket] = this.#hashNext[b];
        else this.#hashNext[previous] = this.#hashNext[b];
        return;
      }
      previous = b;
    }
  }

  /** Forgets every block. */
  clear(): void {
    this.count = 0;
    this.#hash.fill(0);
    this.#pageFirst.fill(0);
    this.#granules.fill(0);
  }
}
