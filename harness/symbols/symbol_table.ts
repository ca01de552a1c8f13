/**
 * The symbols of one kernel or program: by name, by address, and what was probably meant.
 *
 * A kernel has 100,000 to 300,000 of them, so they lie in columns: addresses sorted in typed arrays, all names
 * as UTF-8 in one pool. Nothing is made into an object or a string before somebody asks for it. The names'
 * hash is built at the first look-up by name. {@linkcode SymbolTableBuilder} fills the columns.
 */
import { likelyNames } from "./likely_names.ts";

/** A named place in a guest. */
export interface GuestSymbol {
  /** As the source spells it, or as the compiler mangled that. */
  readonly name: string;
  /** Virtual address. */
  readonly address: bigint;
  /** Bytes; where the source does not say, those up to the next symbol (at most 1 MiB). */
  readonly size: number;
  /** `nm`'s letter: T and t for code, D, B and R for data, W for weak, A for absolute; lower case is local. */
  readonly type: string;
}

/** What lies at an address. */
export interface FoundSymbol {
  /** The symbol that begins at or before the address. */
  readonly symbol: GuestSymbol;
  /** Bytes from its beginning. */
  readonly offset: number;
}

/** The columns of a table, sorted by address; the builder makes them. */
export interface SymbolColumns {
  /** How many symbols there are. */
  readonly count: number;
  /** Upper halves of the addresses. */
  readonly high: Uint32Array;
  /** Lower halves of the addresses. */
  readonly low: Uint32Array;
  /** Sizes in bytes; 0 where unknown. */
  readonly sizes: Uint32Array;
  /** `nm`'s letters, as character codes. */
  readonly types: Uint8Array;
  /** Where each name begins in the pool. */
  readonly nameStarts: Uint32Array;
  /** Where each name ends in the pool. */
  readonly nameEnds: Uint32Array;
  /** The names, UTF-8, in any order. */
  readonly pool: Uint8Array;
}

/** Chains of symbols whose names' hashes are alike: a table of equal names costs no more to build. */
interface NameHash {
  /** By hash: the first symbol's index + 1, or 0. */
  readonly heads: Uint32Array;
  /** By symbol: the next one's index + 1, or 0. */
  readonly links: Uint32Array;
}

/** How far a symbol reaches at most when its size is unknown: no gap between sections becomes part of it. */
const MAX_UNSIZED_BYTES = 1 << 20;
/** How many symbols at one address are looked at for the best name. */
const MAX_ALIASES = 64;
/** Addresses from here on are the kernel's on every 64-bit architecture we know; only they move with KASLR. */
const UPPER_HALF = 0x8000_0000;

/** Symbols sorted by address; see the head of this file. */
export class SymbolTable {
  readonly #columns: SymbolColumns;
  readonly #slide: bigint;
  /** Upper half of the lowest address that moves with the slide. */
  readonly #movableFrom: number;
  #names: NameHash | undefined;

  /** Made by {@linkcode SymbolTableBuilder.build}. */
  constructor(columns: SymbolColumns, slide = 0n) {
    this.#columns = columns;
    this.#slide = slide;
    const { count, high } = columns;
    this.#movableFrom = count > 0 && high[count - 1] >= UPPER_HALF ? UPPER_HALF : 0;
  }

  /** How many symbols there are. */
  get size(): number {
    return this.#columns.count;
  }

  /** Bytes from where the symbols were linked to where they are; see {@linkcode SymbolTable.moved}. */
  get slide(): bigint {
    return this.#slide;
  }

  /**
   * The same symbols as a kernel has that runs `slide` bytes from where it was linked (KASLR), sharing all
   * memory. Of a kernel's symbols only those of the upper half move: absolute ones and x86's per-CPU offsets
   * stay. A program, which has none there, moves as a whole.
   */
  moved(slide: bigint): SymbolTable {
    return new SymbolTable(this.#columns, this.#slide + slide);
  }

  /** The symbol by the order of addresses, from 0. @throws {RangeError} outside of the table. */
  at(index: number): GuestSymbol {
    const { count, types } = this.#columns;
    if (!(index >= 0 && index < count)) throw new RangeError(`There is no symbol ${index} of ${count}.`);
    return {
      name: this.#name(index),
      address: this.#address(index),
      size: this.#size(index),
      type: String.fromCharCode(types[index]),
    };
  }

  /** The symbol of a name; of several, the one at the lowest address. */
  lookup(name: string): GuestSymbol | undefined {
    return this.lookupAll(name, 1)[0];
  }

  /** The first `limit` symbols of a name, by ascending address: static ones may share theirs. */
  lookupAll(name: string, limit = 1024): GuestSymbol[] {
    const { nameStarts, nameEnds, pool } = this.#columns;
    const wanted = new TextEncoder().encode(name);
    const { heads, links } = this.#names ??= this.#hashNames();
    const found: GuestSymbol[] = [];
    let next = heads[hash(wanted, 0, wanted.length) & (heads.length - 1)];
    for (; next !== 0 && found.length < limit; next = links[next - 1]) {
      const index = next - 1;
      if (same(wanted, pool, nameStarts[index], nameEnds[index])) found.push(this.at(index));
    }
    return found;
  }

  /**
   * What lies at an address: the last symbol that begins at or before it and reaches as far. Any but the last
   * one reaches to the next, but no further than 1 MiB or its own size: padding belongs to what it follows, as
   * the kernel counts. Of several names for one place, the one the kernel would print.
   */
  find(address: bigint): FoundSymbol | undefined {
    const { count, high, low, sizes } = this.#columns;
    const home = this.#linked(address);
    if (home === undefined) return undefined;
    const wantedHigh = Number(home >> 32n), wantedLow = Number(home & 0xffff_ffffn);
    let from = 0, to = count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const before = high[middle] < wantedHigh || (high[middle] === wantedHigh && low[middle] <= wantedLow);
      if (before) from = middle + 1;
      else to = middle;
    }
    const last = from - 1;
    if (last < 0) return undefined;
    const offset = (wantedHigh - high[last]) * 2 ** 32 + wantedLow - low[last];
    const best = this.#bestAlias(last);
    const reach = Math.max(sizes[best], last === count - 1 ? 1 : MAX_UNSIZED_BYTES);
    return offset < reach ? { symbol: this.at(best), offset } : undefined;
  }

