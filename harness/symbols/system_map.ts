/**
 * Symbols as text, one a line: `nm`'s format, as the kernel's build writes it to System.map and as a running
 * kernel shows it in /proc/kallsyms (with the module's name in brackets after a tab).
 */
import { InputError } from "../errors.ts";
import type { SymbolTable } from "./symbol_table.ts";
import { SymbolTableBuilder } from "./symbol_table_builder.ts";

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const ADDRESS_DIGITS = 16;
/** A line's bytes before the name: address, space, letter, space. */
const NAME_AT = ADDRESS_DIGITS + 3;
/** Of a real kernel there are far more; of what a distribution puts in its place, one. */
const MIN_SYMBOLS = 2;

/** Whether bytes begin as a System.map does. */
export function isSystemMap(head: Uint8Array): boolean {
  const line = new TextDecoder().decode(head.subarray(0, NAME_AT + 1));
  return /^[0-9a-f]{16} [A-Za-z?] \S$/.test(line);
}

/**
 * Parses a System.map or a copy of /proc/kallsyms.
 *
 * @param name What errors call the file, as the beginning of a sentence.
 * @throws {InputError} when a line is none of this format, or the file has no real addresses.
 */
export function parseSystemMap(bytes: Uint8Array, name: string): SymbolTable {
  const builder = new SymbolTableBuilder(Math.ceil(bytes.length / 40));
  let anyAddress = false;
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const next = bytes.indexOf(LINE_FEED, start);
    const end = next < 0 ? bytes.length : next;
    if (end > start) {
      const high = hexadecimal(bytes, start, start + 8), low = hexadecimal(bytes, start + 8, start + 16);
      const shape = bytes[start + ADDRESS_DIGITS] === SPACE && bytes[start + NAME_AT - 1] === SPACE;
      if (high < 0 || low < 0 || !shape || end <= start + NAME_AT) throw badLine(name, line);
      let nameEnd = start + NAME_AT;
      while (nameEnd < end && bytes[nameEnd] > SPACE) nameEnd++;
      if (high !== 0 || low !== 0) anyAddress = true;
      builder.addBytes(bytes, start + NAME_AT, nameEnd, high, low, 0, bytes[start + ADDRESS_DIGITS + 1]);
    }
    start = end + 1;
  }
  if (builder.count < MIN_SYMBOLS) {
    throw new InputError(
      `${name} is only a placeholder for a System.map; the real one comes with the kernel's debug package.`,
    );
  }
  if (!anyAddress) {
    throw new InputError(
      `${name} has only zeros for addresses; copy /proc/kallsyms as root with kernel.kptr_restrict=0.`,
    );
  }
  return builder.build();
}

function badLine(name: string, line: number): InputError {
  return new InputError(`${name} is no System.map: line ${line} is not "address letter name".`);
}

/** The value of hexadecimal digits; -1 when there is anything else. */
function hexadecimal(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    const digit = byte >= 0x30 && byte <= 0x39
      ? byte - 0x30
      : byte >= 0x61 && byte <= 0x66
      ? byte - 0x57
      : byte >= 0x41 && byte <= 0x46
      ? byte - 0x37
      : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}
