/** Opens a file of symbols, whichever of the usual kinds it is. */
import { identifyKernel, identifyOther } from "../../core/boot/architecture.ts";
import { isElf } from "../../core/boot/elf.ts";
import { InputError } from "../errors.ts";
import { HostFile } from "../host_file.ts";
import { buildIdOfFile } from "./build_id.ts";
import { LineTable } from "./dwarf/line_table.ts";
import { ElfFile } from "./elf_file.ts";
import { elfSymbols } from "./elf_symbols.ts";
import type { SymbolTable } from "./symbol_table.ts";
import { isSystemMap, parseSystemMap } from "./system_map.ts";

/** What a file of symbols says. */
export interface OpenedSymbols {
  /** Its symbols, where they were linked. */
  readonly table: SymbolTable;
  /** Its build ID in hexadecimal, if it is an ELF file that has one. */
  readonly buildId: string | undefined;
  /** The architecture it is for, as `core/boot/architecture.ts` names them, if it is an ELF file. */
  readonly architecture: string | undefined;
  /** File and line of addresses, if it has debugging information; the file is read on when they are asked for. */
  readonly lines: LineTable | undefined;
}

/** What the sentence about a file of another kind looks at. */
const HEAD_BYTES = 40_000;
/** A System.map has 5 to 20 MB. */
const MAX_SYSTEM_MAP_BYTES = 1 << 28;

/**
 * Reads the symbols of a `vmlinux`, of any other linked ELF file, of a `System.map` or of a copy of
 * `/proc/kallsyms`.
 *
 * @throws {InputError} when the file cannot be read, is something else, or has no symbols.
 */
export function openSymbols(path: string | URL): OpenedSymbols {
  const name = String(path);
  const { file, head } = open(path, name);
  if (isElf(head)) return fromElf(new ElfFile(file, name), name);
  if (isSystemMap(head)) {
    if (file.length > MAX_SYSTEM_MAP_BYTES) {
      throw new InputError(`${name} is absurdly large for a System.map.`);
    }
    const table = parseSystemMap(file.bytes(0, file.length), name);
    return { table, buildId: undefined, architecture: undefined, lines: undefined };
  }
  const what = identifyKernel(head)?.what ?? identifyOther(head)?.what ?? "of a kind not known here";
  throw new InputError(
    `${name} holds no symbols: it is ${what}; give the kernel's vmlinux, its System.map or a copy of /proc/kallsyms.`,
  );
}

function fromElf(elf: ElfFile, name: string): OpenedSymbols {
  const table = elfSymbols(elf);
  if (table.size === 0) {
    throw new InputError(
      `${name} was stripped of its symbols; give the vmlinux of the kernel's debug package.`,
    );
  }
  const hasLines = elf.section(".debug_line") !== undefined;
  return {
    table,
    buildId: buildIdOfFile(elf),
    architecture: elf.architecture,
    lines: hasLines
      ? new LineTable((wanted) => {
        const section = elf.section(wanted);
        return section ? elf.contents(section) : new Uint8Array(0);
      })
      : undefined,
  };
}

function open(path: string | URL, name: string): { file: HostFile; head: Uint8Array } {
  try {
    const file = new HostFile(path, name);
    return { file, head: file.bytes(0, Math.min(file.length, HEAD_BYTES)) };
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const reason = cause instanceof Deno.errors.NotFound
      ? "does not exist"
      : cause instanceof Deno.errors.PermissionDenied || cause instanceof Deno.errors.NotCapable
      ? "may not be read"
      : cause instanceof Deno.errors.IsADirectory
      ? "is a folder"
      : `cannot be read (${cause instanceof Error ? cause.message : cause})`;
    throw new InputError(`${name} ${reason}; give the path of a vmlinux or System.map.`, { cause });
  }
}
