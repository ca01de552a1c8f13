/**
 * Arm page tables: Arm Architecture Reference Manual, "VMSAv8-64 translation table format descriptors". The
 * kernel's half has a root of its own (TTBR1). A kernel built for 52-bit addresses lays its root out for them and
 * enters it further up on a processor that has 48; kernel addresses have ones there, so that nothing differs.
 * Output addresses are taken to 48 bits.
 */
import type { KernelArchRow } from "./arch.ts";

const VALID = 1;
/** A table at every level but the last, where it must be set. */
const TABLE_OR_PAGE = 2;

/** The row of Arm. */
export const ARM64: KernelArchRow = {
  rootTables: ["swapper_pg_dir"],
  formats: [
    { name: "4 KiB pages, 48 bits", levels: 4, pageBits: 12, addressBits: 48 },
    { name: "4 KiB pages, 52 bits", levels: 5, pageBits: 12, addressBits: 52 },
    { name: "4 KiB pages, 39 bits", levels: 3, pageBits: 12, addressBits: 39 },
    { name: "64 KiB pages, 52 or 48 bits", levels: 3, pageBits: 16, addressBits: 52 },
    { name: "64 KiB pages, 48 bits", levels: 3, pageBits: 16, addressBits: 48 },
    { name: "64 KiB pages, 42 bits", levels: 2, pageBits: 16, addressBits: 42 },
    { name: "16 KiB pages, 52 bits", levels: 4, pageBits: 14, addressBits: 52 },
    { name: "16 KiB pages, 48 bits", levels: 4, pageBits: 14, addressBits: 48 },
    { name: "16 KiB pages, 47 bits", levels: 3, pageBits: 14, addressBits: 47 },
    { name: "16 KiB pages, 36 bits", levels: 2, pageBits: 14, addressBits: 36 },
  ],
  present: (low) => (low & VALID) !== 0,
  isPage: (low, level) => level === 0 || (low & TABLE_OR_PAGE) === 0,
  frame: (low, high, pageBits) => (high & 0xffff) * 2 ** 32 + ((low >>> pageBits) * 2 ** pageBits),
};
