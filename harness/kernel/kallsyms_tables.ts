/**
 * Finds the tables of kallsyms, a kernel's symbols, in guest RAM without knowing where the kernel is.
 *
 * Linux `scripts/kallsyms.c` writes names as bytes that stand for tokens. The token of a character that occurs
 * in any name is the character itself, so every kernel has `a\0b\0 … z\0` in its `token_table`: 52 bytes that a
 * look at every 48th byte cannot miss. `token_index`, behind it, proves the find: it says where each of the 256
 * tokens begins. The other tables are its neighbours, each aligned to 8 bytes, in an order that changed twice:
 *
 * - 5.10 to 6.1: offsets, relative_base, num_syms, names, markers, token_table, token_index
 * - 6.2 and 6.3: the same with seqs_of_names (3 bytes per symbol) after markers
 * - from 6.4: num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names
 *
 * All of it may be garbage or made by an enemy: whatever is followed is bounded and checked.
 */
import type { RamView } from "../guest_memory.ts";

/** Where tables are; offsets from the beginning of the span of RAM. */
export interface KallsymsTables {
  /** The span of RAM. */
  readonly span: RamView;
  /** How many symbols there are. */
  readonly count: number;
  /** Lengths and tokens of every name. */
  readonly names: number;
  /** Just behind the last name. */
  readonly namesEnd: number;
  /** 256 tokens, each with a NUL behind it. */
  readonly tokenTable: number;
  /** Where in `tokenTable` each token begins, 16 bits each. */
  readonly tokenIndex: number;
  /** 32 bits per symbol. */
  readonly offsets: number;
  /** The address that they count from, 64 bits. */
  readonly relativeBase: number;
}

/** More than any kernel has. */
const MAX_SYMBOLS = 1 << 20;
/** Symbols between two markers. */
const GROUP = 256;
/** Bytes of the longest name as it is stored: KSYM_NAME_LEN, and its length. */
const MAX_STORED_NAME = 514;
/** Fewer groups prove nothing. */
const MIN_GROUPS = 4;
/** Token tables that are looked at closely; RAM may be full of them. */
const MAX_CANDIDATES = 64;
/** Steps that all candidates' neighbours may cost together; a real one's take one per symbol. */
const MAX_STEPS = 1 << 25;
/** Bytes a `token_table` can have: its index has 16 bits. */
const MAX_TOKEN_BYTES = 1 << 16;
const LETTER_A = 0x61;
const LETTERS = 26;
/** Words from one look to the next: 48 bytes, so that one falls wholly into the 52 of the landmark. */
const STRIDE_WORDS = 12;

/** What is left of a search's steps. */
interface Budget {
  steps: number;
}

/** Every set of tables in RAM, from its lowest address on. */
export function* findKallsyms(spans: readonly RamView[]): Generator<KallsymsTables> {
  const budget = { steps: MAX_STEPS };
  let candidates = 0;
  for (const span of spans) {
    for (
      let word = nextLandmark(span.i32, 0);
      word >= 0;
      word = nextLandmark(span.i32, word + STRIDE_WORDS)
    ) {
      const letterA = firstLetter(span.u8, word * 4);
      if (letterA < 0) continue;
      const tokens = tokensAround(span, letterA);
      if (!tokens) continue;
      if (++candidates > MAX_CANDIDATES || budget.steps < 0) return;
      const tables = neighbours(span, ...tokens, budget);
      if (tables) yield tables;
    }
  }
}

/** The next word looked at that two neighbouring letters could be in, or -1. */
function nextLandmark(words: Int32Array, from: number): number {
  for (let i = from; i < words.length; i += STRIDE_WORDS) {
    let word = words[i];
    if (word === 0) continue;
    if ((word & 0x00ff00ff) === 0) word >>>= 8;
    if ((word & 0xff00ff00) !== 0) continue;
    const letter = word & 0xff;
    if (letter >= LETTER_A && letter < LETTER_A + LETTERS && (word >>> 16) === letter + 1) return i;
  }
  return -1;
}

/** Where the alphabet around a place begins, or -1. */
function firstLetter(bytes: Uint8Array, near: number): number {
  const at = bytes[near] === 0 ? near + 1 : near;
  const first = at - 2 * (bytes[at] - LETTER_A);
  if (first < 0 || first + 2 * LETTERS > bytes.length) return -1;
  for (let i = 0; i < LETTERS; i++) {
    if (bytes[first + 2 * i] !== LETTER_A + i || bytes[first + 2 * i + 1] !== 0) return -1;
  }
  return first;
}

/** `token_table` and `token_index`, if the alphabet at `letterA` belongs to such. */
function tokensAround(span: RamView, letterA: number): [number, number] | undefined {
  const { u8, view } = span;
  let end = letterA;
  for (let token = LETTER_A; token < 256; token++) {
    end = u8.indexOf(0, end) + 1;
    if (end === 0 || end - letterA > MAX_TOKEN_BYTES) return undefined;
  }
  for (let index = align(end, 2); index < end + 16 && index + 512 <= u8.length; index += 2) {
    if (view.getUint16(index, true) !== 0) continue;
    const table = letterA - view.getUint16(index + 2 * LETTER_A, true);
    if (table >= 0 && indexes(span, table, index)) return [table, index];
  }
  return undefined;
}

