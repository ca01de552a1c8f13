/**
 * ELF files as kernels: which bytes go where in guest-physical memory, where to start, and the symbols.
 * An image is untrusted: every offset and size is checked against the file before it is used.
 *
 * Format: System V ABI, "Object Files" (ELF-64, little-endian only).
 */
import { elfArchitecture, hasMagic } from "./architecture.ts";
import { ImageError } from "./image_error.ts";

// ELF header
const EI_CLASS = 4;
const ELFCLASS64 = 2;
const EI_DATA = 5;
const ELFDATA2LSB = 1;
const E_TYPE = 16;
const ET_REL = 1;
const ET_EXEC = 2;
const ET_DYN = 3;
const E_MACHINE = 18;
const E_ENTRY = 24;
const E_PHOFF = 32;
const E_SHOFF = 40;
const E_PHENTSIZE = 54;
const E_PHNUM = 56;
const E_SHENTSIZE = 58;
const E_SHNUM = 60;
const EHDR_BYTES = 64;

// Program header
const P_TYPE = 0;
const PT_LOAD = 1;
const PT_INTERP = 3;
const P_OFFSET = 8;
const P_VADDR = 16;
const P_PADDR = 24;
const P_FILESZ = 32;
const P_MEMSZ = 40;
const PHDR_BYTES = 56;

// Section header and symbol
const SH_TYPE = 4;
const SHT_SYMTAB = 2;
const SH_OFFSET = 24;
const SH_SIZE = 32;
const SH_LINK = 40;
const SHDR_BYTES = 64;
const ST_NAME = 0;
const ST_INFO = 4;
const ST_VALUE = 8;
const ST_SIZE = 16;
const SYM_BYTES = 24;
/** Types that name code or data: NOTYPE, OBJECT, FUNC. */
const LAST_NAMED_SYMBOL_TYPE = 2;

/** One loadable span of an ELF file. */
export interface ElfSegment {
  /** Where it is loaded. */
  readonly physAddr: bigint;
  /** Where the kernel will see it. */
  readonly virtAddr: bigint;
  /** The bytes in the file. */
  readonly bytes: Uint8Array;
  /** Bytes in memory; those past the file's are zero. */
  readonly memoryBytes: bigint;
}

/** A named place in a kernel. */
export interface KernelSymbol {
  /** As the source spells it, or as the compiler mangled that. */
  readonly name: string;
  /** Virtual address. */
  readonly address: bigint;
  /** Bytes; 0 when the file does not say. */
  readonly size: bigint;
}

/** A parsed ELF file. */
export interface Elf {
  /** Physical address of the first instruction. */
  readonly entry: bigint;
  /** Whether it runs wherever it is put (ET_DYN). */
  readonly positionIndependent: boolean;
  /** In the order of the program headers; never empty. */
  readonly segments: readonly ElfSegment[];
  /** The symbols of code and data, by ascending address; read when first asked for. */
  symbols(): readonly KernelSymbol[];
}

/** Whether the bytes begin like an ELF file. */
export function isElf(bytes: Uint8Array): boolean {
  return hasMagic(bytes, 0, "\x7fELF");
}

/**
 * Parses an ELF kernel.
 *
 * @param file The image's name, for errors.
 * @param arch The architecture it must be for.
 * @throws {ImageError} when it is truncated, corrupt, of another architecture, or no kernel.
 */
