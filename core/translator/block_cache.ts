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

/** The blocks of one machine. */
export class BlockCache {
  readonly pcLo: Int32Array = new Int32Array(MAX_BLOCKS);
  readonly pcHi: Int32Array = new Int32Array(MAX_BLOCKS);
  /** RAM offset of the entry. */
  readonly offset: Float64Array = new Float64Array(MAX_BLOCKS);
  readonly context: Uint16Array = new Uint16Array(MAX_BLOCKS);
  /** Guest instructions on the way to the block's end. */
  readonly instructions: Uint16Array = new Uint16Array(MAX_BLOCKS);
  /** Host address of the code; 0 for a dropped block. */
  readonly code: Int32Array = new Int32Array(MAX_BLOCKS);
  /** First of the links that jump here (linked through the exit tables), or -1. */
  readonly incoming: Int32Array = new Int32Array(MAX_BLOCKS);
  // Bytes of the page the block was taken from: [from, to)
  readonly #from = new Uint16Array(MAX_BLOCKS);
  readonly #to = new Uint16Array(MAX_BLOCKS);
  readonly #hashNext = new Int32Array(MAX_BLOCKS);
  readonly #pageNext = new Int32Array(MAX_BLOCKS);
  readonly #hash = new Int32Array(1 << HASH_BITS).fill(-1);
  readonly #pageFirst: Int32Array;
  /** 64 bits per page: which 64-byte granules hold code. */
  readonly #granules: Int32Array;
  /** Writes to each page since it was last given up, and log2 of how many it takes to give it up again. */
  readonly #writes: Uint16Array;
  readonly #patience: Uint8Array;
  /** Blocks handed out since the last clear. */
  count = 0;

  /** @param pages Number of RAM pages. */
  constructor(pages: number) {
    this.#pageFirst = new Int32Array(pages).fill(-1);
    this.#granules = new Int32Array(2 * pages);
    this.#writes = new Uint16Array(pages);
    this.#patience = new Uint8Array(pages);
  }

  #bucket(offset: number, context: number): number {
    return ((offset / 2) ^ (offset / 131072) ^ (context << 9)) & ((1 << HASH_BITS) - 1);
  }

  /** The block for this code, or -1. */
  find(offset: number, pcLo: number, pcHi: number, context: number): number {
    for (let b = this.#hash[this.#bucket(offset, context)]; b >= 0; b = this.#hashNext[b]) {
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
    this.#hash[bucket] = b;
    this.#pageNext[b] = this.#pageFirst[page];
    this.#pageFirst[page] = b;
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
    for (let b = this.#pageFirst[page]; b >= 0; b = this.#pageNext[b]) {
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
    return this.#pageFirst[page] >= 0;
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
    for (let b = this.#pageFirst[page]; b >= 0; b = this.#pageNext[b]) {
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
    for (let b = this.#hash[bucket]; b >= 0; b = this.#hashNext[b]) {
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
    this.#hash.fill(-1);
    this.#pageFirst.fill(-1);
    this.#granules.fill(0);
  }
}
