/**
 * BTF, the kernel's own description of its types, which lies in every distribution kernel's memory. It is read
 * where it lies: nothing but an index of offsets is made before somebody asks for a type. The bytes are the
 * guest's, so every offset is checked.
 *
 * Format: Linux `Documentation/bpf/btf.rst`.
 */
import { KernelInsightError } from "../kernel_insight_error.ts";

const MAGIC = 0xeb9f;
const VERSION = 1;
const HEADER_BYTES = 24;
const TYPE_BYTES = 12;

// Kinds (btf.rst §2.2).
export const KIND_VOID = 0;
export const KIND_INT = 1;
export const KIND_PTR = 2;
export const KIND_ARRAY = 3;
export const KIND_STRUCT = 4;
export const KIND_UNION = 5;
export const KIND_ENUM = 6;
export const KIND_FWD = 7;
export const KIND_TYPEDEF = 8;
export const KIND_VOLATILE = 9;
export const KIND_CONST = 10;
export const KIND_RESTRICT = 11;
export const KIND_FUNC = 12;
export const KIND_FUNC_PROTO = 13;
export const KIND_VAR = 14;
export const KIND_DATASEC = 15;
export const KIND_FLOAT = 16;
export const KIND_DECL_TAG = 17;
export const KIND_TYPE_TAG = 18;
export const KIND_ENUM64 = 19;

/** Bytes after a type's own twelve, for each of `vlen` elements and besides. */
const EXTRA: readonly (readonly [each: number, fixed: number])[] = [
  [0, 0],
  [0, 4], // INT
  [0, 0],
  [0, 12], // ARRAY
  [12, 0], // STRUCT
  [12, 0], // UNION
  [8, 0], // ENUM
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [8, 0], // FUNC_PROTO
  [0, 4], // VAR
  [12, 0], // DATASEC
  [0, 0],
  [0, 4], // DECL_TAG
  [0, 0],
  [12, 0], // ENUM64
];

/** Types that a chain of typedefs and qualifiers is followed through at most: BTF may be hostile. */
const MAX_CHAIN = 64;
const MAX_NAME = 1024;

/** An integer's encoding. */
export interface IntEncoding {
  readonly signed: boolean;
  readonly char: boolean;
  readonly bool: boolean;
  readonly bits: number;
}

/** A member of a struct or union. */
export interface Member {
  /** Empty for an anonymous struct or union. */
  readonly name: string;
  readonly type: number;
  /** From the beginning of the struct. */
  readonly bitOffset: number;
  /** 0 unless it is a bit field. */
  readonly bitSize: number;
}

/** One BTF section: types by number, 0 being `void`. */
export class Btf {
  /** How many types there are, `void` included. */
  readonly count: number;
  readonly #view: DataView;
  readonly #strings: Uint8Array;
  /** Where each type begins. */
  readonly #offsets: Uint32Array;
  readonly #found = new Map<string, number>();

  /** @throws {KernelInsightError} when the bytes are no BTF. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!isBtf(bytes)) throw new KernelInsightError("What should be the kernel's BTF is none.");
    const headerBytes = view.getUint32(4, true);
    const section = (at: number): [number, number] => {
      const start = headerBytes + view.getUint32(at, true);
      return [start, start + view.getUint32(at + 4, true)];
    };
    const [typesAt, typesEnd] = section(8);
    const [stringsAt, stringsEnd] = section(16);
    if (typesEnd > bytes.length || stringsEnd > bytes.length) {
      throw new KernelInsightError("The kernel's BTF is cut off or corrupt.");
    }
    this.#view = view;
    this.#strings = bytes.subarray(stringsAt, stringsEnd);
    this.#offsets = indexTypes(view, typesAt, typesEnd);
    this.count = this.#offsets.length;
  }

  /** A type's kind: one of the KIND constants. */
  kind(type: number): number {
    return type === 0 ? KIND_VOID : this.#info(type) >>> 24 & 0x1f;
  }

  /** A type's own name; empty for anonymous ones. */
  name(type: number): string {
    return type === 0 ? "void" : this.#string(this.#word(type, 0));
  }

  /** The type that a pointer, typedef, qualifier or variable is of. */
  target(type: number): number {
    return this.#word(type, 8);
  }

  /** A type without typedefs, qualifiers and tags. */
  resolve(type: number): number {
    let resolved = type;
    for (let i = 0; i < MAX_CHAIN; i++) {
      const kind = this.kind(resolved);
      const isAlias = kind >= KIND_TYPEDEF && kind <= KIND_RESTRICT || kind === KIND_TYPE_TAG ||
        kind === KIND_VAR;
      if (!isAlias) return resolved;
      resolved = this.target(resolved);
    }
    throw new KernelInsightError("The kernel's BTF is corrupt: its types go round in circles.");
  }

  /** Bytes of a value; 0 for `void`, functions and incomplete types. */
  size(type: number): number {
    let count = 1;
    let element = this.resolve(type);
    for (let i = 0; i < MAX_CHAIN && this.kind(element) === KIND_ARRAY; i++) {
      count *= this.arrayLength(element);
      element = this.resolve(this.arrayElement(element));
    }
    switch (this.kind(element)) {
      case KIND_PTR:
        return 8 * count;
      case KIND_INT:
      case KIND_STRUCT:
      case KIND_UNION:
      case KIND_ENUM:
      case KIND_ENUM64:
      case KIND_FLOAT:
        return this.#word(element, 8) * count;
      default:
        return 0;
    }
  }

  /** Of an INT. */
  encoding(type: number): IntEncoding {
    const word = this.#word(type, TYPE_BYTES);
    const flags = word >>> 24;
    return {
      signed: (flags & 1) !== 0,
      char: (flags & 2) !== 0,
      bool: (flags & 4) !== 0,
      bits: word & 0xff,
    };
  }

