/** x86 page tables: Intel SDM volume 3, "4-Level Paging and 5-Level Paging". */
import type { KernelArchRow } from "./arch.ts";

const PRESENT = 1;
/** PS: maps 2 MiB or 1 GiB. */
const PAGE_SIZE = 0x80;

/** The row of x86. */
export const X86_64: KernelArchRow = {
  rootTables: ["init_top_pgt"],
  formats: [
    { name: "4-level paging", levels: 4, pageBits: 12, addressBits: 48 },
    { name: "5-level paging", levels: 5, pageBits: 12, addressBits: 57 },
  ],
  present: (low) => (low & PRESENT) !== 0,
  isPage: (low, level) => level === 0 || (low & PAGE_SIZE) !== 0,
  // Bits 51 to 12.
  frame: (low, high) => (high & 0x000f_ffff) * 2 ** 32 + ((low & 0xffff_f000) >>> 0),
};
