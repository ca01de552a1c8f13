/**
 * The header of Linux's raw `Image` files, which RISC-V and AArch64 share but for one magic number. The same
 * file is a PE program when the kernel has an EFI stub, and then its sections tell how long it must be.
 *
 * Format: Linux `Documentation/arch/riscv/boot-image-header.rst`, `Documentation/arch/arm64/booting.rst`;
 * Microsoft PE Format for the sections.
 */
import { hasMagic } from "./architecture.ts";
import { ImageError } from "./image_error.ts";

const TEXT_OFFSET = 8; // u64: where to load, relative to a 2 MiB boundary at the start of RAM
const IMAGE_SIZE = 16; // u64: bytes the kernel needs from there, its BSS included
const MAGIC2 = 0x38;
/** Bytes of the header. */
export const LINUX_HEADER_BYTES = 0x40;
const PE_OFFSET = 0x3c;
const PE_SECTION_COUNT = 6;
const PE_OPTIONAL_SIZE = 20;
const PE_HEADER_BYTES = 24;
const SECTION_BYTES = 40;
const SECTION_RAW_SIZE = 16;
const SECTION_RAW_OFFSET = 20;

const MAGIC2_BY_ARCH: Readonly<Record<string, string>> = { riscv64: "RSC\x05", aarch64: "ARM\x64" };

/** What the header says. */
export interface LinuxImageHeader {
  /** Where to load, relative to the start of RAM. */
  readonly textOffset: number;
  /** Bytes of memory needed from there. */
  readonly memoryBytes: number;
}

/** Whether the bytes begin like a Linux `Image` for the architecture. */
export function isLinuxImage(bytes: Uint8Array, arch: string): boolean {
  const magic = MAGIC2_BY_ARCH[arch];
  return magic !== undefined && hasMagic(bytes, MAGIC2, magic);
}

/**
 * Parses the header of a Linux `Image`.
 *
 * @param head The image's first bytes, with the headers of its PE sections, or all of them.
 * @param length Bytes of the whole image.
 * @param file The image's name, for errors.
 * @throws {ImageError} when the file is shorter than its header says.
 */
export function parseLinuxImage(head: Uint8Array, length: number, file: string): LinuxImageHeader {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const expected = head.length < LINUX_HEADER_BYTES ? Infinity : peFileBytes(head, view);
  if (length < expected) {
    throw new ImageError(
      file,
      `is truncated: it has ${length} of ${expected === Infinity ? "its" : expected} bytes`,
      "get it again",
    );
  }
  return {
    textOffset: Number(view.getBigUint64(TEXT_OFFSET, true)),
    memoryBytes: Math.max(Number(view.getBigUint64(IMAGE_SIZE, true)), length),
  };
}

/** Bytes the file must have for its PE sections to be whole; 0 when it is no PE file. */
function peFileBytes(bytes: Uint8Array, view: DataView): number {
  const pe = view.getUint32(PE_OFFSET, true);
  if (!hasMagic(bytes, 0, "MZ") || pe < LINUX_HEADER_BYTES) return 0;
  if (pe + PE_HEADER_BYTES > bytes.length) return Infinity;
  if (!hasMagic(bytes, pe, "PE\0\0")) return 0;
  let at = pe + PE_HEADER_BYTES + view.getUint16(pe + PE_OPTIONAL_SIZE, true);
  let end = 0;
  for (let i = view.getUint16(pe + PE_SECTION_COUNT, true); i > 0; i--, at += SECTION_BYTES) {
    if (at + SECTION_BYTES > bytes.length) return Infinity;
    const size = view.getUint32(at + SECTION_RAW_SIZE, true);
    if (size > 0) end = Math.max(end, view.getUint32(at + SECTION_RAW_OFFSET, true) + size);
  }
  return end;
}
