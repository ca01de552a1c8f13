/**
 * An ELF file with symbols or debugging information, read a section at a time: a kernel with DWARF has 400 MB
 * and more, of which a few are needed. `core/boot/elf.ts` reads the same format for another purpose: what is to
 * be loaded, out of a file that is in memory as a whole.
 *
 * Format: System V ABI, "Object Files" and "Section Compression" (ELF-64, little-endian only). The file is
 * untrusted: every offset and size is checked against the file, and what unpacks is bounded.
 */
import { elfArchitecture } from "../../core/boot/architecture.ts";
import { InputError } from "../errors.ts";

/** Bytes that are read where they are needed. */
export interface ByteSource {
  /** Bytes there are. */
  readonly length: number;
  /** `length` bytes from `offset` on, which the source has. */
  bytes(offset: number, length: number): Uint8Array;
}

/** One section's header. */
export interface ElfSection {
  /** Such as `.symtab`. */
  readonly name: string;
  /** What it holds: one of `SHT_`. */
  readonly type: number;
  /** Bits of `SHF_`. */
  readonly flags: number;
  /** Where its bytes begin in the file. */
  readonly offset: number;
  /** Bytes in the file. */
  readonly size: number;
  /** Index of the section that goes with it. */
  readonly link: number;
}

/** Section types. */
export const SHT_SYMTAB = 2;
/** Notes: name, type and contents. */
export const SHT_NOTE = 7;
/** Takes no bytes of the file. */
export const SHT_NOBITS = 8;
/** The symbols a dynamic linker needs. */
export const SHT_DYNSYM = 11;
/** Section flag: written to at run time. */
export const SHF_WRITE = 1;
/** Section flag: in memory at run time. */
export const SHF_ALLOC = 2;
/** Section flag: code. */
export const SHF_EXECINSTR = 4;
const SHF_COMPRESSED = 0x800;

// ELF header
const EHDR_BYTES = 64;
const EI_CLASS = 4;
const ELFCLASS64 = 2;
const EI_DATA = 5;
const ELFDATA2LSB = 1;
const E_TYPE = 16;
const ET_REL = 1;
const E_MACHINE = 18;
const E_SHOFF = 40;
const E_SHENTSIZE = 58;
const E_SHNUM = 60;
const E_SHSTRNDX = 62;
const SHN_XINDEX = 0xffff;

// Section header
const SHDR_BYTES = 64;
const SH_NAME = 0;
const SH_TYPE = 4;
const SH_FLAGS = 8;
const SH_OFFSET = 24;
const SH_SIZE = 32;
const SH_LINK = 40;
const MAX_SECTIONS = 1 << 20;
const MAX_SECTION_NAME_BYTES = 256;

// Header of a compressed section
const CHDR_BYTES = 24;
const CH_SIZE = 8;
const ELFCOMPRESS_ZLIB = 1;
const ELFCOMPRESS_ZSTD = 2;

/** Most bytes a section may have, packed or unpacked: what is read of real kernels stays below 100 MB. */
const MAX_SECTION_BYTES = 1 << 29;

/** The sections of an ELF file. */
export class ElfFile {
  /** The architecture's name, as in `core/boot/architecture.ts`. */
  readonly architecture: string;
  /** In the file's order; symbols and links count by it. */
  readonly sections: readonly ElfSection[];

