/**
 * Linux's x86 `bzImage`: the setup header that tells a boot loader where things go, and the compressed kernel
 * inside. We unpack that on the host and enter the kernel itself by the 64-bit boot protocol, so that the
 * guest's own decompressor never runs.
 *
 * Format: Linux `Documentation/arch/x86/boot.rst`, "The Real-Mode Kernel Header" and "64-bit Boot Protocol".
 */
import { hasMagic } from "../architecture.ts";
import { ImageError } from "../image_error.ts";

/** Where the setup header begins, in the file and in the boot parameters alike. */
export const SETUP_HEADER = 0x1f1;
const SETUP_SECTS = 0x1f1;
/** The low byte is the distance from {@linkcode HEADER_MAGIC} to the header's end. */
const JUMP = 0x201;
const HEADER_MAGIC = 0x202;
const VERSION = 0x206;
const LOADFLAGS = 0x211;
const INITRD_ADDR_MAX = 0x22c;
const XLOADFLAGS = 0x236;
const CMDLINE_SIZE = 0x238;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const INIT_SIZE = 0x260;

/** Loaded at 1 MiB: `bzImage`, not the ancient `zImage`. */
const LOADED_HIGH = 1;
/** The kernel has the 64-bit entry point at 0x200. */
const XLF_KERNEL_64 = 1;
/** The oldest protocol that tells all we need (`xloadflags`, Linux 3.8). */
const MIN_VERSION = 0x020c;
const SECTOR = 512;
const DEFAULT_SETUP_SECTS = 4;
const MIN_BYTES = 0x268;

/** What a `bzImage` holds. */
export interface BzImage {
  /** The setup header, to be copied to {@linkcode SETUP_HEADER} of the boot parameters. */
  readonly setupHeader: Uint8Array;
  /** The compressed kernel, an ELF file inside. */
  readonly payload: Uint8Array;
  /** Bytes that it says it has unpacked. */
  readonly unpackedBytes: number;
  /** Highest address that the initrd's last byte may have. */
  readonly initrdAddressMax: number;
  /** Most bytes of command line, without the terminating zero. */
  readonly commandLineBytes: number;
  /** Bytes of memory, from where it is loaded, that the kernel needs to start. */
  readonly initBytes: number;
}

/** Whether the bytes begin like a Linux x86 boot image of any kind. */
export function isBzImage(bytes: Uint8Array): boolean {
  return bytes.length >= MIN_BYTES && bytes[0x1fe] === 0x55 && bytes[0x1ff] === 0xaa &&
    hasMagic(bytes, HEADER_MAGIC, "HdrS");
}

/**
 * Parses a `bzImage`.
 *
 * @param file The image's name, for errors.
 * @throws {ImageError} when it is truncated, too old, or has no 64-bit entry.
 */
export function parseBzImage(bytes: Uint8Array, file: string): BzImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint16(VERSION, true);
  if (version < MIN_VERSION || !(bytes[LOADFLAGS] & LOADED_HIGH)) {
    throw new ImageError(
      file,
      `speaks boot protocol ${version >> 8}.${
        version & 0xff
      }, and 2.12 is the oldest that tells of a 64-bit entry`,
      "give a kernel of Linux 3.8 or later",
    );
  }
  if (!(view.getUint16(XLOADFLAGS, true) & XLF_KERNEL_64)) {
    throw new ImageError(
      file,
      "has no 64-bit entry: it is a 32-bit x86 kernel",
      "give a kernel built for x86_64",
    );
  }
  const setupBytes = ((bytes[SETUP_SECTS] || DEFAULT_SETUP_SECTS) + 1) * SECTOR;
  const start = setupBytes + view.getUint32(PAYLOAD_OFFSET, true);
  const length = view.getUint32(PAYLOAD_LENGTH, true);
  if (length === 0 || start + length > bytes.length) {
    throw new ImageError(file, `is truncated: its payload ends at byte ${start + length}`, "get it again");
  }
  return {
    setupHeader: bytes.slice(SETUP_HEADER, Math.max(MIN_BYTES, HEADER_MAGIC + bytes[JUMP])),
    payload: withoutSize(bytes.subarray(start, start + length)),
    unpackedBytes: length < 4 ? 0 : view.getUint32(start + length - 4, true),
    initrdAddressMax: view.getUint32(INITRD_ADDR_MAX, true),
    commandLineBytes: view.getUint32(CMDLINE_SIZE, true),
    initBytes: view.getUint32(INIT_SIZE, true),
  };
}

/**
 * The kernel's build appends the unpacked size to what a compressor made (`size_append` in
 * `scripts/Makefile.lib`), except to gzip, whose own trailer is that.
 */
function withoutSize(payload: Uint8Array): Uint8Array {
  return hasMagic(payload, 0, "\x1f\x8b") ? payload : payload.subarray(0, payload.length - 4);
}
