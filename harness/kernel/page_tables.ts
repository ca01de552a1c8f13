/**
 * Walks a kernel's own page tables in RAM. What a vCPU does at the moment (user mode, firmware, dead) plays no
 * part. The tables may be garbage: a walk takes as many steps as there are levels.
 */
import type { KernelArchRow, PageTableFormat } from "./arch/arch.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

const ENTRY_BITS = 3;

/** Page tables in RAM, of one format. */
export class PageTables {
  /** Bytes from the address last translated to the end of the page it is in. */
  bytesLeft = 0;
  readonly #shifts: readonly number[];

  /**
   * Over tables that need not be set up yet.
   *
   * @param root Physical address of the root table.
   */
  constructor(
    readonly memory: PhysicalMemory,
    readonly row: KernelArchRow,
    readonly format: PageTableFormat,
    readonly root: number,
  ) {
    const { levels, pageBits } = format;
    this.#shifts = Array.from({ length: levels }, (_, level) => pageBits + level * (pageBits - ENTRY_BITS));
  }

  /** The physical address of one of the kernel's virtual ones; undefined where nothing is mapped. */
  translate(virtual: bigint): number | undefined {
    const { levels, pageBits, addressBits } = this.format;
    const address = BigInt.asUintN(64, virtual);
    if (address >> BigInt(addressBits) !== (1n << BigInt(64 - addressBits)) - 1n) return undefined;
    const { row, memory } = this;
    // In two halves: 57 bits are more than a number holds.
    const low = Number(address & 0xffff_ffffn);
    const high = Number(BigInt.asUintN(addressBits, address) >> 32n);
    let table = this.root;
    for (let level = levels - 1; level >= 0; level--) {
      const shift = this.#shifts[level];
      const bits = Math.min(pageBits - ENTRY_BITS, addressBits - shift);
      const index = bitsOf(high, low, shift, bits);
      const at = table + index * 8;
      const span = memory.span(at, 8);
      if (!span) return undefined;
      const entryLow = span.view.getInt32(at - span.base, true);
      const entryHigh = span.view.getInt32(at - span.base + 4, true);
      if (!row.present(entryLow, entryHigh)) return undefined;
      const frame = row.frame(entryLow, entryHigh, pageBits);
      if (row.isPage(entryLow, level)) {
        const size = 2 ** (row.spanBits?.(entryLow, entryHigh, shift) ?? shift);
        const offset = size <= 2 ** 32 ? low % size : high % (size / 2 ** 32) * 2 ** 32 + low;
        this.bytesLeft = size - offset;
        return frame - frame % size + offset;
      }
      table = frame;
    }
    return undefined;
  }
}

/** `count` bits of a number in two halves, from bit `shift` on. */
function bitsOf(high: number, low: number, shift: number, count: number): number {
  const shifted = shift >= 32
    ? high >>> (shift - 32)
    : (low >>> shift) + (high & (2 ** shift - 1)) * 2 ** (32 - shift);
  return shifted % 2 ** count;
}