  /** Of an ARRAY. */
  arrayElement(type: number): number {
    return this.#word(type, TYPE_BYTES);
  }

  /** Of an ARRAY: how many elements. */
  arrayLength(type: number): number {
    return this.#word(type, TYPE_BYTES + 8);
  }

  /** The members of a STRUCT or UNION, in order. */
  members(type: number): Member[] {
    const info = this.#info(type);
    const hasBitFields = info >>> 31 === 1;
    return Array.from({ length: info & 0xffff }, (_, i) => {
      const at = TYPE_BYTES + 12 * i;
      const offset = this.#word(type, at + 8);
      return {
        name: this.#string(this.#word(type, at)),
        type: this.#word(type, at + 4),
        bitOffset: hasBitFields ? offset & 0xff_ffff : offset,
        bitSize: hasBitFields ? offset >>> 24 : 0,
      };
    });
  }

  /** What an ENUM or ENUM64 calls a value; undefined when it has no name for it. */
  enumerator(type: number, value: bigint): string | undefined {
    const wide = this.kind(type) === KIND_ENUM64;
    const count = this.#info(type) & 0xffff;
    for (let i = 0; i < count; i++) {
      const at = TYPE_BYTES + (wide ? 12 : 8) * i;
      const low = BigInt(this.#word(type, at + 4));
      const found = wide ? BigInt(this.#word(type, at + 8)) << 32n | low : low;
      const bits = wide ? 64 : 32;
      if (found === BigInt.asUintN(bits, value)) return this.#string(this.#word(type, at));
    }
    return undefined;
  }

  /** Whether an ENUM or ENUM64 has signed values. */
  enumIsSigned(type: number): boolean {
    return this.#info(type) >>> 31 === 1;
  }

  /**
   * The type of a C name: `struct task_struct`, `union x`, `enum y`, or a typedef's, integer's or variable's bare
   * name; with `*` after it, undefined, since pointers have no names.
   */
  find(name: string): number | undefined {
    const known = this.#found.get(name);
    if (known !== undefined) return known;
    const match = /^(?:(struct|union|enum) )?([\w ]+)$/.exec(name.trim());
    if (!match) return undefined;
    const [, keyword, bare] = match;
    const kinds = keyword === "struct"
      ? [KIND_STRUCT]
      : keyword === "union"
      ? [KIND_UNION]
      : keyword === "enum"
      ? [KIND_ENUM, KIND_ENUM64]
      : [KIND_TYPEDEF, KIND_INT, KIND_VAR];
    const type = this.#search(bare, kinds);
    if (type !== undefined) this.#found.set(name, type);
    return type;
  }

  /** The variable of a name, for those that the kernel's build describes (per-CPU ones mostly). */
  findVariable(name: string): number | undefined {
    return this.#search(name, [KIND_VAR]);
  }

  #search(name: string, kinds: readonly number[]): number | undefined {
    const wanted = new TextEncoder().encode(name);
    const strings = this.#strings;
    for (let type = 1; type < this.count; type++) {
      if (!kinds.includes(this.kind(type))) continue;
      const at = this.#word(type, 0);
      if (strings[at] !== wanted[0] || strings[at + wanted.length] !== 0) continue;
      let i = 1;
      while (i < wanted.length && strings[at + i] === wanted[i]) i++;
      if (i === wanted.length) return type;
    }
    return undefined;
  }

  #info(type: number): number {
    return this.#word(type, 4);
  }

  #word(type: number, offset: number): number {
    const start = this.#offsets[type];
    if (start === undefined || type === 0) {
      throw new KernelInsightError(`The kernel's BTF is corrupt: there is no type ${type}.`);
    }
    return this.#view.getUint32(start + offset, true);
  }

  #string(at: number): string {
    const strings = this.#strings;
    if (at >= strings.length) throw new KernelInsightError("The kernel's BTF is corrupt: a name is missing.");
    const end = strings.indexOf(0, at);
    const stop = Math.min(end < 0 ? strings.length : end, at + MAX_NAME);
    return new TextDecoder().decode(strings.subarray(at, stop));
  }
}

/** Whether the bytes begin like a BTF section. */
export function isBtf(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint16(0, true) === MAGIC && view.getUint8(2) === VERSION &&
    view.getUint32(4, true) >= HEADER_BYTES;
}

/** Bytes of the whole section, as its header says. */
export function btfBytes(header: Uint8Array): number {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const end = (at: number) => view.getUint32(at, true) + view.getUint32(at + 4, true);
  return view.getUint32(4, true) + Math.max(end(8), end(16));
}

/** Where each type begins; type 0 has no bytes. */
function indexTypes(view: DataView, start: number, end: number): Uint32Array {
  let offsets = new Uint32Array(1 << 16);
  let count = 1;
  for (let at = start; at < end;) {
    if (at + TYPE_BYTES > end) throw new KernelInsightError("The kernel's BTF is cut off or corrupt.");
    const info = view.getUint32(at + 4, true);
    const extra = EXTRA[info >>> 24 & 0x1f];
    if (!extra) {
      throw new KernelInsightError(
        `The kernel's BTF has a kind of type (${info >>> 24 & 0x1f}) unknown here.`,
      );
    }
    if (count === offsets.length) {
      const grown = new Uint32Array(2 * count);
      grown.set(offsets);
      offsets = grown;
    }
    offsets[count++] = at;
    at += TYPE_BYTES + extra[0] * (info & 0xffff) + extra[1];
    if (at > end) throw new KernelInsightError("The kernel's BTF is cut off or corrupt.");
  }
  return offsets.slice(0, count);
}
