/**
 * Fills a {@linkcode SymbolTable}: symbols come in any order, as strings or as bytes that some table of a guest
 * or of a file already holds, and end up in sorted columns. What it reads is untrusted, so it is bounded.
 */
import { InputError } from "../errors.ts";
import { type GuestSymbol, SymbolTable } from "./symbol_table.ts";

/** More than any kernel has (Debian's have 140,000 to 250,000). */
const MAX_SYMBOLS = 1 << 22;
/** Bytes of all names together. */
const MAX_POOL_BYTES = 1 << 26;
/** Longer names are cut; the kernel's are at most 512 bytes long. */
const MAX_NAME_BYTES = 4096;
const FIRST_CAPACITY = 1 << 12;
const MEAN_NAME_BYTES = 24;
const ENCODER = new TextEncoder();

/** What a symbol needs to be put into a table. */
export type SymbolEntry = Pick<GuestSymbol, "name" | "address"> & Partial<GuestSymbol>;

/** Collects symbols for one table. */
export class SymbolTableBuilder {
  #count = 0;
  #sorted = true;
  #high: Uint32Array;
  #low: Uint32Array;
  #sizes: Uint32Array;
  #types: Uint8Array;
  #nameStarts: Uint32Array;
  #nameEnds: Uint32Array;
  #pool: Uint8Array;
  #poolLength = 0;

  /**
   * Begins an empty table.
   *
   * @param expected How many symbols there will be, if that is known.
   */
  constructor(expected: number = FIRST_CAPACITY) {
    const capacity = Math.max(1, Math.min(expected, MAX_SYMBOLS));
    this.#high = new Uint32Array(capacity);
    this.#low = new Uint32Array(capacity);
    this.#sizes = new Uint32Array(capacity);
    this.#types = new Uint8Array(capacity);
    this.#nameStarts = new Uint32Array(capacity);
    this.#nameEnds = new Uint32Array(capacity);
    this.#pool = new Uint8Array(capacity * MEAN_NAME_BYTES);
  }

  /** How many symbols were added. */
  get count(): number {
    return this.#count;
  }

  /** Adds a symbol. @throws {InputError} when there are absurdly many. */
  add(entry: SymbolEntry): void {
    const address = BigInt.asUintN(64, entry.address);
    const at = this.#append(
      Number(address >> 32n),
      Number(address & 0xffff_ffffn),
      entry.size ?? 0,
      entry.type?.charCodeAt(0) ?? 0x3f,
    );
    const name = entry.name.slice(0, MAX_NAME_BYTES / 3);
    this.#reserve(name.length * 3);
    this.#nameStarts[at] = this.#poolLength;
    this.#poolLength += ENCODER.encodeInto(name, this.#pool.subarray(this.#poolLength)).written;
    this.#nameEnds[at] = this.#poolLength;
  }

  /**
   * Adds a symbol whose name is `bytes` from `start` to `end`, making no object.
   *
   * @param high Upper half of the address.
   * @param low Lower half of the address.
   * @param size Bytes; 0 when unknown.
   * @param type `nm`'s letter as a character code.
   * @throws {InputError} when there are absurdly many.
   */
  addBytes(
    bytes: Uint8Array,
    start: number,
    end: number,
    high: number,
    low: number,
    size: number,
    type: number,
  ): void {
    const at = this.#append(high, low, size, type);
    const stop = Math.min(end, start + MAX_NAME_BYTES);
    this.#reserve(stop - start);
    this.#nameStarts[at] = this.#poolLength;
    for (let i = start; i < stop; i++) this.#pool[this.#poolLength++] = bytes[i];
    this.#nameEnds[at] = this.#poolLength;
  }

  /** The table; the builder must not be used afterwards. */
  build(): SymbolTable {
    if (!this.#sorted) this.#sort();
    return new SymbolTable({
      count: this.#count,
      high: this.#high,
      low: this.#low,
      sizes: this.#sizes,
      types: this.#types,
      nameStarts: this.#nameStarts,
      nameEnds: this.#nameEnds,
      pool: this.#pool,
    });
  }

  #append(high: number, low: number, size: number, type: number): number {
    const at = this.#count;
    if (at === this.#high.length) this.#grow();
    this.#high[at] = high;
    this.#low[at] = low;
    this.#sizes[at] = Math.min(size, 0xffff_ffff);
    this.#types[at] = type;
    if (at > 0) {
      const before = this.#high[at - 1] - this.#high[at] || this.#low[at - 1] - this.#low[at];
      if (before > 0) this.#sorted = false;
    }
    this.#count++;
    return at;
  }

  #grow(): void {
    if (this.#count >= MAX_SYMBOLS) {
      throw new InputError(`The symbol table has more than ${MAX_SYMBOLS} symbols: it is damaged.`);
    }
    const capacity = Math.min(this.#high.length * 2, MAX_SYMBOLS);
    const grown = <T extends Uint32Array | Uint8Array>(old: T, made: T): T => {
      made.set(old);
      return made;
    };
    this.#high = grown(this.#high, new Uint32Array(capacity));
    this.#low = grown(this.#low, new Uint32Array(capacity));
    this.#sizes = grown(this.#sizes, new Uint32Array(capacity));
    this.#types = grown(this.#types, new Uint8Array(capacity));
    this.#nameStarts = grown(this.#nameStarts, new Uint32Array(capacity));
    this.#nameEnds = grown(this.#nameEnds, new Uint32Array(capacity));
  }

  #reserve(bytes: number): void {
    const needed = this.#poolLength + bytes;
    if (needed <= this.#pool.length) return;
    if (needed > MAX_POOL_BYTES) {
      throw new InputError(
        `The names of the symbol table take more than ${MAX_POOL_BYTES} bytes: it is damaged.`,
      );
    }
    const pool = new Uint8Array(Math.min(Math.max(this.#pool.length * 2, needed), MAX_POOL_BYTES));
    pool.set(this.#pool.subarray(0, this.#poolLength));
    this.#pool = pool;
  }

  /** Puts the columns into the order of addresses; of equal ones, into that of arrival. */
  #sort(): void {
    const high = this.#high, low = this.#low;
    const order = Uint32Array.from({ length: this.#count }, (_, i) => i);
    order.sort((a, b) => high[a] - high[b] || low[a] - low[b] || a - b);
    const reordered = <T extends Uint32Array | Uint8Array>(old: T, made: T): T => {
      for (let i = 0; i < order.length; i++) made[i] = old[order[i]];
      return made;
    };
    const count = this.#count;
    this.#high = reordered(high, new Uint32Array(count));
    this.#low = reordered(low, new Uint32Array(count));
    this.#sizes = reordered(this.#sizes, new Uint32Array(count));
    this.#types = reordered(this.#types, new Uint8Array(count));
    this.#nameStarts = reordered(this.#nameStarts, new Uint32Array(count));
    this.#nameEnds = reordered(this.#nameEnds, new Uint32Array(count));
  }
}

/**
 * A table of some symbols.
 *
 * @example
 * ```ts
 * import { symbolTable } from "./symbol_table_builder.ts";
 *
 * const table = symbolTable([{ name: "start_kernel", address: 0xffffffff80a00000n, size: 0x40, type: "T" }]);
 * table.find(0xffffffff80a00008n); // start_kernel, offset 8
 * ```
 */
export function symbolTable(entries: Iterable<SymbolEntry>): SymbolTable {
  const builder = new SymbolTableBuilder();
  for (const entry of entries) builder.add(entry);
  return builder.build();
}
