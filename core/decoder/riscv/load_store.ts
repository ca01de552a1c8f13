/**
 * Loads, stores, atomics and what crosses pages: everything by which an instruction reaches memory.
 *
 * The fast path is one TLB entry compared and one access to RAM. Everything else asks the MMU; what is not
 * RAM goes to the bus. Scalar accesses to RAM may have any alignment; those to devices must be aligned, and
 * atomics always. An access that crosses into another page is checked in both before anything changes.
 */
import type { MachineContext } from "../../isa.ts";
import type { HostPages } from "../../memory.ts";
import { STATE_BYTES, TLB_ENTRIES, TLB_LOAD, TLB_STORE, tlbTable } from "../../translator/layout.ts";
import { ACCESS_FAULT, FAULT, Mmu } from "./mmu.ts";
import { Pmp } from "./pmp.ts";
import { MMU_MACHINE, S_RESERVATION, S_RESERVED } from "./state.ts";
import { CAUSE_LOAD_MISALIGNED, CAUSE_STORE_MISALIGNED } from "./trap.ts";

/** RAM offsets are kept in 32 bits. */
const MOST_RAM = 2 ** 32;
const ENTRY_MASK = (TLB_ENTRIES - 1) << 2;
const MISALIGNED = [CAUSE_LOAD_MISALIGNED, CAUSE_STORE_MISALIGNED];

/** The part of a hart that reaches memory. Addresses and values are two signed 32-bit halves. */
export abstract class LoadStore {
  /** The state block. */
  readonly state: Int32Array;
  /** Address translation. */
  readonly mmu: Mmu;
  /** Physical memory protection. */
  readonly pmp: Pmp;
  /** Low half of what the last load, atomic or CSR access gave. */
  lo = 0;
  /** High half of the same. */
  hi = 0;
  /** See {@linkcode SoftwareVcpu.lastAccessHi}. */
  lastAccessHi = 0;
  /** Something happened after which the interpreter must look up from its instructions. */
  attention = false;
  /** The block's memory. */
  protected readonly pages: HostPages;
  readonly #u8: Uint8Array;
  readonly #view: DataView;
  readonly #hostLo: number;
  #index = MMU_MACHINE;
  #loadTable = 0;
  #storeTable = 0;

  /**
   * Allocates the state block.
   *
   * @param machine What the hart shares with the rest of its machine.
   */
  constructor(readonly machine: MachineContext) {
    const { ram } = machine;
    if (ram.size > MOST_RAM) {
      throw new RangeError(`A RISC-V machine may have at most 4 GiB of RAM, not ${ram.size} bytes.`);
    }
    this.pages = machine.memory.allocate(STATE_BYTES);
    this.state = new Int32Array(this.pages.buffer, 0, STATE_BYTES >> 2);
    this.pmp = new Pmp(this.state);
    this.mmu = new Mmu(this.state, ram, this.pmp, machine.debug);
    this.#u8 = ram.u8;
    this.#view = ram.view;
    this.#hostLo = ram.hostAddress | 0;
    this.selectDataIndex(MMU_MACHINE);
  }

  /** The hart id. */
  abstract readonly index: number;

  /** Raises an exception in the current instruction. */
  abstract trap(cause: number, tvalLo: number, tvalHi: number): void;

  /** Sets the MMU index that loads and stores are translated with. */
  protected selectDataIndex(index: number): void {
    this.#index = index;
    this.#loadTable = tlbTable(index, TLB_LOAD) >> 2;
    this.#storeTable = tlbTable(index, TLB_STORE) >> 2;
  }

  /** Loads `size` bytes, zero-extended, into `lo` and `hi`. False when it trapped. */
  load(lo: number, hi: number, size: number): boolean {
    const s = this.state;
    this.lastAccessHi = hi;
    const entry = this.#loadTable + ((lo >>> 10) & ENTRY_MASK);
    if (s[entry] === (lo & -4096) && s[entry + 1] === hi && (lo & 4095) + size <= 4096) {
      this.#read((lo + s[entry + 2] - this.#hostLo) >>> 0, size);
      return true;
    }
    return this.#loadSlow(lo, hi, size);
  }

  /** Stores the low `size` bytes of a value. False when it trapped. */
  store(lo: number, hi: number, size: number, valueLo: number, valueHi: number): boolean {
    const s = this.state;
    this.lastAccessHi = hi;
    const entry = this.#storeTable + ((lo >>> 10) & ENTRY_MASK);
    if (s[entry] === (lo & -4096) && s[entry + 1] === hi && (lo & 4095) + size <= 4096) {
      this.#write((lo + s[entry + 2] - this.#hostLo) >>> 0, size, valueLo, valueHi);
      return true;
    }
    return this.#storeSlow(lo, hi, size, valueLo, valueHi);
  }

