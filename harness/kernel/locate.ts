/**
 * Finds a Linux kernel in guest RAM: its symbols, and where its image is. kallsyms tells virtual addresses, as they
 * are after KASLR; what proves a place in RAM is the text of `linux_banner`, where the symbols say it must be.
 */
import type { SymbolTable } from "../symbols/symbol_table.ts";
import type { KernelImage } from "./address_space.ts";
import type { KernelArchRow } from "./arch/arch.ts";
import { decodeKallsyms } from "./kallsyms.ts";
import { findKallsyms, type KallsymsTables } from "./kallsyms_tables.ts";
import { KernelInsightError } from "./kernel_insight_error.ts";
import { PageTables } from "./page_tables.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

/** A kernel in RAM. */
export interface LocatedKernel {
  /** Its symbols, where they are now. */
  readonly symbols: SymbolTable;
  /** Where it is; undefined when the symbols do not say enough. */
  readonly image: KernelImage | undefined;
  /** Whether it is there unchanged. */
  stillThere(): boolean;
}

const BANNER = new TextEncoder().encode("Linux version ");
const PAGE = 4096;
/** KASLR moves by multiples of this and, but for arm64, by less than `SLIDE_LIMIT`. */
const SLIDE_STEP = 1n << 21n;
const SLIDE_LIMIT = 1n << 30n;
/** Larger ones are no kernel's. */
const MAX_IMAGE_BYTES = 1n << 30n;
/** Symbols of an image's beginning: of those there are, the lowest counts. */
const FIRST_SYMBOLS = ["_text", "_stext", "_start", "_head", "startup_64"];
const UPPER_HALF = 1n << 63n;
/** Symbols by which it is told whether two tables are of one kernel. */
const SAMPLES = 100;
/** Not all need to be in both: kallsyms leaves some out, and a given table may be of functions alone. */
const SAME_SHARE = 0.5;

/**
 * The kernel in RAM.
 *
 * @param given The kernel's symbols as they were linked, if the test has given some.
 * @throws {KernelInsightError} when there is none, or when `given` are another kernel's.
 */
export function locateKernel(
  memory: PhysicalMemory,
  row: KernelArchRow,
  given: SymbolTable | undefined,
): LocatedKernel {
  let unplaced: LocatedKernel | undefined;
  let refused = false;
  for (const tables of findKallsyms(memory.spans)) {
    const own = decodeKallsyms(tables);
    if (!own) continue;
    const symbols = given ? movedLike(given, own) : own;
    const image = symbols && placeImage(memory, row, symbols, tables);
    const located = { symbols: symbols ?? own, image, stillThere: unchanged(tables) };
    if (image) return located;
    if (symbols) unplaced ??= located;
    else refused = true;
  }
  const placed = given && !refused ? findByBanner(memory, row, given) : undefined;
  if (placed) return placed;
  if (unplaced && !given) return unplaced;
  throw new KernelInsightError(
    given
      ? "The kernel in the guest's memory is not the one that the given symbols are of, or there is none (yet)."
      : "No Linux kernel was found in the guest's memory. It may not have been loaded yet, or it has no kallsyms " +
        "(CONFIG_KALLSYMS): then give boot() its vmlinux or System.map.",
  );
}

/** The symbols given, where those found in RAM say they are; undefined when they are another kernel's. */
function movedLike(given: SymbolTable, own: SymbolTable): SymbolTable | undefined {
  const linked = given.lookup("_stext"), running = own.lookup("_stext");
  if (!linked || !running) return undefined;
  const moved = given.moved(running.address - linked.address);
  const step = Math.max(1, Math.floor(own.size / SAMPLES));
  let same = 0, looked = 0;
  for (let i = 0; i < own.size; i += step) {
    const symbol = own.at(i);
    if (symbol.address < running.address) continue; // per-CPU offsets
    looked++;
    if (moved.lookupAll(symbol.name).some(({ address }) => address === symbol.address)) same++;
  }
  return same >= looked * SAME_SHARE ? moved : undefined;
}

