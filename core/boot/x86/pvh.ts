/**
 * The PVH boot protocol: an ELF kernel names its 32-bit entry point in a note, and finds there, in EBX, a
 * structure that tells of command line, modules and memory.
 *
 * Format: Xen `docs/misc/pvh.pandoc` and `xen/include/public/arch-x86/hvm/start_info.h`.
 */
import type { E820Entry } from "./e820.ts";

const PT_NOTE = 4;
const PHDR_BYTES = 56;
/** `XEN_ELFNOTE_PHYS32_ENTRY`. */
const PHYS32_ENTRY = 18;

const MAGIC = 0x336ec578;
const VERSION = 1;
const START_INFO_BYTES = 56;
const MODULE_BYTES = 32;
const MEMORY_ENTRY_BYTES = 24;

/**
 * The entry point that an ELF file's notes name, or undefined.
 *
 * @param elf An ELF-64 file whose header was checked.
 */
export function pvhEntry(elf: Uint8Array): number | undefined {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const table = Number(view.getBigUint64(32, true));
  const count = view.getUint16(56, true);
  for (let i = 0; i < count; i++) {
    const at = table + i * PHDR_BYTES;
    if (at + PHDR_BYTES > elf.length || view.getUint32(at, true) !== PT_NOTE) continue;
    const start = Number(view.getBigUint64(at + 8, true));
    const end = Math.min(start + Number(view.getBigUint64(at + 32, true)), elf.length);
    const entry = entryOf(view, start, end);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function entryOf(view: DataView, start: number, end: number): number | undefined {
  const aligned = (n: number) => Math.ceil(n / 4) * 4;
  for (let at = start; at + 12 <= end;) {
    const nameBytes = view.getUint32(at, true);
    const descBytes = view.getUint32(at + 4, true);
    const type = view.getUint32(at + 8, true);
    const desc = at + 12 + aligned(nameBytes);
    if (desc + descBytes > end) return undefined;
    const isXen = nameBytes === 4 && view.getUint32(at + 12, true) === 0x006e6558; // "Xen\0"
    if (isXen && type === PHYS32_ENTRY && (descBytes === 4 || descBytes === 8)) {
      return view.getUint32(desc, true);
    }
    at = desc + aligned(descBytes);
  }
  return undefined;
}

/** What the kernel is told. */
export interface StartInfoOptions {
  /** Guest-physical address at which the structure will lie. */
  readonly address: number;
  /** Guest-physical address of the zero-terminated command line. */
  readonly commandLine: number;
  readonly initrd?: { readonly start: number; readonly end: number };
  readonly memoryMap: readonly E820Entry[];
  /** Guest-physical address of ACPI's RSDP. */
  readonly rsdp: number;
}

/** Builds `hvm_start_info` and, right after it, its module list and memory map. */
export function startInfo(options: StartInfoOptions): Uint8Array {
  const { address, initrd, memoryMap } = options;
  const modules = address + START_INFO_BYTES;
  const map = modules + MODULE_BYTES;
  const bytes = new Uint8Array(START_INFO_BYTES + MODULE_BYTES + memoryMap.length * MEMORY_ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, VERSION, true);
  view.setUint32(12, initrd ? 1 : 0, true);
  u64(16, initrd ? modules : 0);
  u64(24, options.commandLine);
  u64(32, options.rsdp);
  u64(40, map);
  view.setUint32(48, memoryMap.length, true);
  if (initrd) {
    u64(START_INFO_BYTES, initrd.start);
    u64(START_INFO_BYTES + 8, initrd.end - initrd.start);
  }
  memoryMap.forEach(({ start, bytes: size, type }, i) => {
    const at = START_INFO_BYTES + MODULE_BYTES + i * MEMORY_ENTRY_BYTES;
    u64(at, start);
    u64(at + 8, size);
    view.setUint32(at + 16, type, true);
  });
  return bytes;
}
