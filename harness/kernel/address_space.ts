/**
 * Memory as a Linux kernel addresses it, whatever its vCPUs do at the moment. The kernel's image lies in one piece,
 * and where is known from how it was found. The rest follows from the kernel's own page tables, which are trusted
 * once they map the image to where it is. Before that, very early in a boot, the image is all that can be read.
 */
import type { KernelArchRow } from "./arch/arch.ts";
import { KernelInsightError } from "./kernel_insight_error.ts";
import { PageTables } from "./page_tables.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

/** Bytes of one read; the largest things in a kernel are tens of megabytes. */
const MAX_READ = 1 << 28;
/** Bytes of a text without an end. */
const MAX_TEXT = 4096;

/** Where a kernel's image is. */
export interface KernelImage {
  /** Virtual address of its first byte. */
  readonly start: bigint;
  /** Virtual address behind its last byte. */
  readonly end: bigint;
  /** What makes one of its virtual addresses a physical one when added. */
  readonly offset: bigint;
  /** A virtual address in it by which page tables are proved. */
  readonly landmark: bigint;
  /** Virtual address of its root page table, if the symbols have one. */
  readonly rootTable: bigint | undefined;
}

/** A kernel's memory by virtual address. */
export class AddressSpace {
  readonly #memory: PhysicalMemory;
  readonly #image: KernelImage;
  readonly #tables: PageTables | undefined;

  /** Made for a machine that stands still; {@linkcode AddressSpace.tablesReady} is found out here. */
  constructor(memory: PhysicalMemory, row: KernelArchRow, image: KernelImage) {
    this.#memory = memory;
    this.#image = image;
    const expected = Number(image.landmark + image.offset);
    const root = image.rootTable === undefined ? undefined : Number(image.rootTable + image.offset);
    if (root === undefined) return;
    for (const format of row.formats) {
      const tables = new PageTables(memory, row, format, root);
      if (tables.translate(image.landmark) === expected) {
        this.#tables = tables;
        break;
      }
    }
  }

  /** Whether the kernel has set up its page tables: all of its memory can be read. */
  get tablesReady(): boolean {
    return this.#tables !== undefined;
  }

  /** The format of its page tables, once they are set up. */
  get format(): string | undefined {
    return this.#tables?.format.name;
  }

  /** The physical address of a virtual one; undefined where nothing is mapped. */
  physical(address: bigint): number | undefined {
    return this.#imageLeft(address) > 0
      ? Number(BigInt.asUintN(64, address) + this.#image.offset)
      : this.#tables?.translate(address);
  }

  /**
   * Copies bytes.
   *
   * @throws {KernelInsightError} where nothing, or no RAM, is mapped.
   */
  read(address: bigint, length: number): Uint8Array {
    if (!(length >= 0 && length <= MAX_READ)) {
      throw new KernelInsightError(`${length} bytes of kernel memory are more than can be read at once.`);
    }
    const result = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const piece = this.view(address + BigInt(done), length - done);
      result.set(piece, done);
      done += piece.length;
    }
    return result;
  }

  /**
   * The bytes at an address as they are, not copied: as many of `length` as lie together, one or more.
   *
   * @throws {KernelInsightError} where nothing, or no RAM, is mapped.
   */
  view(address: bigint, length: number): Uint8Array {
    const physical = this.physical(address);
    if (physical === undefined) throw this.#unmapped(address);
    const left = this.#tables
      ? this.#tables.bytesLeft
      : Number(this.#image.end - BigInt.asUintN(64, address));
    const span = this.#memory.span(physical, 1);
    if (!span) {
      throw new KernelInsightError(
        `Kernel address ${hex(address)} is mapped to ${hex(physical)}, where this machine has no RAM.`,
      );
    }
    const offset = physical - span.base;
    return span.u8.subarray(offset, offset + Math.min(length, left, span.u8.length - offset));
  }

  /** An unsigned number of 1, 2, 4 or 8 bytes. @throws {KernelInsightError} as for bytes. */
  value(address: bigint, size: number): bigint {
    let value = 0n;
    const bytes = this.read(address, size);
    for (let i = size - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[i]);
    return value;
  }

  /** The text at an address, up to its NUL or `limit` bytes. @throws {KernelInsightError} as for bytes. */
  text(address: bigint, limit: number = MAX_TEXT): string {
    let end = 0;
    const chunks: Uint8Array[] = [];
    while (end < limit) {
      const chunk = this.view(address + BigInt(end), limit - end);
      const nul = chunk.indexOf(0);
      chunks.push(nul < 0 ? chunk : chunk.subarray(0, nul));
      if (nul >= 0) break;
      end += chunk.length;
    }
    const decoder = new TextDecoder();
    return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode();
  }

  /** Bytes from an address to the end of the image; 0 outside of it. */
  #imageLeft(address: bigint): number {
    const { start, end } = this.#image;
    const virtual = BigInt.asUintN(64, address);
    return virtual >= start && virtual < end ? Number(end - virtual) : 0;
  }

  #unmapped(address: bigint): KernelInsightError {
    if (this.#tables) {
      return new KernelInsightError(
        `Kernel address ${hex(address)} is not mapped in the kernel's page tables.`,
      );
    }
    const { start, end, rootTable } = this.#image;
    const why = rootTable === undefined
      ? "its symbols do not say where its page tables are"
      : "the kernel has not set up its page tables yet";
    return new KernelInsightError(
      `Kernel address ${hex(address)} cannot be read: ${why}. What lies in its image, ${hex(start)} to ` +
        `${hex(end - 1n)}, can be.`,
    );
  }
}

function hex(address: bigint | number): string {
  return `0x${typeof address === "bigint" ? BigInt.asUintN(64, address).toString(16) : address.toString(16)}`;
}
