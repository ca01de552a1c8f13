/**
 * The header of one line number program: how its opcodes are to be read, and the files it speaks of.
 *
 * Format: DWARF 5, §6.2.4; DWARF 4, §6.2.4 (versions 2 to 4 are alike but for one field).
 */
import { stringAt } from "../elf_file.ts";
import { Cursor, DwarfError } from "./cursor.ts";

// Content types of version 5's tables
const DW_LNCT_path = 1;
const DW_LNCT_directory_index = 2;

const MAX_PATH_BYTES = 4096;
const MAX_FORMATS = 16;
/** A unit of a kernel speaks of some thousand. */
const MAX_FILES = 1 << 16;
const BITS_64_ADDRESS_BYTES = 8;

/** The sections that hold strings, each read when first needed. */
export interface StringSections {
  /** Those of a section, such as ".debug_line_str"; empty when there is none. */
  (section: ".debug_line_str" | ".debug_str"): Uint8Array;
}

/** What precedes the opcodes of one program. */
export interface LineHeader {
  /** Where the program begins in the section. */
  readonly programStart: number;
  /** Where it, and the unit, ends. */
  readonly unitEnd: number;
  /** Bytes that one step of "address advance" stands for. */
  readonly minInstructionBytes: number;
  /** Least line advance of a special opcode. */
  readonly lineBase: number;
  /** How many line advances special opcodes have. */
  readonly lineRange: number;
  /** The first special opcode. */
  readonly opcodeBase: number;
  /** By standard opcode: how many LEB128 arguments it has; [0] is unused. */
  readonly argumentCounts: readonly number[];
}

/** The files of one program. */
export interface LineFiles {
  /** The folder the compiler ran in; version 5 only. */
  readonly directory: string | undefined;
  /** The path of the file of a number, as the program counts them. */
  path(file: number): string | undefined;
}

/** Reads what is needed to run the program of the unit at the cursor, and leaves the cursor anywhere. */
export function readLineHeader(cursor: Cursor): LineHeader {
  return readHeader(cursor).header;
}

/** Reads the files of the unit that begins at `unitStart`. @throws {DwarfError} when it is damaged. */
export function readLineFiles(section: Uint8Array, unitStart: number, strings: StringSections): LineFiles {
  const cursor = new Cursor(section, unitStart);
  const { header, version } = readHeader(cursor);
  cursor.end = header.programStart;
  return version >= 5 ? readFiles5(cursor, strings) : readFiles4(cursor);
}

function readHeader(cursor: Cursor): { header: LineHeader; version: number } {
  const length = cursor.initialLength();
  const unitEnd = cursor.at + length;
  if (unitEnd > cursor.bytes.length) throw new DwarfError("A unit is longer than its section.");
  cursor.end = unitEnd;
  const version = cursor.u16();
  if (version < 2 || version > 5) {
    throw new DwarfError(`Line number programs of version ${version} are not known.`);
  }
  if (version >= 5) {
    const addressBytes = cursor.u8(), segmentBytes = cursor.u8();
    if (addressBytes !== BITS_64_ADDRESS_BYTES || segmentBytes !== 0) {
      throw new DwarfError("A unit is not for flat 64-bit addresses.");
    }
  }
  const headerLength = cursor.offset();
  const programStart = cursor.at + headerLength;
  if (programStart > unitEnd) throw new DwarfError("A line number program's header is longer than its unit.");
  const minInstructionBytes = cursor.u8();
  if (version >= 4) cursor.skip(1); // maximum_operations_per_instruction: 1 but for VLIW machines
  cursor.skip(1); // default_is_stmt: every row counts here
  const lineBase = cursor.s8(), lineRange = cursor.u8(), opcodeBase = cursor.u8();
  if (lineRange === 0 || opcodeBase === 0) {
    throw new DwarfError("A line number program has no special opcodes.");
  }
  const argumentCounts = [0];
  for (let opcode = 1; opcode < opcodeBase; opcode++) argumentCounts.push(cursor.u8());
  return {
    header: { programStart, unitEnd, minInstructionBytes, lineBase, lineRange, opcodeBase, argumentCounts },
    version,
  };
}

