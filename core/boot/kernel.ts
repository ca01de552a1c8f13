/**
 * Any kernel file → what goes where in guest-physical memory. The format is found by magic number:
 * compressed (see `compression.ts`), ELF, Linux `Image`, or, failing all, a flat binary. A file for another
 * architecture, or one that is no kernel at all, is refused by name.
 */
import { identifyKernel, identifyOther } from "./architecture.ts";
import { unpackImage } from "./compression.ts";
import { type Elf, isElf, type KernelSymbol, parseElf } from "./elf.ts";
import { formatBytes, ImageError } from "./image_error.ts";
import { type ImageBytes, imageHead, readImage } from "./image_file.ts";
import { isLinuxImage, parseLinuxImage } from "./linux_image.ts";
import { type GuestRam, PAGE_SIZE } from "../memory.ts";

/** Bytes to place in RAM. */
export interface Segment {
  /** Guest-physical address. */
  readonly address: number;
  /** What to copy there. */
  readonly bytes: ImageBytes;
  /** Bytes in memory; those past `bytes` are zero. */
  readonly memoryBytes: number;
}

/** A kernel ready to be placed. */
export interface KernelImage {
  /** The file's name, for reports. */
  readonly file: string;
  /** How it was recognised: a Linux `Image` (or `vmlinux`), another ELF file, or anything else. */
  readonly format: "linux" | "elf" | "flat";
  /** What to place in RAM. */
  readonly segments: readonly Segment[];
  /** Guest-physical address of the first instruction. */
  readonly entry: number;
  /** Guest-physical address of the first byte. */
  readonly start: number;
  /** Guest-physical address after the last byte the kernel needs. */
  readonly end: number;
  /** The symbols of code and data, by ascending address; empty where the format has none. */
  symbols(): readonly KernelSymbol[];
}

/** Where a kernel shall go. */
export interface LoadKernelOptions {
  /** The file's name, for errors. */
  readonly file: string;
  /** The machine's architecture: "riscv64", "aarch64", "x86_64". */
  readonly arch: string;
  /** Guest-physical address of RAM. */
  readonly ramBase: number;
  /** Bytes of RAM. */
  readonly ramBytes: number;
}

const noSymbols = (): readonly KernelSymbol[] => [];

/** Bytes that a Linux `Image` is told by, and that hold the headers of its PE sections. */
const HEAD_BYTES = 65536;

/**
 * Recognises, unpacks and checks a kernel. Only a Linux `Image` stays the file that it is; any other format's
 * bytes are kept in memory.
 *
 * @throws {ImageError} when it cannot run on this machine.
 */
export async function loadKernel(source: ImageBytes, options: LoadKernelOptions): Promise<KernelImage> {
  const { file, arch, ramBase, ramBytes } = options;
  if (source.length === 0) throw new ImageError(file, "is empty", "give a kernel image");
  if (isLinuxImage(imageHead(source, HEAD_BYTES), arch)) return linuxKernel(source, options);
  const image = await unpackImage(imageHead(source, source.length), file, ramBytes);
  if (isElf(image)) return elfKernel(parseElf(image, file, arch), options);
  if (isLinuxImage(image, arch)) return linuxKernel(image, options);
  const kernel = identifyKernel(image);
  if (kernel && kernel.arch !== arch) {
    throw new ImageError(
      file,
      `is ${kernel.what} for ${kernel.arch}, and this machine is ${arch}`,
      `give a kernel built for ${arch}`,
    );
  }
  if (kernel) {
    throw new ImageError(file, `is ${kernel.what}, not a kernel this machine can start`, "give a kernel");
  }
  const other = identifyOther(image);
  if (other) throw new ImageError(file, `is ${other.what}, not a kernel`, other.remedy);
  const segment = { address: ramBase, bytes: image, memoryBytes: image.length };
  return placeKernel(
    { file, format: "flat", segments: [segment], entry: ramBase, symbols: noSymbols },
    options,
  );
}

/**
 * Copies segments into RAM.
 *
 * @param fresh Whether RAM is known to be zero, so that zeros need not be written (which costs host memory).
 */
