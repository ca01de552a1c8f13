/** Says of addresses which code they are: symbol and offset, and file and line where those are known. */
import type { LineTable } from "./dwarf/line_table.ts";
import type { GuestSymbol, SymbolTable } from "./symbol_table.ts";

/** Which code an address is. */
export interface CodePlace {
  /** The function, or whatever symbol it lies in. */
  readonly symbol: string;
  /** Bytes from the symbol's beginning. */
  readonly offset: number;
  /** The symbol's size in bytes; 0 when unknown. */
  readonly size: number;
  /** The source file, if lines are known; for a kernel from the root of its sources. */
  readonly file?: string;
  /** The line in it, from 1. */
  readonly line?: number;
}

/**
 * What an address is: the instruction to execute next (`exact`), or where a call returns to (`return`): that one
 * may already belong to the next function or line, so the call before it is looked up, as the kernel's %pB does.
 */
export type AddressKind = "exact" | "return";

/** By this one knows where a kernel's sources are: the file of this function is always there. */
const KNOWN_FUNCTION = "start_kernel";
const KNOWN_FILE = "init/main.c";

/** Symbols and, where there are any, lines. */
export class Symbolizer {
  #root: string | undefined;

  /**
   * Puts them together.
   *
   * @param table Symbols where they are in the running guest (see {@linkcode SymbolTable.moved}).
   * @param lines Lines of addresses as they were linked, of the same build as the table.
   */
  constructor(readonly table: SymbolTable, readonly lines?: LineTable) {}

  /** Which code an address is; undefined when no symbol is there. */
  place(address: bigint, kind: AddressKind = "exact"): CodePlace | undefined {
    const back = kind === "return" ? 1 : 0;
    const found = this.table.find(address - BigInt(back));
    if (!found) return undefined;
    const { symbol: { name, size }, offset } = found;
    return { symbol: name, offset: offset + back, size, ...this.line(address, kind) };
  }

  /** File and line of an address. */
  line(address: bigint, kind: AddressKind = "exact"): { file: string; line: number } | undefined {
    if (!this.lines) return undefined;
    const found = this.lines.find(address - this.table.slide - (kind === "return" ? 1n : 0n));
    return found && { file: this.#fromRoot(found.file), line: found.line };
  }

  /** A function the kernel has printed with its size; undefined when several could be meant. */
  named(name: string, size: number): GuestSymbol | undefined {
    const candidates = this.table.lookupAll(name);
    if (candidates.length <= 1) return candidates[0];
    const fitting = candidates.filter((candidate) => candidate.size === size);
    return fitting.length === 1 ? fitting[0] : undefined;
  }

  #fromRoot(file: string): string {
    if (this.#root === undefined) {
      const known = this.table.lookup(KNOWN_FUNCTION);
      const path = known && this.lines?.find(known.address - this.table.slide)?.file;
      this.#root = path?.endsWith(`/${KNOWN_FILE}`) ? path.slice(0, -KNOWN_FILE.length) : "";
    }
    return file.startsWith(this.#root) ? file.slice(this.#root.length) : file;
  }
}

/** A place as the kernel prints it, with the line behind it: `do_idle+0x1c/0x200 kernel/sched/idle.c:263`. */
export function formatPlace({ symbol, offset, size, file, line }: CodePlace): string {
  const name = `${symbol}+0x${offset.toString(16)}/0x${size.toString(16)}`;
  return file === undefined ? name : `${name} ${file}:${line}`;
}
