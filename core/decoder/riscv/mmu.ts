/**
 * Address translation: page walks (Sv39, Sv48, Sv57, bare), hardware A/D updates, and the TLBs that
 * interpreter and generated code share. Privileged architecture 20240411, chapter 10; table format in
 * `translator/layout.ts`.
 *
 * What a guest that forgets an SFENCE.VMA sees depends on what the TLBs hold, so filling and flushing are
 * part of the architecture here: a miss fills one entry of the table of its kind, and one for loads too where it is
 * a store's, in every engine. (What can be written can be read, section 10.3.1; and a page that is only known to
 * stores could not be mirrored, for no host has pages that cannot be read.)
 * Physical addresses are plain numbers; those beyond 2^53 lose low bits, but nothing is mapped there.
 */
import type { DebugPoints } from "../../debug/debug_points.ts";
import type { TranslationMirror } from "../../isa.ts";
import type { GuestRam } from "../../memory.ts";
import {
  MIRRORED_INDEX,
  MMU_INDEXES,
  STATE_BYTES,
  STATE_EPOCH_CONTEXT,
  STATE_JUMP_CACHE,
  STATE_MIRRORED,
  STATE_TLB,
  STATE_TLB_FILLS,
  STATE_TLB_TOUCHED,
  TLB_CHUNK_SHIFT,
  TLB_ENTRIES,
  TLB_FETCH,
  TLB_GUARDED,
  TLB_INVALID,
  TLB_LOAD,
  TLB_STORE,
  TLB_TABLE_BYTES,
  tlbTable,
} from "../../translator/layout.ts";
import type { Pmp } from "./pmp.ts";
import { MMU_MACHINE, MMU_SUPERVISOR_SUM, MMU_USER, S_MENVCFG, S_MSTATUS, S_SATP } from "./state.ts";
import { S_SUPERPAGES } from "./state.ts";

/** {@linkcode Mmu.lookup} found no RAM; {@linkcode Mmu.physical} says where the access goes. */
export const NOT_RAM: number = -1;
/** {@linkcode Mmu.lookup} faulted; {@linkcode Mmu.cause} says why. */
export const FAULT: number = -2;
/** A walk for debuggers: ignores permissions and changes nothing. */
const PROBE = 3;

// Exception causes by kind of access (load, store, fetch, probe).
const PAGE_FAULT = [13, 15, 12, 0];
/** Access-fault causes by kind of access. */
export const ACCESS_FAULT: readonly number[] = [5, 7, 1, 0];

// Page table entry, section 10.3.1
const PTE_V = 1;
const PTE_R = 2;
const PTE_W = 4;
const PTE_X = 8;
const PTE_U = 0x10;
const PTE_A = 0x40;
const PTE_D = 0x80;
/** Bits 63:54 in the high word: Svnapot, Svpbmt and reserved bits. */
const PTE_RESERVED_SHIFT = 22;

const MSTATUS_MXR = 1 << 19;
/** menvcfg.ADUE, in the high word. */
const ADUE = 1 << 29;

const WORD = 0x1_0000_0000;
// By level of the leaf: pages it maps, and which bits of the virtual address are offset within it.
const LEAF_PAGES = [1, 2 ** 9, 2 ** 18, 2 ** 27, 2 ** 36];
const OFFSET_LO = [0xfff, 0x1f_ffff, 0x3fff_ffff, -1, -1];
const OFFSET_HI = [0, 0, 0, 0x7f, 0xffff];

const ENTRY_MASK = (TLB_ENTRIES - 1) << 2;
const TOUCHED = STATE_TLB_TOUCHED >> 2;
const FILLS = STATE_TLB_FILLS >> 2;
const CHUNK_WORDS = TLB_ENTRIES / 64 * 4;

/** Index (in words) of the TLB entry that a virtual address may occupy in the table at byte offset `table`. */
function entryOf(lo: number, table: number): number {
  return (table >> 2) + ((lo >>> 10) & ENTRY_MASK);
}

