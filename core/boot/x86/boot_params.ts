/**
 * Linux's boot parameters, the "zero page": what a kernel entered by the 64-bit boot protocol finds at RSI.
 *
 * Layout: Linux `Documentation/arch/x86/zero-page.rst` and `arch/x86/include/uapi/asm/bootparam.h`.
 */
import { SETUP_HEADER } from "./bzimage.ts";
import type { E820Entry } from "./e820.ts";

/** Bytes of the structure. */
export const BOOT_PARAMS_BYTES = 4096;

const ACPI_RSDP_ADDR = 0x070; // u64
const EXT_RAMDISK_IMAGE = 0x0c0;
const EXT_RAMDISK_SIZE = 0x0c4;
const EXT_CMD_LINE_PTR = 0x0c8;
const E820_ENTRIES = 0x1e8;
const BOOT_FLAG = 0x1fe;
const HEADER = 0x202;
const VERSION = 0x206;
const TYPE_OF_LOADER = 0x210;
const LOADFLAGS = 0x211;
const RAMDISK_IMAGE = 0x218;
const RAMDISK_SIZE = 0x21c;
const CMD_LINE_PTR = 0x228;
const CMDLINE_SIZE = 0x238;
const E820_TABLE = 0x2d0;
const E820_ENTRY_BYTES = 20;
const MAX_E820_ENTRIES = 128;

/** "Undefined" loader: we have no number of our own. */
const LOADER_UNDEFINED = 0xff;
const LOADED_HIGH = 1;
const PROTOCOL = 0x020f;

/** What the kernel is told. */
export interface BootParamsOptions {
  /** The `bzImage`'s own setup header; one is made up for a bare `vmlinux`. */
  readonly setupHeader?: Uint8Array;
  /** Guest-physical address of the zero-terminated command line. */
  readonly commandLine: number;
  /** Bytes of it, without the zero. */
  readonly commandLineBytes: number;
  readonly initrd?: { readonly start: number; readonly end: number };
  readonly memoryMap: readonly E820Entry[];
  /** Guest-physical address of ACPI's RSDP. */
  readonly rsdp: number;
}

/** Builds the structure. */
export function bootParams(options: BootParamsOptions): Uint8Array {
  const bytes = new Uint8Array(BOOT_PARAMS_BYTES);
  const view = new DataView(bytes.buffer);
  if (options.setupHeader) {
    bytes.set(options.setupHeader, SETUP_HEADER);
  } else {
    view.setUint16(BOOT_FLAG, 0xaa55, true);
    bytes.set(new TextEncoder().encode("HdrS"), HEADER);
    view.setUint16(VERSION, PROTOCOL, true);
    view.setUint32(CMDLINE_SIZE, options.commandLineBytes, true);
  }
  view.setUint8(TYPE_OF_LOADER, LOADER_UNDEFINED);
  view.setUint8(LOADFLAGS, view.getUint8(LOADFLAGS) | LOADED_HIGH);
  const address = (at: number, highAt: number, value: number) => {
    view.setUint32(at, value % 2 ** 32, true);
    view.setUint32(highAt, Math.floor(value / 2 ** 32), true);
  };
  address(CMD_LINE_PTR, EXT_CMD_LINE_PTR, options.commandLine);
  if (options.initrd) {
    address(RAMDISK_IMAGE, EXT_RAMDISK_IMAGE, options.initrd.start);
    address(RAMDISK_SIZE, EXT_RAMDISK_SIZE, options.initrd.end - options.initrd.start);
  }
  view.setBigUint64(ACPI_RSDP_ADDR, BigInt(options.rsdp), true);
  const { memoryMap } = options;
  if (memoryMap.length > MAX_E820_ENTRIES) throw new RangeError("The memory map has too many entries.");
  view.setUint8(E820_ENTRIES, memoryMap.length);
  memoryMap.forEach(({ start, bytes: size, type }, i) => {
    const at = E820_TABLE + i * E820_ENTRY_BYTES;
    view.setBigUint64(at, BigInt(start), true);
    view.setBigUint64(at + 8, BigInt(size), true);
    view.setUint32(at + 16, type, true);
  });
  return bytes;
}
