/**
 * Any x86 kernel file → what goes where, and how it is entered: Linux `bzImage` (its payload unpacked) and
 * ELF by the 64-bit boot protocol, ELF with a PVH note by PVH, flat binaries in a mode of the caller's choice.
 */
import { identifyKernel, identifyOther } from "../architecture.ts";
import { unpackImage } from "../compression.ts";
import { isElf, parseElf } from "../elf.ts";
import { formatBytes, ImageError } from "../image_error.ts";
import { type ImageBytes, imageHead } from "../image_file.ts";
import { type KernelImage, placeKernel } from "../kernel.ts";
import { isBzImage, parseBzImage } from "./bzimage.ts";
import { pvhEntry } from "./pvh.ts";

/** How the kernel wants to be entered. */
export type BootProtocol = "linux64" | "pvh" | "flat";

/** A kernel and its way in. */
export interface X86Kernel {
  readonly image: KernelImage;
  readonly protocol: BootProtocol;
  /** The `bzImage`'s setup header. */
  readonly setupHeader?: Uint8Array;
  /** Highest address that the initrd's last byte may have. */
  readonly initrdAddressMax: number;
  /** Most bytes of command line. */
  readonly commandLineBytes: number;
}

/** What is known of the machine. */
export interface LoadX86KernelOptions {
  /** The file's name, for errors. */
  readonly file: string;
  /** Bytes of RAM from address 0 on. */
  readonly ramBytes: number;
  /** Where a flat binary goes. */
  readonly flatBase: number;
  /** Most bytes of command line that the board has room for. */
  readonly commandLineBytes: number;
}

/**
 * Recognises, unpacks and checks a kernel.
 *
 * @throws {ImageError} when it cannot run on this machine.
 */
export async function loadX86Kernel(source: ImageBytes, options: LoadX86KernelOptions): Promise<X86Kernel> {
  const { file, ramBytes, flatBase, commandLineBytes } = options;
  if (source.length === 0) throw new ImageError(file, "is empty", "give a kernel image");
  const bytes = imageHead(source, source.length);
  const room = { file, ramBase: 0, ramBytes };
  const defaults = { initrdAddressMax: Infinity, commandLineBytes };
  const elfKernel = (elf: Uint8Array) => {
    const { entry, segments, symbols } = parseElf(elf, file, "x86_64");
    return {
      file,
      format: "elf" as const,
      segments: segments.map(({ physAddr, bytes, memoryBytes }) => ({
        address: Number(physAddr),
        bytes,
        memoryBytes: Number(memoryBytes),
      })),
      entry: Number(entry),
      symbols,
    };
  };
  if (isBzImage(bytes)) {
    const linux = parseBzImage(bytes, file);
    const elf = await unpackImage(linux.payload, file, ramBytes, linux.unpackedBytes);
    if (!isElf(elf)) {
      throw new ImageError(
        file,
        "holds a kernel that is compressed by an unknown method",
        "build it with gzip, xz, zstd, lz4, lzma or bzip2",
      );
    }
    const vmlinux = elfKernel(elf);
    // Linux is linked where it belongs: what is beyond RAM is too much, not misplaced.
    const end = Math.max(...vmlinux.segments.map(({ address, memoryBytes }) => address + memoryBytes));
    if (end > ramBytes) {
      throw new ImageError(
        file,
        `needs ${formatBytes(end)} of memory, and the guest has ${formatBytes(ramBytes)}`,
        "give the guest more memory",
      );
    }
    return {
      image: placeKernel({ ...vmlinux, format: "linux" }, room),
      protocol: "linux64",
      setupHeader: linux.setupHeader,
      initrdAddressMax: linux.initrdAddressMax,
      commandLineBytes: Math.min(linux.commandLineBytes, commandLineBytes),
    };
  }
  const image = await unpackImage(bytes, file, ramBytes);
  if (isElf(image)) {
    const pvh = pvhEntry(image);
    const kernel = elfKernel(image);
    return {
      image: placeKernel(pvh === undefined ? kernel : { ...kernel, entry: pvh }, room),
      protocol: pvh === undefined ? "linux64" : "pvh",
      ...defaults,
    };
  }
  const kernel = identifyKernel(image);
  if (kernel) {
    throw new ImageError(
      file,
      kernel.arch === "x86_64"
        ? `is ${kernel.what}, not a kernel this machine can start`
        : `is ${kernel.what} for ${kernel.arch}, and this machine is x86_64`,
      "give a kernel built for x86_64",
    );
  }
  const other = identifyOther(image);
  if (other) throw new ImageError(file, `is ${other.what}, not a kernel`, other.remedy);
  const segments = [{ address: flatBase, bytes: image, memoryBytes: image.length }];
  return {
    image: placeKernel({ file, format: "flat", segments, entry: flatBase, symbols: () => [] }, room),
    protocol: "flat",
    ...defaults,
  };
}