/** The memory management unit of one hart. */
export class Mmu {
  /** Physical address found by the last walk. */
  physical = 0;
  /** Exception cause of the last fault. */
  cause = 0;
  /**
   * The page instructions come from: a copy of one valid fetch entry of the current MMU index.
   * `pageLo` is TLB_INVALID while there is none.
   */
  pageLo: number = TLB_INVALID;
  /** See {@linkcode SoftwareVcpu.mirror}. */
  mirror: TranslationMirror | undefined;
  readonly #mirrored: Uint8Array;
  /** High half of that page's address. */
  pageHi = 0;
  /** RAM offset of that page. */
  pageOffset = 0;
  readonly #state: Int32Array;
  readonly #ram: GuestRam;
  readonly #pmp: Pmp;
  readonly #debug: DebugPoints;
  readonly #hostLo: number;
  #level = 0;

  /**
   * An MMU over TLBs that are yet to be reset.
   *
   * @param state The hart's state block, which holds them.
   */
  constructor(state: Int32Array, ram: GuestRam, pmp: Pmp, debug: DebugPoints) {
    this.#state = state;
    this.#mirrored = new Uint8Array(state.buffer, state.byteOffset + STATE_MIRRORED, TLB_ENTRIES);
    this.#ram = ram;
    this.#pmp = pmp;
    this.#debug = debug;
    this.#hostLo = ram.hostAddress | 0;
  }