/** Whether an index says where each of a table's tokens begins. */
function indexes({ u8, view }: RamView, table: number, index: number): boolean {
  let at = table;
  for (let token = 0; token < 256; token++) {
    if (view.getUint16(index + 2 * token, true) !== at - table) return false;
    while (at < index && u8[at] !== 0) at++;
    if (at++ >= index) return false;
  }
  return true;
}

/** The tables beside `token_table`, in any of the orders. */
function neighbours(
  span: RamView,
  tokenTable: number,
  tokenIndex: number,
  budget: Budget,
): KallsymsTables | undefined {
  for (const [markers, groups] of markersBefore(span.view, tokenTable)) {
    if (budget.steps < 0) return undefined;
    const found = namesBefore(span, markers, groups, budget);
    if (!found) continue;
    const { count, names, namesEnd } = found;
    const numSyms = names - 8;
    const offsetBytes = align(4 * count, 8);
    const behind = align(tokenIndex + 512, 8);
    for (const offsets of [behind, numSyms - 8 - offsetBytes]) {
      const tables = {
        span,
        count,
        names,
        namesEnd,
        tokenTable,
        tokenIndex,
        offsets,
        relativeBase: offsets + offsetBytes,
      };
      if (plausible(tables)) return tables;
    }
  }
  return undefined;
}

/**
 * Where `markers` could begin, and how many there are. They ascend from 0: where every 256th name begins. They
 * end at `token_table`, or before `seqs_of_names`, whose length is not known yet.
 */
function* markersBefore(view: DataView, tokenTable: number): Generator<[number, number]> {
  const lowest = Math.max(0, tokenTable - 3 * MAX_SYMBOLS - 4 * MAX_SYMBOLS / GROUP);
  for (let at = tokenTable - 4 * MIN_GROUPS; at >= lowest; at -= 4) {
    if (view.getUint32(at, true) !== 0) continue;
    let groups = 1;
    for (let before = 0; at + 4 * groups < tokenTable; groups++) {
      const marker = view.getUint32(at + 4 * groups, true);
      if (marker < before + 2 * GROUP || marker > before + MAX_STORED_NAME * GROUP) break;
      before = marker;
    }
    if (groups >= MIN_GROUPS) yield [at, groups];
  }
}

/** The names before their markers, and how many there are. */
function namesBefore(
  { u8, view }: RamView,
  markers: number,
  groups: number,
  budget: Budget,
): { count: number; names: number; namesEnd: number } | undefined {
  const lastGroup = view.getUint32(markers + 4 * (groups - 1), true);
  const latest = markers - lastGroup - 2;
  const earliest = Math.max(8, latest - MAX_STORED_NAME * GROUP - 8);
  for (let names = latest - latest % 8; names >= earliest && budget.steps-- >= 0; names -= 8) {
    const count = view.getUint32(names - 8, true);
    if (Math.ceil(count / GROUP) !== groups || count > MAX_SYMBOLS) continue;
    const namesEnd = walkNames(u8, view, names, markers, count, budget);
    if (namesEnd <= markers && namesEnd > markers - 8) return { count, names, namesEnd };
  }
  return undefined;
}

/** Just behind the last of `count` names, if each group begins where its marker says; else Infinity. */
function walkNames(
  u8: Uint8Array,
  view: DataView,
  names: number,
  markers: number,
  count: number,
  budget: Budget,
): number {
  let at = names;
  for (let i = 0; i < count; i++) {
    if (i % GROUP === 0) {
      if (at - names !== view.getUint32(markers + 4 * (i / GROUP), true)) return Infinity;
      if ((budget.steps -= GROUP) < 0) return Infinity;
    }
    if (at >= markers) return Infinity;
    let length = u8[at++];
    // Since 6.1, long names have seven more bits in a second byte.
    if (length & 0x80) length = (length & 0x7f) | (u8[at++] << 7);
    at += length;
  }
  return at;
}

/** Whether the offsets and what they count from look like a kernel's. */
function plausible({ span, count, offsets, relativeBase }: KallsymsTables): boolean {
  const { view } = span;
  if (offsets < 0 || relativeBase + 8 > view.byteLength) return false;
  // The upper half of the address space.
  if (view.getUint32(relativeBase + 4, true) < 0xff00_0000) return false;
  const absolute = hasAbsolute(span, offsets, count);
  let before = -1;
  const step = Math.max(1, count >> 10);
  for (let i = 0; i < count; i += step) {
    const place = absolute
      ? -1 - view.getInt32(offsets + 4 * i, true)
      : view.getUint32(offsets + 4 * i, true);
    // Absolute ones come first; they are below every address that counts from the base.
    if (absolute && place < 0) continue;
    if (place < before) return false;
    before = place;
  }
  return before > 0;
}

/**
 * Whether offsets are signed (CONFIG_KALLSYMS_ABSOLUTE_PERCPU, x86 until 6.14): positive ones are absolute, negative
 * ones are -1 minus the distance from the base. Elsewhere no kernel reaches over 2 GiB.
 */
export function hasAbsolute({ view }: RamView, offsets: number, count: number): boolean {
  return view.getInt32(offsets + 4 * (count - 1), true) < 0;
}

function align(offset: number, to: number): number {
  return Math.ceil(offset / to) * to;
}
