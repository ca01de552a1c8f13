/**
 * Build IDs: what tells whether a `vmlinux` is of the kernel that runs. The linker puts it into a note, the note
 * is in the file and in the guest's memory, and the kernel tells it to crash dumpers in vmcoreinfo.
 *
 * Format: System V ABI, "Note Section"; `ld --build-id`; Linux Documentation/admin-guide/kdump/vmcoreinfo.rst.
 */
import { BootwrightError, InputError } from "../errors.ts";
import { type ElfFile, SHT_NOTE, viewOf } from "./elf_file.ts";
import type { SymbolTable } from "./symbol_table.ts";

const NOTE_HEADER_BYTES = 12;
const NT_GNU_BUILD_ID = 3;
/** The owner's name, with the NUL that the note counts. */
const OWNER = "GNU\0";
/** SHA-1 has 20 bytes; `--build-id=0x…` allows others. */
const MAX_BUILD_ID_BYTES = 64;
/** Notes of a kernel are some hundred bytes. */
const MAX_NOTES_BYTES = 1 << 16;
/** vmcoreinfo is one page on most architectures. */
const VMCOREINFO_BYTES = 4096;

/** Memory by virtual address, as the kernel sees it; throws where nothing is mapped. */
export interface ReadableMemory {
  /** Copies `length` bytes. */
  read(address: bigint, length: number): Uint8Array;
}

/** The build ID among the notes of a section, in hexadecimal. */
export function buildIdOfNotes(notes: Uint8Array): string | undefined {
  const view = viewOf(notes);
  for (let at = 0; at + NOTE_HEADER_BYTES <= notes.length;) {
    const nameBytes = view.getUint32(at, true), bytes = view.getUint32(at + 4, true);
    const type = view.getUint32(at + 8, true);
    const nameAt = at + NOTE_HEADER_BYTES;
    const contentsAt = nameAt + padded(nameBytes);
    const end = contentsAt + bytes;
    if (end > notes.length) return undefined;
    const owner = new TextDecoder().decode(
      notes.subarray(nameAt, nameAt + Math.min(nameBytes, OWNER.length)),
    );
    if (type === NT_GNU_BUILD_ID && owner === OWNER && nameBytes === OWNER.length) {
      const id = notes.subarray(contentsAt, end);
      return id.length > 0 && id.length <= MAX_BUILD_ID_BYTES ? id.toHex() : undefined;
    }
    at = contentsAt + padded(bytes);
  }
  return undefined;
}

/** The build ID of an ELF file, in hexadecimal. */
export function buildIdOfFile(file: ElfFile): string | undefined {
  for (const section of file.sections) {
    if (section.type !== SHT_NOTE || section.size > MAX_NOTES_BYTES) continue;
    const id = buildIdOfNotes(file.contents(section));
    if (id !== undefined) return id;
  }
  return undefined;
}

/**
 * The build ID of the Linux kernel that runs, in hexadecimal: from its notes, or else from vmcoreinfo. Undefined
 * when the memory shows none where the symbols say it is: it has none, the symbols are of another kernel, or the
 * kernel has not yet got as far as to map itself.
 */
export function buildIdOfGuest(memory: ReadableMemory, symbols: SymbolTable): string | undefined {
  const start = symbols.lookup("__start_notes"), stop = symbols.lookup("__stop_notes");
  if (start && stop) {
    const length = Number(stop.address - start.address);
    const notes = length > 0 && length <= MAX_NOTES_BYTES
      ? readOrNothing(memory, start.address, length)
      : undefined;
    const id = notes && buildIdOfNotes(notes);
    if (id !== undefined) return id;
  }
  const pointer = symbols.lookup("vmcoreinfo_data");
  const page = pointer && readOrNothing(memory, pointer.address, 8);
  const text = page && readOrNothing(memory, viewOf(page).getBigUint64(0, true), VMCOREINFO_BYTES);
  return text && /(?:^|\n)BUILD-ID=((?:[0-9a-f]{2})+)\n/.exec(new TextDecoder().decode(text))?.[1];
}

/**
 * Refuses symbols of another build. Silent when either side has no build ID: then nothing is known.
 *
 * @param name What the error calls the file, as the beginning of a sentence.
 * @throws {InputError} when both are known and differ.
 */
export function requireSameBuild(name: string, file: string | undefined, guest: string | undefined): void {
  if (file === undefined || guest === undefined || file === guest) return;
  throw new InputError(
    `${name} is of another build than the kernel that runs: its build ID is ${file}, the guest's is ${guest}; ` +
      `give the vmlinux this kernel was made from.`,
  );
}

function readOrNothing(memory: ReadableMemory, address: bigint, length: number): Uint8Array | undefined {
  try {
    return memory.read(address, length);
  } catch (error) {
    if (error instanceof BootwrightError) return undefined;
    throw error;
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
