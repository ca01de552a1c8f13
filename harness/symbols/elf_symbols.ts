/**
 * The symbols of an ELF file, as `nm` lists them: `.symtab`, or `.dynsym` where a library was stripped.
 *
 * Format: System V ABI, "Symbol Table"; letters: `man nm`.
 */
import {
  type ElfFile,
  type ElfSection,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_WRITE,
  SHT_DYNSYM,
  SHT_NOBITS,
  SHT_SYMTAB,
  viewOf,
} from "./elf_file.ts";
import type { SymbolTable } from "./symbol_table.ts";
import { SymbolTableBuilder } from "./symbol_table_builder.ts";

const SYM_BYTES = 24;
const ST_NAME = 0;
const ST_INFO = 4;
const ST_SHNDX = 6;
const ST_VALUE = 8;
const ST_SIZE = 16;

const STB_LOCAL = 0;
const STB_WEAK = 2;
const STT_OBJECT = 1;
const STT_FUNC = 2;
const STT_GNU_IFUNC = 10;
const SHN_UNDEF = 0;
const SHN_LORESERVE = 0xff00;
const SHN_ABS = 0xfff1;

const MAX_NAME_BYTES = 4096;
const LOWER_CASE = 0x20;
const DOLLAR = 0x24;
const DOT = 0x2e;
const LETTER_L = 0x4c;

/** The symbols of code and data; an empty table when the file was stripped. */
export function elfSymbols(file: ElfFile): SymbolTable {
  const section = file.sections.find(({ type }) => type === SHT_SYMTAB) ??
    file.sections.find(({ type }) => type === SHT_DYNSYM);
  const stringSection = section && file.sections[section.link];
  if (!section || !stringSection) return new SymbolTableBuilder().build();
  const symbols = file.contents(section);
  const strings = file.contents(stringSection);
  const view = viewOf(symbols);
  const builder = new SymbolTableBuilder(Math.floor(symbols.length / SYM_BYTES));
  for (let at = 0; at + SYM_BYTES <= symbols.length; at += SYM_BYTES) {
    const letter = letterOf(symbols[at + ST_INFO], view.getUint16(at + ST_SHNDX, true), file.sections);
    const name = view.getUint32(at + ST_NAME, true);
    if (letter === undefined || isInternal(strings, name)) continue;
    let end = name + 1;
    const limit = Math.min(strings.length, name + MAX_NAME_BYTES);
    while (end < limit && strings[end] !== 0) end++;
    const size = Math.min(Number(view.getBigUint64(at + ST_SIZE, true)), 0xffff_ffff);
    builder.addBytes(
      strings,
      name,
      end,
      view.getUint32(at + ST_VALUE + 4, true),
      view.getUint32(at + ST_VALUE, true),
      size,
      letter,
    );
  }
  return builder.build();
}

/** `nm`'s letter as a character code; undefined for what names no place: undefined, thread-local, files. */
function letterOf(info: number, sectionIndex: number, sections: readonly ElfSection[]): number | undefined {
  const type = info & 15, binding = info >> 4;
  if (type > STT_FUNC && type !== STT_GNU_IFUNC || sectionIndex === SHN_UNDEF) return undefined;
  if (binding === STB_WEAK) return (type === STT_OBJECT ? "V" : "W").charCodeAt(0);
  const letter = sectionIndex === SHN_ABS
    ? "A"
    : sectionIndex >= SHN_LORESERVE
    ? undefined
    : sectionLetter(sections[sectionIndex]);
  return letter === undefined ? undefined : letter.charCodeAt(0) | (binding === STB_LOCAL ? LOWER_CASE : 0);
}

function sectionLetter(section: ElfSection | undefined): string | undefined {
  if (!section || (section.flags & SHF_ALLOC) === 0) return undefined;
  if ((section.flags & SHF_EXECINSTR) !== 0) return "T";
  if (section.type === SHT_NOBITS) return "B";
  return (section.flags & SHF_WRITE) !== 0 ? "D" : "R";
}

/** Nameless, an assembler's label (.L…), or a mark of what is code and what data ($x, $d). */
function isInternal(strings: Uint8Array, name: number): boolean {
  const first = strings[name];
  return first === undefined || first === 0 || first === DOLLAR ||
    first === DOT && strings[name + 1] === LETTER_L;
}
