/** Guest RAM by physical address, without copies: what page tables and symbol tables are read from. */
import type { RamView } from "../guest_memory.ts";

/** The RAM of a machine that stands still. */
export class PhysicalMemory {
  /**
   * Over the machine's spans of RAM.
   *
   * @param spans Ascending by address.
   */
  constructor(readonly spans: readonly RamView[]) {}

  /** The span that holds `length` bytes at an address, wholly. */
  span(address: number, length: number): RamView | undefined {
    for (const span of this.spans) {
      const offset = address - span.base;
      if (offset >= 0 && length <= span.u8.length && offset <= span.u8.length - length) return span;
    }
    return undefined;
  }

  /** Bytes as they are, not copied; undefined where RAM does not hold all of them. */
  bytes(address: number, length: number): Uint8Array | undefined {
    const span = this.span(address, length);
    return span?.u8.subarray(address - span.base, address - span.base + length);
  }
}
