/** RISC-V page tables: privileged specification, "Sv39", "Sv48", "Sv57", and "Svnapot". */
import type { KernelArchRow } from "./arch.ts";

const VALID = 1;
/** R, W and X: an entry without any of them points at a table. */
const READ_WRITE_EXECUTE = 0xe;
/** N, in the upper half. */
const NAPOT = 0x8000_0000;
/** The one size that Svnapot defines: 64 KiB. */
const NAPOT_BITS = 16;

/** The row of RISC-V. */
export const RISCV64: KernelArchRow = {
  rootTables: ["swapper_pg_dir"],
  formats: [
    { name: "Sv39", levels: 3, pageBits: 12, addressBits: 39 },
    { name: "Sv48", levels: 4, pageBits: 12, addressBits: 48 },
    { name: "Sv57", levels: 5, pageBits: 12, addressBits: 57 },
  ],
  present: (low) => (low & VALID) !== 0,
  isPage: (low) => (low & READ_WRITE_EXECUTE) !== 0,
  // The page number is in bits 53 to 10.
  frame: (low, high) => ((high & 0x003f_ffff) * 2 ** 22 + (low >>> 10)) * 2 ** 12,
  spanBits: (_low, high, levelBits) => (high & NAPOT) !== 0 ? NAPOT_BITS : levelBits,
};
