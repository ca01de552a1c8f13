/**
 * From an address to file and line, by an ELF file's `.debug_line`.
 *
 * The section of a kernel has tens of megabytes, of which a backtrace needs a few kilobytes. At the first look-up
 * all programs run once, and only where each sequence (a function or a section of one compile unit) begins and
 * ends is kept; a look-up then runs one sequence again. So neither `.debug_aranges`, which clang leaves out, nor
 * `.debug_info`, which is ten times as large, is needed. A damaged unit is passed over, as is what follows a
 * damaged length.
 */
import { Cursor, DwarfError } from "./cursor.ts";
import {
  type LineFiles,
  type LineHeader,
  readLineFiles,
  readLineHeader,
  type StringSections,
} from "./line_header.ts";
import { LineMachine } from "./line_machine.ts";

/** Where code comes from. */
export interface SourceLine {
  /** The file, as the compiler was given it: absolute, or relative to the directory. */
  readonly file: string;
  /** The line, from 1. */
  readonly line: number;
  /** The column, from 1; 0 when unknown. */
  readonly column: number;
  /** The folder the compiler ran in; only DWARF 5 says it here. */
  readonly directory: string | undefined;
}

/** Gives the bytes of sections, unpacked; empty where there is none. */
export interface LineSections extends StringSections {
  /** Any of the sections that are needed. */
  (section: ".debug_line" | ".debug_line_str" | ".debug_str"): Uint8Array;
}

/** Real kernels have some 100,000. */
const MAX_SEQUENCES = 1 << 20;
/** How many sequences that begin before an address are looked at; they overlap only in damaged files. */
const MAX_OVERLAPS = 8;
const MAX_CACHED_FILES = 64;

/** All sequences by ascending start. */
interface SequenceIndex {
  readonly count: number;
  /** First address of each, signed. */
  readonly starts: Float64Array;
  /** First address past each, signed. */
  readonly ends: Float64Array;
  /** Where each begins in the section. */
  readonly offsets: Float64Array;
  /** Where the unit of each begins in the section. */
  readonly units: Float64Array;
}

/** The lines of one file; see the head of this one. */
export class LineTable {
  readonly #sections: LineSections;
  #index: SequenceIndex | undefined;
  readonly #files = new Map<number, LineFiles>();

  /**
   * Reads nothing yet.
   *
   * @param sections Called when a section is first needed, at the first look-up.
   */
  constructor(sections: LineSections) {
    const loaded = new Map<string, Uint8Array>();
    this.#sections = (section) => {
      const bytes = loaded.get(section) ?? sections(section);
      loaded.set(section, bytes);
      return bytes;
    };
  }

  /** The line of an address as it was linked; undefined when no line is known for it. */
  find(address: bigint): SourceLine | undefined {
    const wanted = Number(BigInt.asIntN(64, address));
    if (!Number.isSafeInteger(wanted)) return undefined;
    const { count, starts, ends, offsets, units } = this.#index ??= indexSequences(
      this.#sections(".debug_line"),
    );
    let from = 0, to = count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (starts[middle] <= wanted) from = middle + 1;
      else to = middle;
    }
    for (let i = from - 1; i >= Math.max(0, from - MAX_OVERLAPS); i--) {
      if (wanted < ends[i]) return this.#inSequence(units[i], offsets[i], wanted);
    }
    return undefined;
  }

  #inSequence(unit: number, offset: number, wanted: number): SourceLine | undefined {
    const bytes = this.#sections(".debug_line");
    const header = readLineHeader(new Cursor(bytes, unit));
    const machine = new LineMachine(new Cursor(bytes, offset, header.unitEnd), header);
    let file = 0, line = 0, column = 0;
    while (machine.next() && machine.address <= wanted && !machine.ended) {
      ({ file, line, column } = machine);
    }
    const files = this.#filesOf(unit);
    const path = line > 0 ? files?.path(file) : undefined;
    return path === undefined
      ? undefined
      : { file: normalized(path), line, column, directory: files?.directory };
  }

  #filesOf(unit: number): LineFiles | undefined {
    const cached = this.#files.get(unit);
    if (cached) return cached;
    try {
      const files = readLineFiles(this.#sections(".debug_line"), unit, this.#sections);
      if (this.#files.size >= MAX_CACHED_FILES) this.#files.clear();
      this.#files.set(unit, files);
      return files;
    } catch (error) {
      if (error instanceof DwarfError) return undefined;
      throw error;
    }
  }
}

function indexSequences(bytes: Uint8Array): SequenceIndex {
  const found: { starts: number[]; ends: number[]; offsets: number[]; units: number[] } = {
    starts: [],
    ends: [],
    offsets: [],
    units: [],
  };
  for (let unit = 0; unit < bytes.length && found.starts.length < MAX_SEQUENCES;) {
    let end: number;
    try {
      const lengthCursor = new Cursor(bytes, unit);
      end = lengthCursor.initialLength() + lengthCursor.at;
    } catch (error) {
      if (error instanceof DwarfError) break;
      throw error;
    }
    try {
      const header = readLineHeader(new Cursor(bytes, unit));
      indexUnit(bytes, unit, header, found);
    } catch (error) {
      if (!(error instanceof DwarfError)) throw error;
    }
    unit = end;
  }
  const { starts, ends, offsets, units } = found;
  const order = Uint32Array.from(starts, (_, i) => i).sort((a, b) => starts[a] - starts[b] || a - b);
  const sorted = (values: number[]) => Float64Array.from(order, (i) => values[i]);
  return {
    count: order.length,
    starts: sorted(starts),
    ends: sorted(ends),
    offsets: sorted(offsets),
    units: sorted(units),
  };
}

function indexUnit(
  bytes: Uint8Array,
  unit: number,
  header: LineHeader,
  found: { starts: number[]; ends: number[]; offsets: number[]; units: number[] },
): void {
  const cursor = new Cursor(bytes, header.programStart, header.unitEnd);
  const machine = new LineMachine(cursor, header);
  let offset = cursor.at, least = Infinity;
  while (machine.next()) {
    if (machine.address < least) least = machine.address;
    if (!machine.ended) continue;
    // A linker that drops a function leaves its lines behind, at address 0.
    if (least < machine.address && least !== 0 && found.starts.length < MAX_SEQUENCES) {
      found.starts.push(least);
      found.ends.push(machine.address);
      found.offsets.push(offset);
      found.units.push(unit);
    }
    offset = cursor.at;
    least = Infinity;
  }
}

/** A path without "." and, where that is certain, without "..". */
function normalized(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    const last = parts.at(-1);
    if (part === "." && parts.length > 0) continue;
    if (part === "" && parts.length > 0) continue;
    if (part === ".." && last !== undefined && last !== ".." && last !== "." && last !== "") parts.pop();
    else parts.push(part);
  }
  return parts[0] === "." ? parts.slice(1).join("/") : parts.join("/");
}
