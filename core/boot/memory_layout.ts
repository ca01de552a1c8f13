/**
 * Where initrd and device tree go: as high in RAM as they fit, out of the way of a kernel that grows from
 * below.
 *
 *     ramBase … kernel … (free) … initrd | device tree area | ramEnd
 */
import { formatBytes, ImageError } from "./image_error.ts";
import { PAGE_SIZE } from "../memory.ts";

/** Bytes kept for the device tree, room for firmware to add to it included. */
export const DEVICE_TREE_AREA = 64 * 1024;

/** What must find room. */
export interface MemoryLayoutOptions {
  readonly ramBase: number;
  readonly ramBytes: number;
  /** End of the highest image placed from below. */
  readonly kernelEnd: number;
  /** That image's name, for errors. */
  readonly kernelFile: string;
  /** Bytes of the initrd; 0 when there is none. */
  readonly initrdBytes: number;
  /** The initrd's name, for errors. */
  readonly initrdFile: string;
}

/** Where things went, as guest-physical addresses. */
export interface MemoryLayout {
  /** The device tree area; {@linkcode DEVICE_TREE_AREA} bytes. */
  readonly deviceTree: number;
  /** The initrd; undefined when there is none. */
  readonly initrd: { readonly start: number; readonly end: number } | undefined;
}

/**
 * Finds room for initrd and device tree.
 *
 * @throws {ImageError} when RAM is too small.
 */
export function layOutMemory(options: MemoryLayoutOptions): MemoryLayout {
  const { ramBase, ramBytes, kernelEnd, initrdBytes } = options;
  const remedy = "give the guest more memory";
  const deviceTree = ramBase + ramBytes - DEVICE_TREE_AREA;
  if (deviceTree < kernelEnd) {
    const needed = formatBytes(kernelEnd - ramBase + DEVICE_TREE_AREA);
    throw new ImageError(
      options.kernelFile,
      `needs ${needed} of memory with its device tree, and the guest has ${formatBytes(ramBytes)}`,
      remedy,
    );
  }
  if (initrdBytes === 0) return { deviceTree, initrd: undefined };
  const start = Math.floor((deviceTree - initrdBytes) / PAGE_SIZE) * PAGE_SIZE;
  if (start < kernelEnd) {
    throw new ImageError(
      options.initrdFile,
      `(${formatBytes(initrdBytes)}) does not fit beside ${options.kernelFile} in the guest's ` +
        `${formatBytes(ramBytes)} of RAM`,
      remedy,
    );
  }
  return { deviceTree, initrd: { start, end: start + initrdBytes } };
}