  /** Names most like one that was not found, best first. */
  nearest(name: string, count = 3): string[] {
    const { count: candidates, nameStarts, nameEnds, pool } = this.#columns;
    return likelyNames(name, candidates, (index) => pool.subarray(nameStarts[index], nameEnds[index]), count);
  }

  /** Every symbol by ascending address. */
  *[Symbol.iterator](): IterableIterator<GuestSymbol> {
    for (let index = 0; index < this.#columns.count; index++) yield this.at(index);
  }

  /** Of the symbols that share the address of `last`, the one the kernel would name the place by. */
  #bestAlias(last: number): number {
    const { high, low } = this.#columns;
    let best = last, bestRank = this.#rank(last);
    const first = Math.max(0, last - MAX_ALIASES);
    for (let i = last - 1; i >= first && high[i] === high[last] && low[i] === low[last]; i--) {
      const rank = this.#rank(i);
      if (rank <= bestRank) [best, bestRank] = [i, rank];
    }
    return best;
  }

  /** Less is better, in the order of Linux `scripts/kallsyms.c`: strong, no linker's mark, few underscores. */
  #rank(index: number): number {
    const { types, nameStarts, nameEnds, pool } = this.#columns;
    const weak = (types[index] | 0x20) === 0x77 || (types[index] | 0x20) === 0x76; // w, v
    let underscores = 0;
    while (nameStarts[index] + underscores < nameEnds[index]) {
      if (pool[nameStarts[index] + underscores] !== 0x5f) break;
      underscores++;
    }
    const mark = underscores > 0 &&
      /^(?:__(?:start|stop)_|.*(?:start|end)$|_[se]\w+$)/.test(this.#name(index));
    return (weak ? 2000 : 0) + (mark ? 1000 : 0) + Math.min(underscores, 999);
  }

  #name(index: number): string {
    const { nameStarts, nameEnds, pool } = this.#columns;
    return DECODER.decode(pool.subarray(nameStarts[index], nameEnds[index]));
  }

  #address(index: number): bigint {
    const { high, low } = this.#columns;
    const linked = BigInt(high[index]) << 32n | BigInt(low[index]);
    return high[index] >= this.#movableFrom ? BigInt.asUintN(64, linked + this.#slide) : linked;
  }

  /** Where an address of the running guest was linked; undefined where no symbol can be. */
  #linked(address: bigint): bigint | undefined {
    const running = BigInt.asUintN(64, address);
    const movable = (place: bigint) => Number(place >> 32n) >= this.#movableFrom;
    if (this.#slide === 0n || !movable(running)) return running;
    const linked = BigInt.asUintN(64, running - this.#slide);
    return movable(linked) ? linked : undefined;
  }

  #size(index: number): number {
    const { count, high, low, sizes } = this.#columns;
    if (sizes[index] !== 0) return sizes[index];
    let next = index + 1;
    const limit = Math.min(count, index + MAX_ALIASES);
    while (next < limit && high[next] === high[index] && low[next] === low[index]) next++;
    if (next >= limit) return 0;
    const distance = (high[next] - high[index]) * 2 ** 32 + low[next] - low[index];
    return Math.min(distance, MAX_UNSIZED_BYTES);
  }

  #hashNames(): NameHash {
    const { count, nameStarts, nameEnds, pool } = this.#columns;
    const heads = new Uint32Array(2 ** Math.ceil(Math.log2(count + 1)));
    const links = new Uint32Array(count);
    // From the end, so that every chain ascends.
    for (let index = count - 1; index >= 0; index--) {
      const at = hash(pool, nameStarts[index], nameEnds[index]) & (heads.length - 1);
      links[index] = heads[at];
      heads[at] = index + 1;
    }
    return { heads, links };
  }
}

const DECODER = new TextDecoder();

/** FNV-1a, 32 bits, its upper half mixed in. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5;
  for (let i = start; i < end; i++) value = Math.imul(value ^ bytes[i], 0x01000193);
  return (value ^ value >>> 15) >>> 0;
}

function same(name: Uint8Array, pool: Uint8Array, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (pool[start + i] !== name[i]) return false;
  return true;
}
