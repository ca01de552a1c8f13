/**
 * ACPI machine language, as much of it as a board needs to describe its devices: names, integers, strings,
 * packages, scopes, devices and resource templates.
 *
 * Encoding: ACPI 6.5 §20.2 (AML grammar) and §6.4 (resource data types).
 */

/** A piece of AML. */
export type Aml = Uint8Array;

const concat = (...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

/** `PkgLength` (§20.2.4): it counts itself. */
function withLength(body: Uint8Array): Uint8Array {
  const length = body.length;
  if (length + 1 < 0x40) return concat([length + 1], body);
  if (length + 2 < 0x1000) return concat([0x40 | ((length + 2) & 15), (length + 2) >> 4], body);
  const total = length + 3;
  return concat([0x80 | (total & 15), (total >> 4) & 0xff, total >> 12], body);
}

/** A name path: segments of up to four characters, `\` at the front for the root. */
function path(name: string): Uint8Array {
  const root = name.startsWith("\\");
  const segments = name.slice(root ? 1 : 0).split(".").map((segment) => segment.padEnd(4, "_"));
  const prefix = segments.length === 1 ? [] : segments.length === 2 ? [0x2e] : [0x2f, segments.length];
  return concat(root ? [0x5c] : [], prefix, new TextEncoder().encode(segments.join("")));
}

/** An integer. */
export function integer(value: number): Aml {
  if (value === 0 || value === 1) return Uint8Array.of(value);
  if (value < 0x100) return Uint8Array.of(0x0a, value);
  if (value < 0x10000) return Uint8Array.of(0x0b, value & 0xff, value >> 8);
  return Uint8Array.of(0x0c, value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24);
}

/** A string of ASCII. */
export function string(text: string): Aml {
  return concat([0x0d], new TextEncoder().encode(text), [0]);
}

/** An EISA identifier such as `PNP0501`, compressed (§19.6.36). */
export function eisaId(id: string): Aml {
  const letters = [...id.slice(0, 3)].map((c) => c.charCodeAt(0) - 0x40);
  const vendor = letters[0] << 10 | letters[1] << 5 | letters[2];
  const product = parseInt(id.slice(3), 16);
  return Uint8Array.of(0x0c, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff);
}

/** `Name (name, value)`. */
export function name(at: string, value: Aml): Aml {
  return concat([0x08], path(at), value);
}

/** `Package () { … }`. */
export function packageOf(...values: readonly Aml[]): Aml {
  return concat([0x12], withLength(concat([values.length], ...values)));
}

/** `Scope (name) { … }`. */
export function scope(at: string, ...contents: readonly Aml[]): Aml {
  return concat([0x10], withLength(concat(path(at), ...contents)));
}

/** `Device (name) { … }`. */
export function device(at: string, ...contents: readonly Aml[]): Aml {
  return concat([0x5b, 0x82], withLength(concat(path(at), ...contents)));
}

/** `ResourceTemplate () { … }` with its end tag. */
export function resources(...descriptors: readonly Uint8Array[]): Aml {
  const bytes = concat(...descriptors, [0x79, 0]);
  return concat([0x11], withLength(concat(integer(bytes.length), bytes)));
}

/** I/O ports at a fixed place (§6.4.2.5). */
export function ports(base: number, count: number): Uint8Array {
  return Uint8Array.of(0x47, 1, base & 0xff, base >> 8, base & 0xff, base >> 8, 1, count);
}

/** An edge-triggered, active-high ISA interrupt (§6.4.2.1). */
export function irq(line: number): Uint8Array {
  const mask = 1 << line;
  return Uint8Array.of(0x22, mask & 0xff, mask >> 8);
}
