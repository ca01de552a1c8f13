/**
 * Virtual to physical by the guest's page tables, without side effects: 32-bit, PAE, four- and five-level
 * paging (SDM vol. 3A §4.3 to §4.5).
 */
import type { X86Registers } from "./registers.ts";

const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const CR4_LA57 = 1n << 12n;
const EFER_LMA = 1n << 10n;

/** What decides how addresses are translated. */
type PagingRegisters = Readonly<Pick<X86Registers, "cr0" | "cr3" | "cr4" | "efer">>;

const PRESENT = 1n;
const LARGE = 1n << 7n;
const ADDRESS = 0x000f_ffff_ffff_f000n;
const PAGE_BITS = 12n;

/** Reads 4 or 8 bytes of guest-physical memory; undefined outside of RAM. */
export type ReadPhysical = (address: number, size: 4 | 8) => bigint | undefined;

/** The physical address of a linear one; undefined where nothing is mapped. */
export function walkPages(state: PagingRegisters, linear: bigint, read: ReadPhysical): number | undefined {
  if (!(state.cr0 & CR0_PG)) return Number(linear & 0xffff_ffffn);
  if (state.efer & EFER_LMA) {
    const levels = state.cr4 & CR4_LA57 ? 5 : 4;
    const used = PAGE_BITS + 9n * BigInt(levels);
    if (BigInt.asIntN(Number(used), linear) !== BigInt.asIntN(64, linear)) return undefined; // not canonical
    return walkWide(state.cr3 & ADDRESS, levels, linear, read);
  }
  const low = linear & 0xffff_ffffn;
  if (state.cr4 & CR4_PAE) return walkWide(state.cr3 & 0xffff_ffe0n, 3, low, read);
  return walkNarrow(state, low, read);
}

/** Tables of 512 entries of 8 bytes. */
function walkWide(root: bigint, levels: number, linear: bigint, read: ReadPhysical): number | undefined {
  let table = root;
  for (let level = levels; level >= 1; level--) {
    const shift = PAGE_BITS + 9n * BigInt(level - 1);
    const entry = read(Number(table + (linear >> shift & 511n) * 8n), 8);
    if (entry === undefined || !(entry & PRESENT)) return undefined;
    const isPage = level === 1 || ((level === 2 || (level === 3 && levels > 3)) && entry & LARGE);
    if (isPage) {
      const offset = linear & (1n << shift) - 1n;
      return Number((entry & ADDRESS) >> shift << shift | offset);
    }
    table = entry & ADDRESS;
  }
  return undefined;
}

/** Two levels of 1024 entries of 4 bytes. */
function walkNarrow(state: PagingRegisters, linear: bigint, read: ReadPhysical): number | undefined {
  const directory = read(Number((state.cr3 & 0xffff_f000n) + (linear >> 22n) * 4n), 4);
  if (directory === undefined || !(directory & PRESENT)) return undefined;
  if (directory & LARGE && state.cr4 & CR4_PSE) {
    const high = directory >> 13n & 0xffn; // PSE-36
    return Number(high << 32n | directory & 0xffc0_0000n | linear & 0x3f_ffffn);
  }
  const page = read(Number((directory & 0xffff_f000n) + (linear >> 12n & 1023n) * 4n), 4);
  if (page === undefined || !(page & PRESENT)) return undefined;
  return Number(page & 0xffff_f000n | linear & 0xfffn);
}