export function parseElf(bytes: Uint8Array, file: string, arch: string): Elf {
  const truncated = () => new ImageError(file, "is a truncated or corrupt ELF file", "get or build it again");
  if (bytes.length < EHDR_BYTES) throw truncated();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits = bytes[EI_CLASS] === ELFCLASS64 ? 64 : 32;
  const littleEndian = bytes[EI_DATA] === ELFDATA2LSB;
  const machine = elfArchitecture(view.getUint16(E_MACHINE, littleEndian));
  if (machine !== arch || bits !== 64 || !littleEndian) {
    const kind = `a ${bits}-bit ${littleEndian ? "little" : "big"}-endian `;
    const found = machine === arch ? kind + arch.replace(/64$/, "") : machine;
    throw new ImageError(
      file,
      `is built for ${found}, and this machine is ${arch}`,
      `give a kernel built for ${arch}`,
    );
  }
  const type = view.getUint16(E_TYPE, true);
  if (type === ET_REL) throw new ImageError(file, "is an object file, not linked", "link it first");
  if (type !== ET_EXEC && type !== ET_DYN) {
    throw new ImageError(file, "is an ELF file, but no executable", "give a linked kernel");
  }

  const table = (offsetAt: number, sizeAt: number, countAt: number, minimum: number) => {
    const offset = Number(view.getBigUint64(offsetAt, true));
    const size = view.getUint16(sizeAt, true);
    const count = view.getUint16(countAt, true);
    if (count > 0 && (size < minimum || offset + size * count > bytes.length)) throw truncated();
    return Array.from({ length: count }, (_, i) => offset + size * i);
  };
  const span = (offset: bigint, size: bigint): Uint8Array => {
    if (offset + size > BigInt(bytes.length)) throw truncated();
    return bytes.subarray(Number(offset), Number(offset + size));
  };

  const segments: ElfSegment[] = [];
  for (const at of table(E_PHOFF, E_PHENTSIZE, E_PHNUM, PHDR_BYTES)) {
    const segmentType = view.getUint32(at + P_TYPE, true);
    if (segmentType === PT_INTERP) {
      throw new ImageError(file, "is a dynamically linked program, not a kernel", "give a kernel");
    }
    const memoryBytes = view.getBigUint64(at + P_MEMSZ, true);
    if (segmentType !== PT_LOAD || memoryBytes === 0n) continue;
    const fileBytes = view.getBigUint64(at + P_FILESZ, true);
    if (fileBytes > memoryBytes) throw truncated();
    segments.push({
      physAddr: view.getBigUint64(at + P_PADDR, true),
      virtAddr: view.getBigUint64(at + P_VADDR, true),
      bytes: span(view.getBigUint64(at + P_OFFSET, true), fileBytes),
      memoryBytes,
    });
  }
  if (segments.length === 0) {
    throw new ImageError(file, "is an ELF file with nothing to load", "give a linked kernel");
  }

  // e_entry is a virtual address, and the MMU is off.
  const virtualEntry = view.getBigUint64(E_ENTRY, true);
  const home = segments.find((s) => virtualEntry >= s.virtAddr && virtualEntry < s.virtAddr + s.memoryBytes);
  const entry = home ? virtualEntry - home.virtAddr + home.physAddr : virtualEntry;

  let symbols: readonly KernelSymbol[] | undefined;
  const readSymbols = (): readonly KernelSymbol[] => {
    const sections = table(E_SHOFF, E_SHENTSIZE, E_SHNUM, SHDR_BYTES);
    const contents = (at: number) =>
      span(view.getBigUint64(at + SH_OFFSET, true), view.getBigUint64(at + SH_SIZE, true));
    const symtab = sections.find((at) => view.getUint32(at + SH_TYPE, true) === SHT_SYMTAB);
    if (symtab === undefined) return [];
    const strings = sections[view.getUint32(symtab + SH_LINK, true)];
    if (strings === undefined) throw truncated();
    return parseSymbols(contents(symtab), contents(strings));
  };
  const positionIndependent = type === ET_DYN;
  return { entry, positionIndependent, segments, symbols: () => symbols ??= readSymbols() };
}

function parseSymbols(symtab: Uint8Array, strings: Uint8Array): KernelSymbol[] {
  const view = new DataView(symtab.buffer, symtab.byteOffset, symtab.byteLength);
  const text = new TextDecoder();
  const symbols: KernelSymbol[] = [];
  for (let at = 0; at + SYM_BYTES <= symtab.length; at += SYM_BYTES) {
    const name = view.getUint32(at + ST_NAME, true);
    if (name === 0 || (symtab[at + ST_INFO] & 15) > LAST_NAMED_SYMBOL_TYPE) continue;
    const end = strings.indexOf(0, name);
    if (end <= name) continue;
    symbols.push({
      name: text.decode(strings.subarray(name, end)),
      address: view.getBigUint64(at + ST_VALUE, true),
      size: view.getBigUint64(at + ST_SIZE, true),
    });
  }
  return symbols.sort((a, b) => a.address < b.address ? -1 : a.address > b.address ? 1 : 0);
}
