/**
 * Makes a symbol table of a kernel's kallsyms: 100,000 to 200,000 names, expanded from tokens into one pool
 * without a string or an object for any. Linux `kernel/kallsyms.c`: `kallsyms_expand_symbol`,
 * `kallsyms_sym_address`.
 */
import { SymbolTable } from "../symbols/symbol_table.ts";
import { hasAbsolute, type KallsymsTables } from "./kallsyms_tables.ts";

/** Bytes of all names together; a kernel's are a few million. */
const MAX_POOL_BYTES = 1 << 26;
/** Bytes of a name; KSYM_NAME_LEN is 512. */
const MAX_NAME_BYTES = 512;
const UNKNOWN_TYPE = 0x3f;

/** The columns, in the order of addresses as kallsyms has them. */
interface Decoded {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly types: Uint8Array;
  readonly nameStarts: Uint32Array;
  readonly nameEnds: Uint32Array;
  readonly pool: Uint8Array;
}

/** The symbols; undefined when they are no kernel's. */
export function decodeKallsyms(tables: KallsymsTables): SymbolTable | undefined {
  const { count } = tables;
  const addresses = decodeAddresses(tables);
  const names = ascending(addresses) ? decodeNames(tables) : undefined;
  return names && new SymbolTable({ ...names, ...addresses, count, sizes: new Uint32Array(count) });
}

function decodeNames(
  { span: { u8, view }, count, names, namesEnd, tokenTable, tokenIndex }: KallsymsTables,
): Pick<Decoded, "types" | "nameStarts" | "nameEnds" | "pool"> | undefined {
  const starts = new Uint32Array(256), lengths = new Uint8Array(256);
  for (let token = 0; token < 256; token++) {
    starts[token] = tokenTable + view.getUint16(tokenIndex + 2 * token, true);
    lengths[token] = Math.min(255, u8.indexOf(0, starts[token]) - starts[token]);
  }
  let poolBytes = 0;
  for (let at = names; at < namesEnd; at++) poolBytes += lengths[u8[at]];
  if (poolBytes > MAX_POOL_BYTES) return undefined;
  const pool = new Uint8Array(poolBytes);
  const types = new Uint8Array(count);
  const nameStarts = new Uint32Array(count), nameEnds = new Uint32Array(count);
  let at = names, length = 0;
  for (let i = 0; i < count; i++) {
    let stored = u8[at++];
    if (stored & 0x80) stored = (stored & 0x7f) | (u8[at++] << 7);
    const start = length;
    for (const end = Math.min(at + stored, namesEnd); at < end; at++) {
      const token = u8[at], from = starts[token], to = from + lengths[token];
      for (let byte = from; byte < to; byte++) pool[length++] = u8[byte];
    }
    if (length - start > MAX_NAME_BYTES + 1) return undefined;
    // The first character is nm's letter.
    types[i] = length > start ? pool[start] : UNKNOWN_TYPE;
    nameStarts[i] = Math.min(start + 1, length);
    nameEnds[i] = length;
  }
  return { types, nameStarts, nameEnds, pool };
}

function decodeAddresses(
  { span, count, offsets, relativeBase }: KallsymsTables,
): Pick<Decoded, "high" | "low"> {
  const { view } = span;
  const high = new Uint32Array(count), low = new Uint32Array(count);
  const baseLow = view.getUint32(relativeBase, true), baseHigh = view.getUint32(relativeBase + 4, true);
  const absolute = hasAbsolute(span, offsets, count);
  for (let i = 0; i < count; i++) {
    let distance = view.getUint32(offsets + 4 * i, true);
    if (absolute) {
      if (distance < 2 ** 31) {
        low[i] = distance;
        continue;
      }
      distance = -1 - (distance | 0);
    }
    const sum = baseLow + distance;
    low[i] = sum;
    high[i] = baseHigh + (sum >= 2 ** 32 ? 1 : 0);
  }
  return { high, low };
}

function ascending({ high, low }: Pick<Decoded, "high" | "low">): boolean {
  for (let i = 1; i < high.length; i++) {
    if (high[i] < high[i - 1] || (high[i] === high[i - 1] && low[i] < low[i - 1])) return false;
  }
  return true;
}