export function placeSegments(ram: GuestRam, segments: readonly Segment[], fresh: boolean): void {
  for (const { address, bytes, memoryBytes } of segments) {
    let at = address;
    readImage(bytes, (piece) => {
      if (fresh) writeNonZero(ram, at, piece);
      else ram.write(at, piece);
      at += piece.length;
    });
    if (fresh) continue;
    const zeros = new Uint8Array(65536);
    for (let at = bytes.length; at < memoryBytes; at += zeros.length) {
      ram.write(address + at, zeros.subarray(0, Math.min(zeros.length, memoryBytes - at)));
    }
  }
}

/** Writes what of `bytes` is not whole pages of zeros, as much at a time as there is. */
function writeNonZero(ram: GuestRam, address: number, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let from = 0;
  for (let page = 0, end; page < bytes.length; page = end) {
    end = Math.min(page + PAGE_SIZE - (address + page) % PAGE_SIZE, bytes.length);
    if (!isZero(view, page, end)) continue;
    if (from < page) ram.write(address + from, bytes.subarray(from, page));
    from = end;
  }
  if (from < bytes.length) ram.write(address + from, bytes.subarray(from));
}

/** Whether the bytes from one to another are all zero. */
function isZero(view: DataView, from: number, to: number): boolean {
  let at = from;
  while (at + 4 <= to && view.getInt32(at, true) === 0) at += 4;
  while (at < to && view.getUint8(at) === 0) at++;
  return at === to;
}

function linuxKernel(image: ImageBytes, options: LoadKernelOptions): KernelImage {
  const { file, ramBase } = options;
  const { textOffset, memoryBytes } = parseLinuxImage(imageHead(image, HEAD_BYTES), image.length, file);
  const address = ramBase + textOffset;
  const segments = [{ address, bytes: image, memoryBytes }];
  return placeKernel({ file, format: "linux", segments, entry: address, symbols: noSymbols }, options);
}

function elfKernel(elf: Elf, options: LoadKernelOptions): KernelImage {
  const { file, arch, ramBase } = options;
  const first = elf.segments.reduce((a, b) => b.physAddr < a.physAddr ? b : a);
  // A Linux `vmlinux` is its `Image` with virtual addresses: place it as the `Image` would be. What is linked
  // at 0 and runs anywhere, like OpenSBI, goes to the start of RAM.
  const linux = isLinuxImage(first.bytes, arch);
  const delta = linux
    ? BigInt(ramBase + parseLinuxImage(first.bytes, Infinity, file).textOffset) - first.physAddr
    : elf.positionIndependent && first.physAddr === 0n
    ? BigInt(ramBase)
    : 0n;
  const segments = elf.segments.map(({ physAddr, bytes, memoryBytes }) => ({
    address: Number(physAddr + delta),
    bytes,
    memoryBytes: Number(memoryBytes),
  }));
  const entry = Number(delta + (linux ? first.physAddr : elf.entry));
  const symbols = () =>
    linux || delta === 0n ? elf.symbols() : elf.symbols().map((s) => ({ ...s, address: s.address + delta }));
  return placeKernel({ file, format: linux ? "linux" : "elf", segments, entry, symbols }, options);
}

/**
 * Checks that a kernel lies in RAM and starts in itself.
 *
 * @throws {ImageError} when it does not.
 */
export function placeKernel(
  kernel: Omit<KernelImage, "start" | "end">,
  options: Omit<LoadKernelOptions, "arch">,
): KernelImage {
  const { file, ramBase, ramBytes } = options;
  const start = Math.min(...kernel.segments.map((s) => s.address));
  const end = Math.max(...kernel.segments.map((s) => s.address + s.memoryBytes));
  const ramEnd = ramBase + ramBytes;
  if (end - start > ramBytes || (start >= ramBase && start < ramEnd && end > ramEnd)) {
    throw new ImageError(
      file,
      `needs ${formatBytes(end - ramBase)} of memory, and the guest has ${formatBytes(ramBytes)}`,
      "give the guest more memory",
    );
  }
  const hex = (n: number) => `0x${n.toString(16)}`;
  if (start < ramBase || start >= ramEnd) {
    throw new ImageError(
      file,
      `is linked to load at ${hex(start)}, and this machine's RAM is ${hex(ramBase)} to ${hex(ramEnd - 1)}`,
      "link it for this machine, or give a kernel (not a user program)",
    );
  }
  if (kernel.entry < start || kernel.entry >= end) {
    throw new ImageError(file, `starts at ${hex(kernel.entry)}, outside of what it loads`, "link it again");
  }
  return { ...kernel, start, end };
}