  /**
   * Reads the headers.
   *
   * @param name What errors call the file, as the beginning of a sentence.
   * @throws {InputError} when it is no ELF file that can be used.
   */
  constructor(private readonly source: ByteSource, private readonly name: string) {
    const head = viewOf(this.#bytes(0, EHDR_BYTES));
    const littleEndian = head.getUint8(EI_DATA) === ELFDATA2LSB;
    this.architecture = elfArchitecture(head.getUint16(E_MACHINE, littleEndian));
    if (head.getUint8(EI_CLASS) !== ELFCLASS64 || !littleEndian) {
      throw new InputError(
        `${name} is not a 64-bit little-endian ELF file but one for ${this.architecture}; ` +
          `give the symbols of the kernel that runs.`,
      );
    }
    if (head.getUint16(E_TYPE, true) === ET_REL) {
      throw new InputError(`${name} is an object file or a module, not linked; give the kernel's vmlinux.`);
    }
    this.sections = this.#readSections(head);
  }

  /** The first section of a name. */
  section(name: string): ElfSection | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /**
   * The bytes of a section, unpacked if need be; none when it has none in the file.
   *
   * @throws {InputError} when the file is damaged.
   */
  contents(section: ElfSection): Uint8Array {
    if (section.type === SHT_NOBITS) return new Uint8Array(0);
    if (section.size > MAX_SECTION_BYTES) throw this.#tooLarge(section.name);
    const bytes = this.#bytes(section.offset, section.size);
    return (section.flags & SHF_COMPRESSED) === 0 ? bytes : this.#unpack(bytes, section.name);
  }

  #readSections(head: DataView): ElfSection[] {
    const tableAt = Number(head.getBigUint64(E_SHOFF, true));
    if (tableAt === 0) return [];
    const entryBytes = head.getUint16(E_SHENTSIZE, true);
    if (entryBytes < SHDR_BYTES) throw this.#damaged();
    // Counts that do not fit into the header are in the first section's.
    const first = viewOf(this.#bytes(tableAt, SHDR_BYTES));
    const count = head.getUint16(E_SHNUM, true) || Number(first.getBigUint64(SH_SIZE, true));
    const namesIndex = head.getUint16(E_SHSTRNDX, true);
    if (count > MAX_SECTIONS) throw this.#damaged();
    const table = viewOf(this.#bytes(tableAt, count * entryBytes));
    const nameOffsets: number[] = [];
    const unnamed = Array.from({ length: count }, (_, index) => {
      const at = index * entryBytes;
      nameOffsets.push(table.getUint32(at + SH_NAME, true));
      return {
        type: table.getUint32(at + SH_TYPE, true),
        flags: Number(table.getBigUint64(at + SH_FLAGS, true) & 0xffff_ffffn),
        offset: Number(table.getBigUint64(at + SH_OFFSET, true)),
        size: Number(table.getBigUint64(at + SH_SIZE, true)),
        link: table.getUint32(at + SH_LINK, true),
      };
    });
    const names = unnamed[namesIndex === SHN_XINDEX ? first.getUint32(SH_LINK, true) : namesIndex];
    if (!names) throw this.#damaged();
    const strings = this.contents({ ...names, name: "the table of section names" });
    return unnamed.map((section, i) => ({
      ...section,
      name: stringAt(strings, nameOffsets[i], MAX_SECTION_NAME_BYTES),
    }));
  }

  #unpack(bytes: Uint8Array, section: string): Uint8Array {
    if (bytes.length < CHDR_BYTES) throw this.#damaged();
    const head = viewOf(bytes);
    const method = head.getUint32(0, true);
    const size = Number(head.getBigUint64(CH_SIZE, true));
    if (size > MAX_SECTION_BYTES) throw this.#tooLarge(section);
    if (method !== ELFCOMPRESS_ZLIB && method !== ELFCOMPRESS_ZSTD) {
      throw new InputError(
        `${this.name} has its section ${section} packed by an unknown method (${method}); ` +
          `unpack it with \`objcopy --decompress-debug-sections\`.`,
      );
    }
    // Loaded when needed: in a bundle an import would be part of every start, and cost as much as all else.
    const { inflateSync, zstdDecompressSync } = process.getBuiltinModule("node:zlib");
    const unpack = method === ELFCOMPRESS_ZLIB ? inflateSync : zstdDecompressSync;
    let unpacked: Uint8Array;
    try {
      unpacked = unpack(bytes.subarray(CHDR_BYTES), { maxOutputLength: Math.max(1, size) });
    } catch (cause) {
      throw this.#damaged(cause);
    }
    if (unpacked.length !== size) throw this.#damaged();
    return unpacked;
  }

  #bytes(offset: number, length: number): Uint8Array {
    if (offset + length > this.source.length) throw this.#damaged();
    return this.source.bytes(offset, length);
  }

  #tooLarge(section: string): InputError {
    return new InputError(`${this.name} claims an absurdly large section ${section}: it is damaged.`);
  }

  #damaged(cause?: unknown): InputError {
    return new InputError(`${this.name} is a truncated or corrupt ELF file; get or build it again.`, {
      cause,
    });
  }
}

/** A view of bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The string at an offset, to its NUL, the end of the bytes or `maxBytes`; empty outside of them. */
export function stringAt(bytes: Uint8Array, offset: number, maxBytes: number): string {
  let end = offset;
  const limit = Math.min(bytes.length, offset + maxBytes);
  while (end < limit && bytes[end] !== 0) end++;
  return DECODER.decode(bytes.subarray(offset, end));
}

const DECODER = new TextDecoder();
