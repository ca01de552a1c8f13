/**
 * Physical memory protection: 16 entries that grant or deny physical addresses per privilege. Privileged
 * architecture 20240411, section 3.7.
 *
 * The registers live in the state block; what is derived from them (address ranges) is kept here and rebuilt
 * on every write. Checks are made on TLB misses only: a page enters a TLB when one answer holds for all of it.
 */
import { S_PMP_ACTIVE, S_PMPADDR0, S_PMPCFG0 } from "./state.ts";

/** Entries implemented. */
export const PMP_ENTRIES = 16;
/** Read, write, execute: `1 << kind` for the kinds of TLB. */
const RWX = 7;
const MATCH_SHIFT = 3;
const MATCH_TOR = 1;
const MATCH_NA4 = 2;
const MATCH_NAPOT = 3;
const LOCKED = 0x80;
const CFG_WRITABLE = 0x9f;
/** Bits 55:34 of a physical address, in the high word of pmpaddr. */
const ADDRESS_HIGH = 0x3fffff;
const WORD = 0x1_0000_0000;

/** The PMP unit of one hart. */
export class Pmp {
  readonly #state: Int32Array;
  readonly #cfg: Uint8Array;
  // Byte addresses [start, end) of each entry; empty while it is off.
  readonly #start = new Float64Array(PMP_ENTRIES);
  readonly #end = new Float64Array(PMP_ENTRIES);

  /**
   * A PMP unit over the registers in a state block.
   *
   * @param state The hart's.
   */
  constructor(state: Int32Array) {
    this.#state = state;
    this.#cfg = new Uint8Array(state.buffer, state.byteOffset + S_PMPCFG0, PMP_ENTRIES);
    this.refresh();
  }

  /** Writes eight configuration bytes; `first` is the entry of the lowest (0 or 8). */
  writeConfig(first: number, lo: number, hi: number): void {
    for (let i = 0; i < 8; i++) {
      if (this.#cfg[first + i] & LOCKED) continue;
      let cfg = (i < 4 ? lo >>> (8 * i) : hi >>> (8 * i - 32)) & CFG_WRITABLE;
      if ((cfg & 3) === 2) cfg &= ~2; // write without read is reserved
      this.#cfg[first + i] = cfg;
    }
    this.refresh();
  }

  /** Writes an address register, unless the entry (or the range above that starts here) is locked. */
  writeAddress(entry: number, lo: number, hi: number): void {
    if (this.#cfg[entry] & LOCKED) return;
    const above = entry + 1 < PMP_ENTRIES ? this.#cfg[entry + 1] : 0;
    if (above & LOCKED && ((above >> MATCH_SHIFT) & 3) === MATCH_TOR) return;
    const slot = (S_PMPADDR0 + 8 * entry) >> 2;
    this.#state[slot] = lo;
    this.#state[slot + 1] = hi & ADDRESS_HIGH;
    this.refresh();
  }

  /** Rebuilds what is derived from the registers in the state block. */
  refresh(): void {
    const s = this.#state;
    for (let i = 0, slot = S_PMPADDR0 >> 2; i < PMP_ENTRIES; i++, slot += 2) {
      const lo = s[slot], hi = s[slot + 1];
      const address = ((hi >>> 0) * WORD + (lo >>> 0)) * 4;
      this.#start[i] = this.#end[i] = 0;
      switch ((this.#cfg[i] >> MATCH_SHIFT) & 3) {
        case MATCH_TOR:
          if (i > 0) this.#start[i] = ((s[slot - 1] >>> 0) * WORD + (s[slot - 2] >>> 0)) * 4;
          this.#end[i] = address;
          break;
        case MATCH_NA4:
          this.#start[i] = address;
          this.#end[i] = address + 4;
          break;
        case MATCH_NAPOT: {
          const ones = lo === -1 ? 32 + trailingOnes(hi) : trailingOnes(lo);
          const size = 2 ** (ones + 3);
          this.#start[i] = Math.floor(address / size) * size;
          this.#end[i] = this.#start[i] + size;
        }
      }
    }
    const open = (this.#cfg[0] & RWX) === RWX && this.#start[0] === 0 && this.#end[0] >= 2 ** 56;
    s[S_PMP_ACTIVE >> 2] = open ? 0 : 1;
  }

  /**
   * Whether an access to `[address, address + size)` is allowed.
   *
   * @param kind TLB_LOAD, TLB_STORE or TLB_FETCH.
   * @param machine Whether the access is made with M-mode's rights.
   */
  check(address: number, size: number, kind: number, machine: boolean): boolean {
    const rights = this.#find(address, size, machine);
    return rights >= 0 && (rights >> kind & 1) !== 0;
  }

  /** Permissions (bit `1 << kind`) that hold for the whole page at `address`; -1 if they differ within it. */
  page(address: number, machine: boolean): number {
    return this.#find(address, 4096, machine);
  }

  /** Permissions of a span by the lowest entry that matches any byte of it; -1 if it matches only a part. */
  #find(address: number, size: number, machine: boolean): number {
    if (this.#state[S_PMP_ACTIVE >> 2] === 0) return RWX;
    for (let i = 0; i < PMP_ENTRIES; i++) {
      const start = this.#start[i], end = this.#end[i];
      if (address >= end || address + size <= start) continue;
      if (address < start || address + size > end) return -1;
      return machine && !(this.#cfg[i] & LOCKED) ? RWX : this.#cfg[i] & RWX;
    }
    return machine ? RWX : 0;
  }
}

function trailingOnes(word: number): number {
  return word === -1 ? 32 : 31 - Math.clz32(~word & (word + 1));
}