/** Where the image is whose tables were found at a place in RAM. */
function placeImage(
  memory: PhysicalMemory,
  row: KernelArchRow,
  symbols: SymbolTable,
  tables: KallsymsTables,
): KernelImage | undefined {
  const shape = imageShape(row, symbols);
  if (!shape) return undefined;
  const physical = tables.span.base + tables.tokenTable;
  // Since 6.4 the tables are symbols themselves.
  const own = symbols.lookup("kallsyms_token_table");
  if (own) {
    const offset = BigInt(physical) - own.address;
    if (isBanner(memory, Number(shape.landmark + offset))) return { ...shape, offset };
  }
  // Somewhere in the image, which the tables are part of.
  const size = Number(shape.end - shape.start);
  const from = Math.max(tables.span.base, physical - size);
  const to = Math.min(tables.span.base + tables.span.u8.length, physical + size);
  for (const place of bannerPlaces(memory, shape.landmark, from, to)) {
    const offset = BigInt(place) - shape.landmark;
    const virtual = BigInt(physical) - offset;
    if (virtual >= shape.start && virtual < shape.end) return { ...shape, offset };
  }
  return undefined;
}

/** What the symbols say of an image. */
function imageShape(row: KernelArchRow, symbols: SymbolTable): Omit<KernelImage, "offset"> | undefined {
  const end = symbols.lookup("_end")?.address;
  const landmark = symbols.lookup("linux_banner")?.address;
  const start = FIRST_SYMBOLS.flatMap((name) => symbols.lookupAll(name).map(({ address }) => address))
    .filter((address) => address >= UPPER_HALF)
    .reduce<bigint | undefined>(
      (least, next) => least === undefined || next < least ? next : least,
      undefined,
    );
  if (end === undefined || start === undefined || landmark === undefined) return undefined;
  if (!(start <= landmark && landmark < end && end - start <= MAX_IMAGE_BYTES)) return undefined;
  const root = row.rootTables.map((name) => symbols.lookup(name)?.address).find((address) => address);
  return { start, end, landmark, rootTable: root };
}

/**
 * The kernel whose symbols were given, when it has none in RAM. How far KASLR has moved it is known from its page
 * tables; before they are set up, it is taken to be where it was linked.
 */
function findByBanner(
  memory: PhysicalMemory,
  row: KernelArchRow,
  given: SymbolTable,
): LocatedKernel | undefined {
  const shape = imageShape(row, given);
  if (!shape) return undefined;
  let early: LocatedKernel | undefined;
  for (const { base, u8 } of memory.spans) {
    for (const place of bannerPlaces(memory, shape.landmark, base, base + u8.length)) {
      const slide = slideOf(memory, row, shape, place);
      const symbols = given.moved(slide ?? 0n);
      const moved = imageShape(row, symbols);
      if (!moved) continue;
      const image = { ...moved, offset: BigInt(place) - moved.landmark };
      if (slide !== undefined) return { symbols, image, stillThere: () => isBanner(memory, place) };
      early ??= { symbols, image, stillThere: () => false };
    }
  }
  return early;
}

/** How far the kernel's page tables say it was moved whose banner is at a place. */
function slideOf(
  memory: PhysicalMemory,
  row: KernelArchRow,
  { landmark, rootTable }: Omit<KernelImage, "offset">,
  place: number,
): bigint | undefined {
  if (rootTable === undefined) return undefined;
  const root = Number(rootTable - landmark) + place;
  for (const format of row.formats) {
    const tables = new PageTables(memory, row, format, root);
    for (let slide = 0n; slide < SLIDE_LIMIT; slide += SLIDE_STEP) {
      if (tables.translate(landmark + slide) === place) return slide;
    }
  }
  return undefined;
}

/** Where the banner's text is in RAM: its place in a page is known. */
function* bannerPlaces(
  memory: PhysicalMemory,
  landmark: bigint,
  from: number,
  to: number,
): Generator<number> {
  const inPage = Number(landmark % BigInt(PAGE));
  for (let place = from - from % PAGE + inPage; place < to; place += PAGE) {
    if (place >= from && isBanner(memory, place)) yield place;
  }
}

function isBanner(memory: PhysicalMemory, place: number): boolean {
  const span = memory.span(place, BANNER.length);
  if (!span) return false;
  const at = place - span.base;
  for (let i = 0; i < BANNER.length; i++) if (span.u8[at + i] !== BANNER[i]) return false;
  return true;
}

/** Tells whether tables are as they are now: a machine that was reset, or went over to another kernel, has others. */
function unchanged(
  { span, tokenTable, tokenIndex, relativeBase, count, names }: KallsymsTables,
): () => boolean {
  const { u8, view } = span;
  const fingerprint = () => {
    let hash = 0x811c9dc5;
    for (let at = tokenTable; at < tokenIndex + 512; at++) hash = Math.imul(hash ^ u8[at], 0x01000193);
    const base = view.getBigUint64(relativeBase, true);
    return `${hash} ${base} ${view.getUint32(names - 8, true) === count}`;
  };
  const before = fingerprint();
  return () => fingerprint() === before;
}
