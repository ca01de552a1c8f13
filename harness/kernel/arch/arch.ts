/** What differs between the kernels of two architectures, as seen from outside: how page tables are written. */
import { ARM64 } from "./arm64.ts";
import { RISCV64 } from "./riscv64.ts";
import { X86_64 } from "./x86_64.ts";

/** An architecture whose kernels are known. */
export type KernelArch = "riscv64" | "arm64" | "x86_64";

/** One shape that page tables can have. Every entry has 8 bytes and every table but the root fills a page. */
export interface PageTableFormat {
  /** As the architecture's manual names it. */
  readonly name: string;
  /** Tables from the root to a page. */
  readonly levels: number;
  /** Bits of an address within the smallest page. */
  readonly pageBits: number;
  /** Bits of a virtual address that are translated; those above are ones in the kernel's half. */
  readonly addressBits: number;
}

/** One architecture. Entries come as their two halves; level 0 is the last table's. */
export interface KernelArchRow {
  /** Symbols of the kernel's root table, the likelier first. */
  readonly rootTables: readonly string[];
  /** The formats its kernels use; which one is found out by what maps the kernel where it is. */
  readonly formats: readonly PageTableFormat[];
  /** Whether an entry maps anything. */
  present(low: number, high: number): boolean;
  /** Whether an entry maps memory, not another table. */
  isPage(low: number, level: number): boolean;
  /** Physical address in an entry. */
  frame(low: number, high: number, pageBits: number): number;
  /** Bits of an address within what an entry maps, where it is not the level that says it. */
  spanBits?(low: number, high: number, levelBits: number): number;
}

/** Architecture → row. */
export const KERNEL_ARCHS: Readonly<Record<KernelArch, KernelArchRow>> = {
  riscv64: RISCV64,
  arm64: ARM64,
  x86_64: X86_64,
};