  /**
   * Finds the RAM offset of an access that stays within one page, by the TLB, else by a walk that fills it.
   * Gives {@linkcode NOT_RAM} or {@linkcode FAULT} otherwise.
   */
  lookup(lo: number, hi: number, size: number, kind: number, index: number): number {
    const s = this.#state;
    const table = tlbTable(index, kind);
    const entry = entryOf(lo, table);
    if (s[entry] === (lo & -4096) && s[entry + 1] === hi) {
      if (kind === TLB_FETCH) return s[entry + 2] * 4096 + (lo & 4095);
      return (lo + s[entry + 2] - this.#hostLo) >>> 0;
    }
    if (s[entry] === (lo & -4096 | TLB_GUARDED) && s[entry + 1] === hi) {
      const offset = (lo + s[entry + 2] - this.#hostLo) >>> 0;
      if (!this.#guards(lo, hi, offset, kind)) s[entry] &= ~TLB_GUARDED;
      return offset;
    }
    if (!this.#walk(lo, hi, kind, index)) return FAULT;
    const ram = this.#ram;
    const { physical } = this;
    const machine = index === MMU_MACHINE;
    const rights = this.#pmp.page(physical - (lo & 4095), machine);
    if (rights < 0 ? !this.#pmp.check(physical, size, kind, machine) : !(rights >> kind & 1)) {
      this.cause = ACCESS_FAULT[kind];
      return FAULT;
    }
    const offset = physical - ram.base;
    if (offset < 0 || offset >= ram.size) return NOT_RAM;
    if (rights >= 0) {
      if (++s[FILLS] === 0) s[FILLS + 1]++;
      this.#fill(lo & -4096, hi, offset - (lo & 4095), kind, index);
      if (kind === TLB_STORE && rights >> TLB_LOAD & 1) {
        this.#fill(lo & -4096, hi, offset - (lo & 4095), TLB_LOAD, index);
      }
    }
    return offset;
  }

  /** Whether loads or stores of a page must not take a fast path: it is watched, or code it holds would change. */
  #guards(lo: number, hi: number, offset: number, kind: number): boolean {
    return kind === TLB_STORE && this.#ram.codePages[offset >>> 12] !== 0 || this.#debug.watchesPage(lo, hi);
  }

  /** Makes the page of a virtual address the one instructions come from, if the fetch TLB holds it. */
  selectPage(lo: number, hi: number, index: number): boolean {
    const s = this.#state;
    const entry = entryOf(lo, tlbTable(index, TLB_FETCH));
    if (s[entry] !== (lo & -4096) || s[entry + 1] !== hi) return false;
    this.pageLo = lo & -4096;
    this.pageHi = hi;
    this.pageOffset = s[entry + 2] * 4096;
    return true;
  }

  /** Physical address of a virtual one, without side effects and whatever its permissions. */
  probe(lo: number, hi: number, index: number): number | undefined {
    return this.#walk(lo, hi, PROBE, index) ? this.physical : undefined;
  }

  /** Section 10.3.2. Sets {@linkcode Mmu.physical}, or {@linkcode Mmu.cause} and returns false. */
  #walk(lo: number, hi: number, kind: number, index: number): boolean {
    const s = this.#state;
    const satpHi = s[(S_SATP >> 2) + 1];
    const mode = satpHi >>> 28;
    this.#level = 0;
    if (index === MMU_MACHINE || mode === 0) {
      this.physical = (hi >>> 0) * WORD + (lo >>> 0);
      return true;
    }
    this.cause = PAGE_FAULT[kind];
    const levels = mode - 5; // 8, 9, 10: Sv39, Sv48, Sv57
    if (hi >> (9 * levels - 21) !== hi >> 31) return false; // not canonical
    const { i32, base, size, codePages } = this.#ram;
    let table = (satpHi & 0xfff) * WORD + (s[S_SATP >> 2] >>> 0);
    for (let level = levels - 1; level >= 0; level--) {
      const address = table * 4096 + 8 * pageNumber(lo, hi, level);
      const offset = address - base;
      if (offset < 0 || offset >= size || !this.#pmp.check(address, 8, TLB_LOAD, false)) {
        this.cause = ACCESS_FAULT[kind];
        return false;
      }
      const pte = i32[offset >>> 2], pteHi = i32[(offset >>> 2) + 1];
      if (!(pte & PTE_V) || (pte & (PTE_R | PTE_W)) === PTE_W || pteHi >>> PTE_RESERVED_SHIFT) return false;
      const page = pteHi * 0x40_0000 + (pte >>> 10);
      if (!(pte & (PTE_R | PTE_X))) {
        if (pte & (PTE_U | PTE_A | PTE_D)) return false;
        table = page;
        continue;
      }
      if (page % LEAF_PAGES[level] !== 0) return false;
      if (kind !== PROBE) {
        if (!this.#permits(pte, kind, index)) return false;
        const used = kind === TLB_STORE ? PTE_A | PTE_D : PTE_A;
        if ((pte & used) !== used) {
          if (!(s[(S_MENVCFG >> 2) + 1] & ADUE)) return false;
          if (!this.#pmp.check(address, 8, TLB_STORE, false)) {
            this.cause = ACCESS_FAULT[kind];
            return false;
          }
          if (codePages[offset >>> 12] !== 0) this.#ram.onCodeWrite(offset, 8);
          i32[offset >>> 2] = pte | used;
        }
      }
      this.#level = level;
      this.physical = page * 4096 + (hi & OFFSET_HI[level]) * WORD + ((lo & OFFSET_LO[level]) >>> 0);
      return true;
    }
    return false;
  }

  #permits(pte: number, kind: number, index: number): boolean {
    if (index === MMU_USER) {
      if (!(pte & PTE_U)) return false;
    } else if (pte & PTE_U && (index !== MMU_SUPERVISOR_SUM || kind === TLB_FETCH)) return false;
    if (kind === TLB_FETCH) return (pte & PTE_X) !== 0;
    if (kind === TLB_STORE) return (pte & PTE_W) !== 0;
    return (pte & PTE_R) !== 0 || (this.#state[S_MSTATUS >> 2] & MSTATUS_MXR) !== 0;
  }

  /** The translation of data that an entry of a table holds is about to change. */
  #unmirror(index: number, lo: number): void {
    const number = lo >>> 12 & TLB_ENTRIES - 1;
    if (index === MIRRORED_INDEX && this.#mirrored[number] !== 0) this.mirror!.hide(number);
  }

  /** Fills the entry for a page of RAM, at `offset`, in the table of a kind. */
  #fill(lo: number, hi: number, offset: number, kind: number, index: number): void {
    const s = this.#state;
    const entry = entryOf(lo, tlbTable(index, kind));
    this.#ram.use(offset);
    if (kind !== TLB_FETCH) this.#unmirror(index, lo);
    if (kind === TLB_FETCH) {
      if (s[entry] !== TLB_INVALID) this.#fetchDropped();
      s[entry + 2] = offset / 4096;
      s[entry + 3] = 0;
    } else {
      const host = this.#ram.hostAddress + offset;
      const borrow = (host % WORD) < (lo >>> 0) ? 1 : 0;
      s[entry + 2] = host - lo | 0;
      s[entry + 3] = Math.floor(host / WORD) - hi - borrow | 0;
    }
    s[entry] = kind !== TLB_FETCH && this.#guards(lo, hi, offset, kind) ? lo | TLB_GUARDED : lo;
    s[entry + 1] = hi;
    const chunk = (lo >>> TLB_CHUNK_SHIFT) & 63;
    s[TOUCHED + 2 * (3 * index + kind) + (chunk >> 5)] |= 1 << chunk;
    if (this.#level > 0) {
      const all = this.#level > 2 ? -1 : 0; // larger than a region
      const region = superpageRegion(lo, hi);
      s[S_SUPERPAGES >> 2] |= all | (region < 32 ? 1 << region : 0);
      s[(S_SUPERPAGES >> 2) + 1] |= all | (region < 32 ? 0 : 1 << region);
    }
  }

  /** Forgets every translation. */
  flushAll(): void {
    const s = this.#state;
    for (let table = 0; table < 3 * MMU_INDEXES; table++) this.#flushTable(table);
    s[S_SUPERPAGES >> 2] = s[(S_SUPERPAGES >> 2) + 1] = 0;
  }

  /** Forgets every load and store translation. */
  flushData(): void {
    for (let index = 0; index < MMU_INDEXES; index++) {
      this.#flushTable(3 * index + TLB_LOAD);
      this.#flushTable(3 * index + TLB_STORE);
    }
  }

  /** Forgets the translations of the page (or superpage) that holds a virtual address, in every MMU index. */
  flushPage(lo: number, hi: number): void {
    const s = this.#state;
    const region = superpageRegion(lo, hi);
    if (s[(S_SUPERPAGES >> 2) + (region >> 5)] >>> (region & 31) & 1) return this.flushAll();
    for (let table = 0; table < 3 * MMU_INDEXES; table++) {
      const entry = entryOf(lo, STATE_TLB + table * TLB_TABLE_BYTES);
      if ((s[entry] & ~TLB_GUARDED) !== (lo & -4096) || s[entry + 1] !== hi) continue;
      if (table % 3 !== TLB_FETCH) this.#unmirror(Math.floor(table / 3), lo);
      s[entry] = TLB_INVALID;
      s[entry + 1] = 0;
      if (table % 3 === TLB_FETCH) this.#fetchDropped();
    }
  }

  /** Guards the store translations that lead to a page of RAM: it is about to hold translated code. */
  dropStoreTranslations(ramPage: number): void {
    const s = this.#state;
    const host = this.#hostLo + ramPage * 4096 | 0;
    for (let index = 0; index < MMU_INDEXES; index++) {
      const table = 3 * index + TLB_STORE;
      for (let chunk = 0; chunk < 64; chunk++) {
        if (!(s[TOUCHED + 2 * table + (chunk >> 5)] >>> (chunk & 31) & 1)) continue;
        const first = chunkStart(table, chunk);
        for (let entry = first; entry < first + CHUNK_WORDS; entry += 4) {
          if (s[entry] === TLB_INVALID || (s[entry] + s[entry + 2] | 0) !== host) continue;
          this.#unmirror(index, s[entry]);
          s[entry] |= TLB_GUARDED;
        }
      }
    }
  }

  /**
   * Guards the translations by which data in the page of a virtual address is reached, if it is watched now,
   * and frees them if not. (A lookup frees those for stores.)
   */
  watchedPageChanged(lo: number, hi: number): void {
    const s = this.#state;
    const watched = this.#debug.watchesPage(lo, hi);
    for (let index = 0; index < MMU_INDEXES; index++) {
      for (const kind of [TLB_LOAD, TLB_STORE]) {
        const entry = entryOf(lo, tlbTable(index, kind));
        if ((s[entry] & ~TLB_GUARDED) !== (lo & -4096) || s[entry + 1] !== hi) continue;
        this.#unmirror(index, lo);
        if (watched) s[entry] |= TLB_GUARDED;
        else if (kind === TLB_LOAD) s[entry] &= ~TLB_GUARDED;
      }
    }
  }

  /** Puts every table into its state after power-on. */
  reset(): void {
    const s = this.#state;
    this.mirror?.hideAll();
    const first = STATE_TLB >> 2;
    s.fill(0, first, TOUCHED + 6 * MMU_INDEXES);
    s[first] = TLB_INVALID;
    for (let at = first + 4; at < TOUCHED; at += at - first) {
      s.copyWithin(at, first, Math.min(at, first + TOUCHED - at)); // twice as many entries each time
    }
    s[S_SUPERPAGES >> 2] = s[(S_SUPERPAGES >> 2) + 1] = 0;
    this.#fetchDropped();
  }

  /** Empties a table, looking only at the chunks that may hold something. */
  #flushTable(table: number): void {
    const s = this.#state;
    if (table === 3 * MIRRORED_INDEX + TLB_LOAD || table === 3 * MIRRORED_INDEX + TLB_STORE) {
      this.mirror?.hideAll();
    }
    for (let half = 0; half < 2; half++) {
      const word = TOUCHED + 2 * table + half;
      let mask = s[word];
      if (mask === 0) continue;
      s[word] = 0;
      if (table % 3 === TLB_FETCH) this.#fetchDropped();
      for (; mask !== 0; mask &= mask - 1) {
        const first = chunkStart(table, 32 * half + 31 - Math.clz32(mask & -mask));
        for (let entry = first; entry < first + CHUNK_WORDS; entry += 4) {
          s[entry] = TLB_INVALID;
          s[entry + 1] = 0;
        }
      }
    }
  }

  /**
   * A fetch translation is gone: jump-cache entries of the old epoch must not match any more. Epoch 0 is
   * never used again, and the cache is emptied when the 24 bits are used up.
   */
  #fetchDropped(): void {
    const s = this.#state;
    const word = STATE_EPOCH_CONTEXT >> 2;
    s[word] += 256;
    if (s[word] >>> 8 === 0) {
      s[word] += 256;
      s.fill(0, STATE_JUMP_CACHE >> 2, STATE_BYTES >> 2);
    }
    this.pageLo = TLB_INVALID;
  }
}

/**
 * Which of 64 regions a virtual address is in: 32 for each half, of every 32nd GiB. A kernel maps all of RAM with
 * superpages in its half; programs' pages in the other, which are flushed one by one, must not share their regions.
 */
function superpageRegion(lo: number, hi: number): number {
  return (lo >>> 30 | hi << 2) & 31 | hi >>> 26 & 32;
}

function chunkStart(table: number, chunk: number): number {
  return (STATE_TLB + table * TLB_TABLE_BYTES >> 2) + chunk * CHUNK_WORDS;
}

/** Bits `12 + 9 level` to `20 + 9 level` of a virtual address. */
function pageNumber(lo: number, hi: number, level: number): number {
  switch (level) {
    case 0:
      return lo >>> 12 & 511;
    case 1:
      return (lo >>> 21 | hi << 11) & 511;
    case 2:
      return (lo >>> 30 | hi << 2) & 511;
    case 3:
      return hi >>> 7 & 511;
    default:
      return hi >>> 16 & 511;
  }
}
