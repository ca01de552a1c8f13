/**
 * Structures of the kernel as plain values, by the generated layouts: `kvm_regs` is `{ rax: 0n, … }`. Fields
 * of up to four bytes are numbers, those of eight bigints, byte arrays are `Uint8Array`s; a dotted name
 * (`nmi.masked`) is an object in the object.
 */
import { STRUCTS } from "./table.ts";

/** A structure's name. */
export type StructName = keyof typeof STRUCTS;

/** A field of a structure, or a structure. */
export type PlainValue = number | bigint | Uint8Array<ArrayBuffer> | PlainStruct | readonly PlainValue[];

/** A structure as a plain value. */
export interface PlainStruct {
  readonly [field: string]: PlainValue;
}

type Field = readonly [offset: number, bytes: number, count?: number, struct?: StructName];

/** A field with the words of its name. */
type NamedField = readonly [words: readonly string[], field: Field];

const found = new Map<StructName, readonly NamedField[]>();

/** The fields of a structure, found out once. */
function fieldsOf(name: StructName): readonly NamedField[] {
  let fields = found.get(name);
  if (!fields) {
    const entries = Object.entries(STRUCTS[name].fields) as [string, Field][];
    fields = entries.map(([path, field]): NamedField => [path.split("."), field]);
    found.set(name, fields);
  }
  return fields;
}

/** Reads a structure. */
export function decodeStruct(name: StructName, view: DataView, at = 0): PlainStruct {
  const result: Record<string, PlainValue> = {};
  for (const [words, field] of fieldsOf(name)) {
    const last = words.length - 1;
    let target = result;
    for (let i = 0; i < last; i++) target = (target[words[i]] ??= {}) as Record<string, PlainValue>;
    target[words[last]] = decodeField(field, view, at);
  }
  return result;
}

function decodeField([offset, bytes, count, struct]: Field, view: DataView, at: number): PlainValue {
  const from = at + offset;
  const one = (i: number): PlainValue =>
    struct ? decodeStruct(struct, view, from + i * bytes) : readNumber(view, from + i * bytes, bytes);
  if (count === undefined) return one(0);
  if (struct && count === 1) return one(0);
  if (bytes === 1) return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset + from, count).slice();
  return Array.from({ length: count }, (_, i) => one(i));
}

/**
 * Writes a structure. Fields that the value lacks are left as they are.
 *
 * @throws {TypeError} when a field is of another type or size than the structure's.
 */
export function encodeStruct(name: StructName, value: PlainStruct, view: DataView, at = 0): void {
  for (const [words, field] of fieldsOf(name)) {
    let part: PlainValue | undefined = value;
    for (const word of words) part = (part as PlainStruct | undefined)?.[word];
    if (part !== undefined) encodeField({ name, words }, field, part, view, at);
  }
}

/** Which field of which structure, for errors. */
interface FieldPath {
  readonly name: StructName;
  readonly words: readonly string[];
}

function pathText({ name, words }: FieldPath): string {
  return [name, ...words].join(".");
}

function encodeField(
  path: FieldPath,
  field: Field,
  value: PlainValue,
  view: DataView,
  at: number,
): void {
  const [offset, bytes, count, struct] = field;
  const from = at + offset;
  const one = (item: PlainValue, i: number) => {
    if (struct) encodeStruct(struct, plainStruct(path, item), view, from + i * bytes);
    else writeNumber(path, view, from + i * bytes, bytes, item);
  };
  if (count === undefined || (struct && count === 1)) return one(value, 0);
  if (bytes === 1) {
    if (!(value instanceof Uint8Array) || value.length !== count) {
      throw new TypeError(`${pathText(path)} is ${count} bytes`);
    }
    new Uint8Array(view.buffer, view.byteOffset + from, count).set(value);
    return;
  }
  if (!Array.isArray(value) || value.length !== count) {
    throw new TypeError(`${pathText(path)} has ${count} elements`);
  }
  value.forEach(one);
}

function plainStruct(path: FieldPath, value: PlainValue): PlainStruct {
  if (typeof value !== "object" || value === null) throw new TypeError(`${pathText(path)} is an object`);
  return value as PlainStruct;
}

function readNumber(view: DataView, at: number, bytes: number): number | bigint {
  switch (bytes) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true);
    case 4:
      return view.getUint32(at, true);
    default:
      return view.getBigUint64(at, true);
  }
}

function writeNumber(
  path: FieldPath,
  view: DataView,
  at: number,
  bytes: number,
  value: PlainValue,
): void {
  if (bytes === 8) {
    if (typeof value !== "bigint") throw new TypeError(`${pathText(path)} is a bigint`);
    return view.setBigUint64(at, value, true);
  }
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= 2 ** (8 * bytes)) {
    throw new TypeError(`${pathText(path)} is a number of ${bytes} bytes`);
  }
  if (bytes === 1) view.setUint8(at, value);
  else if (bytes === 2) view.setUint16(at, value, true);
  else view.setUint32(at, value, true);
}