  /** Loads for an atomic read-modify-write: as a load, with a store's permissions and faults. */
  loadForAmo(lo: number, hi: number, size: number): boolean {
    const offset = this.#atomic(lo, hi, size, TLB_STORE);
    if (offset < 0) return false;
    this.#noteAccess("read", lo, hi, size);
    this.#read(offset, size);
    return true;
  }

  /** LR: loads and reserves. */
  loadReserved(lo: number, hi: number, size: number): boolean {
    const offset = this.#atomic(lo, hi, size, TLB_LOAD);
    if (offset < 0) return false;
    this.#noteAccess("read", lo, hi, size);
    this.#read(offset, size);
    const s = this.state;
    s[S_RESERVATION >> 2] = lo;
    s[(S_RESERVATION >> 2) + 1] = hi;
    s[S_RESERVED >> 2] = 1;
    return true;
  }

  /**
   * SC: stores if the address is the reserved one; `lo` is then 0, else 1. A store that fails checks nothing
   * but its alignment. The reservation is gone afterwards.
   */
  storeConditional(lo: number, hi: number, size: number, valueLo: number, valueHi: number): boolean {
    const s = this.state;
    const reserved = s[S_RESERVED >> 2] !== 0 && s[S_RESERVATION >> 2] === lo &&
      s[(S_RESERVATION >> 2) + 1] === hi;
    if (reserved || lo & (size - 1)) {
      const offset = this.#atomic(lo, hi, size, TLB_STORE);
      if (offset < 0) return false;
      this.#noteAccess("write", lo, hi, size);
      this.#writeChecked(offset, size, valueLo, valueHi);
    }
    s[S_RESERVED >> 2] = 0;
    this.lo = reserved ? 0 : 1;
    this.hi = 0;
    return true;
  }

  /** RAM offset of an atomic access; negative when it trapped. */
  #atomic(lo: number, hi: number, size: number, kind: number): number {
    if (lo & (size - 1)) {
      this.trap(MISALIGNED[kind], lo, hi);
      return FAULT;
    }
    const offset = this.mmu.lookup(lo, hi, size, kind, this.#index);
    if (offset < 0) this.trap(offset === FAULT ? this.mmu.cause : ACCESS_FAULT[kind], lo, hi);
    return offset;
  }

  #loadSlow(lo: number, hi: number, size: number): boolean {
    const first = 4096 - (lo & 4095);
    if (first < size) return this.#loadCrossing(lo, hi, size, first);
    const offset = this.mmu.lookup(lo, hi, size, TLB_LOAD, this.#index);
    if (offset >= 0) {
      this.#noteAccess("read", lo, hi, size);
      this.#read(offset, size);
      return true;
    }
    if (!this.#reachesDevice(offset, lo, hi, size, TLB_LOAD)) return false;
    this.#noteAccess("read", lo, hi, size);
    const { bus } = this.machine;
    const address = this.mmu.physical;
    this.attention = true;
    this.lo = bus.readDevice(address, size === 8 ? 4 : size) | 0;
    this.hi = size === 8 ? bus.readDevice(address + 4, 4) | 0 : 0;
    return true;
  }

  #storeSlow(lo: number, hi: number, size: number, valueLo: number, valueHi: number): boolean {
    const first = 4096 - (lo & 4095);
    if (first < size) return this.#storeCrossing(lo, hi, size, first, valueLo, valueHi);
    const offset = this.mmu.lookup(lo, hi, size, TLB_STORE, this.#index);
    if (offset >= 0) {
      this.#noteAccess("write", lo, hi, size);
      this.#writeChecked(offset, size, valueLo, valueHi);
      return true;
    }
    if (!this.#reachesDevice(offset, lo, hi, size, TLB_STORE)) return false;
    this.#noteAccess("write", lo, hi, size);
    const { bus } = this.machine;
    const address = this.mmu.physical;
    this.attention = true;
    if (size === 8) {
      bus.writeDevice(address, valueLo >>> 0, 4);
      bus.writeDevice(address + 4, valueHi >>> 0, 4);
    } else {
      bus.writeDevice(address, size === 4 ? valueLo >>> 0 : valueLo & ((1 << 8 * size) - 1), size);
    }
    return true;
  }

  #loadCrossing(lo: number, hi: number, size: number, first: number): boolean {
    const head = this.#part(lo, hi, first, TLB_LOAD);
    if (head < 0) return false;
    const tail = this.#part(lo + first | 0, carry(lo, hi, first), size - first, TLB_LOAD);
    if (tail < 0) return false;
    this.#noteAccess("read", lo, hi, size);
    let valueLo = 0, valueHi = 0;
    for (let i = 0; i < size; i++) {
      const byte = this.#u8[i < first ? head + i : tail + i - first];
      if (i < 4) valueLo |= byte << 8 * i;
      else valueHi |= byte << 8 * i - 32;
    }
    this.lo = valueLo;
    this.hi = valueHi;
    return true;
  }

  #storeCrossing(
    lo: number,
    hi: number,
    size: number,
    first: number,
    valueLo: number,
    valueHi: number,
  ): boolean {
    const head = this.#part(lo, hi, first, TLB_STORE);
    if (head < 0) return false;
    const tail = this.#part(lo + first | 0, carry(lo, hi, first), size - first, TLB_STORE);
    if (tail < 0) return false;
    this.#noteAccess("write", lo, hi, size);
    this.#noteCodeWrite(head, first);
    this.#noteCodeWrite(tail, size - first);
    for (let i = 0; i < size; i++) {
      this.#u8[i < first ? head + i : tail + i - first] = i < 4 ? valueLo >>> 8 * i : valueHi >>> 8 * i - 32;
    }
    return true;
  }

