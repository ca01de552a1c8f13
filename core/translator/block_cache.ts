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

/** log2 of the words of a block's record, of which all lie in one cache line of the host's: it takes one miss to see them. */
const BLOCK_SHIFT = 3;
// Words of it
const PC_LO = 0;
const PC_HI = 1;
/** Of the entry, halved: instructions begin at even addresses. */
const HALF_OFFSET = 2;
/** Context | instructions << 16. */
const CONTEXT = 3;
const CODE = 4;
const INCOMING = 5;
// Chains of blocks, by number + 1, in the low bits: tables that begin as zeros need not be filled. In the high bits,
// halved, the bytes of the page the block was taken from: [from, to).
const HASH_NEXT_FROM = 6;
const PAGE_NEXT_TO = 7;
const NEXT_BITS = 19, NEXT_MASK = (1 << NEXT_BITS) - 1;

/** log2 of the words of a page's record. */
const PAGE_SHIFT = 2;
// Words of it: 64 bits for which 64-byte granules hold code, the first of its blocks, and what is known of writes
const GRANULES = 0;
const PAGE_FIRST = 2;
/** Writes since the page was last given up << 4 | log2 of how often it takes more of them to give it up again. */
const WRITES = 3;

/** The blocks of one machine. */
export class BlockCache {
  readonly #blocks: Int32Array;
  readonly #pages: Int32Array;
  readonly #hash: Int32Array;
  /** Blocks handed out since the last clear. */
  count = 0;

  /** @param pages Number of RAM pages. */
  constructor(pages: number) {
    const hashBytes = 4 << HASH_BITS, blockBytes = (4 << BLOCK_SHIFT) * MAX_BLOCKS;
    // One allocation, so large that hosts give it as untouched pages: of a smaller one they clear 128 KiB at once.
    const buffer = new ArrayBuffer(blockBytes + hashBytes + (4 << PAGE_SHIFT) * pages);
    this.#blocks = new Int32Array(buffer, 0, blockBytes >> 2);
    this.#hash = new Int32Array(buffer, blockBytes, hashBytes >> 2);
    this.#pages = new Int32Array(buffer, blockBytes + hashBytes);
  }

  pcLo(block: number): number {
    return this.#blocks[(block << BLOCK_SHIFT) + PC_LO];
  }

  pcHi(block: number): number {
    return this.#blocks[(block << BLOCK_SHIFT) + PC_HI];
  }

  /** RAM offset of the entry. */
  offset(block: number): number {
    return 2 * this.#blocks[(block << BLOCK_SHIFT) + HALF_OFFSET];
  }

  context(block: number): number {
    return this.#blocks[(block << BLOCK_SHIFT) + CONTEXT] & 0xffff;
  }

  /** RAM offset of the end of what it was taken from. */
  end(block: number): number {
    return pageOf(this.offset(block)) * PAGE_SIZE + this.#to(block);
  }

  /** Guest instructions on the way to the block's end. */
  instructions(block: number): number {
    return this.#blocks[(block << BLOCK_SHIFT) + CONTEXT] >>> 16;
  }

  /** Host address of the code; 0 for a dropped block. */
  code(block: number): number {
    return this.#blocks[(block << BLOCK_SHIFT) + CODE];
  }

  /** First of the links that jump here (linked through the exit tables), or -1. */
  incoming(block: number): number {
    return this.#blocks[(block << BLOCK_SHIFT) + INCOMING];
  }

  setIncoming(block: number, link: number): void {
    this.#blocks[(block << BLOCK_SHIFT) + INCOMING] = link;
  }

  /** The block for this code, or -1. */
  find(offset: number, pcLo: number, pcHi: number, context: number): number {
    const blocks = this.#blocks, halfOffset = offset / 2;
    let b = this.#hash[bucketOf(halfOffset, context)] - 1;
    while (b >= 0) {
      const at = b << BLOCK_SHIFT;
      if (
        blocks[at + HALF_OFFSET] === halfOffset && blocks[at + PC_LO] === pcLo &&
        blocks[at + PC_HI] === pcHi &&
        (blocks[at + CONTEXT] & 0xffff) === context
      ) break;
      b = this.#next(b, HASH_NEXT_FROM);
    }
    return b;
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
    const blocks = this.#blocks;
    const b = this.count++, at = b << BLOCK_SHIFT;
    const page = pageOf(offset), pageAt = page << PAGE_SHIFT, bucket = bucketOf(offset / 2, context);
    blocks[at + PC_LO] = pcLo;
    blocks[at + PC_HI] = pcHi;
    blocks[at + HALF_OFFSET] = offset / 2;
    blocks[at + CONTEXT] = context | instructions << 16;
    blocks[at + CODE] = code;
    blocks[at + INCOMING] = -1;
    const first = from - page * PAGE_SIZE, end = to - page * PAGE_SIZE;
    blocks[at + HASH_NEXT_FROM] = this.#hash[bucket] | (first >> 1) << NEXT_BITS;
    this.#hash[bucket] = b + 1;
    blocks[at + PAGE_NEXT_TO] = this.#pages[pageAt + PAGE_FIRST] | (end >> 1) << NEXT_BITS;
    this.#pages[pageAt + PAGE_FIRST] = b + 1;
    this.#markGranules(page, first, end);
    return b;
  }

  #from(block: number): number {
    return 2 * (this.#blocks[(block << BLOCK_SHIFT) + HASH_NEXT_FROM] >>> NEXT_BITS);
  }