/** Versions 2 to 4: directories count from 1 (0 is where the compiler ran, which is not said here), and so do files. */
function readFiles4(cursor: Cursor): LineFiles {
  const directories = [""];
  for (let name = cursor.string(); name !== ""; name = cursor.string()) directories.push(name);
  const files = [""];
  for (let name = cursor.string(); name !== ""; name = cursor.string()) {
    const directory = directories[cursor.uleb()] ?? "";
    cursor.uleb(); // time
    cursor.uleb(); // size
    files.push(joined(directory, name));
  }
  return { directory: undefined, path: (file) => files[file] || undefined };
}

/** Version 5: tables that say themselves what their columns are; directory 0 is where the compiler ran. */
function readFiles5(cursor: Cursor, strings: StringSections): LineFiles {
  const directories = readTable(cursor, strings).map(({ path }) => path);
  const files = readTable(cursor, strings).map(({ path, directory }) => {
    const folder = directory === 0 ? "" : directories[directory] ?? "";
    return path && joined(folder === directories[0] ? "" : folder, path);
  });
  return { directory: directories[0] || undefined, path: (file) => files[file] || undefined };
}

function readTable(cursor: Cursor, strings: StringSections): { path: string; directory: number }[] {
  const formats: { content: number; form: number }[] = [];
  const formatCount = cursor.u8();
  if (formatCount > MAX_FORMATS) throw new DwarfError("A table of files has too many columns.");
  for (let i = 0; i < formatCount; i++) formats.push({ content: cursor.uleb(), form: cursor.uleb() });
  const count = cursor.uleb();
  const entries: { path: string; directory: number }[] = [];
  if (count > MAX_FILES) throw new DwarfError("A table of files is absurdly long.");
  for (let i = 0; i < count; i++) {
    const entry = { path: "", directory: 0 };
    for (const { content, form } of formats) {
      const value = readForm(cursor, form, strings);
      if (content === DW_LNCT_path) entry.path = String(value);
      else if (content === DW_LNCT_directory_index) entry.directory = Number(value);
    }
    entries.push(entry);
  }
  return entries;
}

/** A value of one of the forms that §6.2.4.1 allows; "" for those that hold nothing of interest. */
function readForm(cursor: Cursor, form: number, strings: StringSections): string | number {
  switch (form) {
    case 0x08: // DW_FORM_string
      return cursor.string();
    case 0x1f: // DW_FORM_line_strp
      return stringAt(strings(".debug_line_str"), cursor.offset(), MAX_PATH_BYTES);
    case 0x0e: // DW_FORM_strp
      return stringAt(strings(".debug_str"), cursor.offset(), MAX_PATH_BYTES);
    case 0x1d: // DW_FORM_strp_sup: in a supplementary file
      cursor.offset();
      return "";
    case 0x1a: // DW_FORM_strx: needs the unit in .debug_info
      cursor.uleb();
      return "";
    case 0x0b: // DW_FORM_data1
      return cursor.u8();
    case 0x05: // DW_FORM_data2
      return cursor.u16();
    case 0x06: // DW_FORM_data4
      return cursor.u32();
    case 0x0f: // DW_FORM_udata
      return cursor.uleb();
    case 0x07: // DW_FORM_data8: a time
      cursor.skip(8);
      return "";
    case 0x1e: // DW_FORM_data16: an MD5
      cursor.skip(16);
      return "";
    case 0x09: // DW_FORM_block
      cursor.skip(cursor.uleb());
      return "";
    default:
      throw new DwarfError(`A table of files uses form ${form}, which is not known.`);
  }
}

function joined(directory: string, name: string): string {
  return directory === "" || name.startsWith("/") ? name : `${directory}/${name}`;
}