  /** RAM offset of the part in one page of an access that crosses pages; negative when it trapped. */
  #part(lo: number, hi: number, size: number, kind: number): number {
    const offset = this.mmu.lookup(lo, hi, size, kind, this.#index);
    if (offset >= 0) return offset;
    const { cause, physical } = this.mmu;
    const device = offset !== FAULT && this.machine.bus.find(physical, size) !== undefined;
    this.trap(offset === FAULT ? cause : device ? MISALIGNED[kind] : ACCESS_FAULT[kind], lo, hi);
    return FAULT;
  }

  /** Whether an access outside of RAM, which `lookup` answered with `result`, may go to the bus. */
  #reachesDevice(result: number, lo: number, hi: number, size: number, kind: number): boolean {
    const { cause, physical } = this.mmu;
    if (result === FAULT) this.trap(cause, lo, hi);
    else if (this.machine.bus.find(physical, size) === undefined) this.trap(ACCESS_FAULT[kind], lo, hi);
    else if (lo & (size - 1)) this.trap(MISALIGNED[kind], lo, hi);
    else return true;
    return false;
  }

  #read(offset: number, size: number): void {
    switch (size) {
      case 1:
        this.lo = this.#u8[offset];
        this.hi = 0;
        break;
      case 2:
        this.lo = this.#view.getUint16(offset, true);
        this.hi = 0;
        break;
      case 4:
        this.lo = this.#view.getInt32(offset, true);
        this.hi = 0;
        break;
      default:
        this.lo = this.#view.getInt32(offset, true);
        this.hi = this.#view.getInt32(offset + 4, true);
    }
  }

  #write(offset: number, size: number, lo: number, hi: number): void {
    switch (size) {
      case 1:
        this.#u8[offset] = lo;
        break;
      case 2:
        this.#view.setInt16(offset, lo, true);
        break;
      case 4:
        this.#view.setInt32(offset, lo, true);
        break;
      default:
        this.#view.setInt32(offset, lo, true);
        this.#view.setInt32(offset + 4, hi, true);
    }
  }

  #writeChecked(offset: number, size: number, lo: number, hi: number): void {
    this.#noteCodeWrite(offset, size);
    this.#write(offset, size, lo, hi);
  }

  /** An access that was no fast path's is about to be made. */
  #noteAccess(kind: "read" | "write", lo: number, hi: number, size: number): void {
    const { debug } = this.machine;
    if (debug.watching && debug.accessed(this.index, kind, lo, hi, size)) this.attention = true;
  }

  #noteCodeWrite(offset: number, size: number): void {
    const { ram } = this.machine;
    if (ram.codePages[offset >>> 12] !== 0) ram.onCodeWrite(offset, size);
  }
}

/** High half of an address plus a few bytes. */
function carry(lo: number, hi: number, bytes: number): number {
  return (lo + bytes) >>> 0 < bytes ? hi + 1 | 0 : hi;
}