  #to(block: number): number {
    return 2 * (this.#blocks[(block << BLOCK_SHIFT) + PAGE_NEXT_TO] >>> NEXT_BITS);
  }

  /** The next block in a chain, or -1. */
  #next(block: number, chain: number): number {
    return (this.#blocks[(block << BLOCK_SHIFT) + chain] & NEXT_MASK) - 1;
  }

  /** What is before a block in a chain that begins with `first` and that the block is in; -1: nothing. */
  #before(block: number, first: number, chain: number): number {
    let previous = -1;
    for (let b = first; b >= 0 && b !== block; b = this.#next(b, chain)) previous = b;
    return previous;
  }

  /** Takes the one that follows a block out of a chain. */
  #skipNext(block: number, chain: number): void {
    const at = (block << BLOCK_SHIFT) + chain, skipped = this.#next(block, chain);
    this.#blocks[at] = this.#blocks[at] & ~NEXT_MASK | this.#next(skipped, chain) + 1;
  }

  #markGranules(page: number, first: number, end: number): void {
    const granules = (page << PAGE_SHIFT) + GRANULES;
    for (let g = first >> 6; g <= (end - 1) >> 6; g++) this.#pages[granules + (g >> 5)] |= 1 << (g & 31);
  }

  /** Whether `size` bytes at a RAM offset (within one page) may overlap translated code. */
  touchesCode(offset: number, size: number): boolean {
    const page = pageOf(offset), granules = (page << PAGE_SHIFT) + GRANULES;
    const first = offset - page * PAGE_SIZE;
    for (let g = first >> 6; g <= (first + size - 1) >> 6; g++) {
      if ((this.#pages[granules + (g >> 5)] & (1 << (g & 31))) !== 0) return true;
    }
    return false;
  }

  /**
   * Notes a write to a page with code. True when it is time to drop all of its blocks: a page that is written
   * to again and again serves another purpose now. Where it proves to hold code still, the next time is later.
   */
  givesUp(page: number): boolean {
    const at = (page << PAGE_SHIFT) + WRITES;
    const writes = (this.#pages[at] >> 4) + 1, patience = this.#pages[at] & 15;
    const givesUp = writes >> (FIRST_PATIENCE + patience) !== 0;
    const more = givesUp && FIRST_PATIENCE + patience < 15 ? 1 : 0;
    this.#pages[at] = (givesUp ? 0 : writes) << 4 | patience + more;
    return givesUp;
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
    const pages = this.#pages;
    const page = pageOf(offset), pageAt = page << PAGE_SHIFT;
    const first = offset - page * PAGE_SIZE, end = first + size;
    pages[pageAt + GRANULES] = pages[pageAt + GRANULES + 1] = 0;
    let previous = -1;
    for (let b = pages[pageAt + PAGE_FIRST] - 1; b >= 0; b = this.#next(b, PAGE_NEXT_TO)) {
      if (this.#from(b) < end && first < this.#to(b) && !keeps(b)) {
        dropped(b);
        this.#unhash(b);
        this.#takeOut(b, previous);
      } else {
        this.#markGranules(page, this.#from(b), this.#to(b));
        previous = b;
      }
    }
    return pages[pageAt + PAGE_FIRST] !== 0;
  }

  /** The RAM pages that blocks of a page of virtual addresses were taken from. */
  pagesOf(pcLo: number, pcHi: number): Set<number> {
    const pages = new Set<number>();
    for (let b = 0; b < this.count; b++) {
      if (this.code(b) === 0 || this.pcHi(b) !== pcHi || ((this.pcLo(b) ^ pcLo) & -PAGE_SIZE) !== 0) continue;
      pages.add(pageOf(this.offset(b)));
    }
    return pages;
  }

  /** Takes one block out; something else has taken its place. */
  remove(block: number): void {
    this.#unhash(block);
    const first = this.#pages[(pageOf(this.offset(block)) << PAGE_SHIFT) + PAGE_FIRST] - 1;
    this.#takeOut(block, this.#before(block, first, PAGE_NEXT_TO));
  }

  /** Takes a block out of its page's list, where another one is before it (-1: none). It has no code any more. */
  #takeOut(block: number, previous: number): void {
    if (previous >= 0) this.#skipNext(previous, PAGE_NEXT_TO);
    else {
      const first = (pageOf(this.offset(block)) << PAGE_SHIFT) + PAGE_FIRST;
      this.#pages[first] = this.#next(block, PAGE_NEXT_TO) + 1;
    }
    this.#blocks[(block << BLOCK_SHIFT) + CODE] = 0;
  }

  #unhash(block: number): void {
    const bucket = bucketOf(this.offset(block) / 2, this.context(block));
    const previous = this.#before(block, this.#hash[bucket] - 1, HASH_NEXT_FROM);
    if (previous >= 0) this.#skipNext(previous, HASH_NEXT_FROM);
    else this.#hash[bucket] = this.#next(block, HASH_NEXT_FROM) + 1;
  }

  /** Forgets every block. */
  clear(): void {
    this.count = 0;
    this.#hash.fill(0);
    for (let at = 0; at < this.#pages.length; at += 1 << PAGE_SHIFT) {
      this.#pages[at + GRANULES] = this.#pages[at + GRANULES + 1] = this.#pages[at + PAGE_FIRST] = 0;
    }
  }
}

function pageOf(offset: number): number {
  return Math.floor(offset / PAGE_SIZE);
}

function bucketOf(halfOffset: number, context: number): number {
  return (halfOffset ^ (halfOffset >> 16) ^ (context << 9)) & ((1 << HASH_BITS) - 1);
}
