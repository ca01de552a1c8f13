/**
 * The processor as a kernel finds it: in the mode its boot protocol wants, with a descriptor table and page
 * tables in low memory to go with it.
 *
 * Linux `Documentation/arch/x86/boot.rst`, "64-bit Boot Protocol"; Xen `docs/misc/pvh.pandoc`.
 */
import {
  powerOnRegisters,
  realModeSegment,
  type X86Registers,
  type X86Segment,
} from "../../decoder/x86/registers.ts";
import type { CpuMode } from "./cpu_mode.ts";
import { BOOT_SECTOR, BOOT_STACK, GDT, PAGE_TABLES } from "./address_map.ts";

const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
const TSS_SELECTOR = 0x20;
const CODE64 = 0x00af_9b00_0000_ffffn;
const CODE32 = 0x00cf_9b00_0000_ffffn;
const DATA = 0x00cf_9300_0000_ffffn;
const TSS = 0x0000_8b00_0000_ffffn;

const CR0_PE = 1n, CR0_ET = 1n << 4n, CR0_NE = 1n << 5n, CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LME = 1n << 8n, EFER_LMA = 1n << 10n;

const PAGE = 4096;
const PRESENT_WRITABLE = 0b11n;
const LARGE = 1n << 7n;
const DIRECTORIES = 4;

/** What goes into low memory for a mode: guest-physical address and bytes. */
export function startTables(mode: CpuMode): { address: number; bytes: Uint8Array }[] {
  if (mode === "real") return [];
  const gdt = new BigUint64Array([0n, 0n, mode === "long" ? CODE64 : CODE32, DATA, TSS, 0n]);
  const tables: { address: number; bytes: Uint8Array }[] = [{
    address: GDT,
    bytes: new Uint8Array(gdt.buffer),
  }];
  if (mode === "long") tables.push({ address: PAGE_TABLES, bytes: identityMap() });
  return tables;
}

/** Page tables that map the first 4 GiB to themselves with pages of 2 MiB. */
function identityMap(): Uint8Array {
  const entries = new BigUint64Array((2 + DIRECTORIES) * 512);
  const table = (index: number) => BigInt(PAGE_TABLES + index * PAGE);
  entries[0] = table(1) | PRESENT_WRITABLE;
  for (let i = 0; i < DIRECTORIES; i++) entries[512 + i] = table(2 + i) | PRESENT_WRITABLE;
  for (let i = 0; i < DIRECTORIES * 512; i++) {
    entries[1024 + i] = BigInt(i) << 21n | LARGE | PRESENT_WRITABLE;
  }
  return new Uint8Array(entries.buffer);
}

/** What a kernel is told in registers. */
export interface EntryRegisters {
  readonly entry: number;
  /** RSI: the boot parameters (64-bit boot protocol). */
  readonly rsi?: number;
  /** EBX: the start information (PVH). */
  readonly rbx?: number;
}

/** The boot processor's registers at a kernel's entry. */
export function entryRegisters(mode: CpuMode, { entry, rsi = 0, rbx = 0 }: EntryRegisters): X86Registers {
  const registers = powerOnRegisters(0);
  if (mode === "real") {
    return {
      ...registers,
      cs: { ...realModeSegment(0), type: 11 },
      rip: BigInt(entry),
      rsp: BigInt(BOOT_SECTOR),
      cr0: CR0_ET,
    };
  }
  const long = mode === "long";
  const data = flatSegment(DATA_SELECTOR, false, false);
  return {
    ...registers,
    rip: BigInt(entry),
    rsi: BigInt(rsi),
    rbx: BigInt(rbx),
    rsp: BigInt(BOOT_STACK),
    cs: flatSegment(CODE_SELECTOR, true, long),
    ds: data,
    es: data,
    fs: data,
    gs: data,
    ss: data,
    tr: { ...flatSegment(TSS_SELECTOR, true, false), s: 0, limit: 0xffff, g: 0, db: 0 },
    gdt: { base: BigInt(GDT), limit: 6 * 8 - 1 },
    idt: { base: 0n, limit: 0 },
    cr0: CR0_PE | CR0_ET | (long ? CR0_PG | CR0_NE : 0n),
    cr3: long ? BigInt(PAGE_TABLES) : 0n,
    cr4: long ? CR4_PAE : 0n,
    efer: long ? EFER_LME | EFER_LMA : 0n,
  };
}

function flatSegment(selector: number, code: boolean, long: boolean): X86Segment {
  return {
    ...realModeSegment(selector),
    base: 0n,
    limit: 0xffff_ffff,
    type: code ? 11 : 3,
    g: 1,
    l: long ? 1 : 0,
    db: long ? 0 : 1,
  };
}
