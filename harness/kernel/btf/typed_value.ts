/**
 * A value in guest memory whose type is known: members, elements and what pointers point at, found as the C
 * expression would find them. Memory is read when a value is asked for, so what is never looked at need not be
 * mapped.
 */
import { InputError } from "../../errors.ts";
import { didYouMean } from "../../suggest.ts";
import { KernelInsightError } from "../kernel_insight_error.ts";
import {
  type Btf,
  KIND_ARRAY,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
  type Member,
} from "./btf.ts";
import { typeName } from "./type_name.ts";

/** Guest memory by virtual address, as the kernel sees it. */
export interface VirtualMemory {
  /** @throws {KernelInsightError} where nothing is mapped. */
  read(address: bigint, length: number): Uint8Array;
}

/**
 * A C value: integers of up to 32 bits are numbers, wider ones and pointers bigints; enums their names (or numbers);
 * `char` arrays text up to their NUL; structs objects by member, of which deeper ones than asked for are left out.
 */
export type GuestValue =
  | number
  | bigint
  | boolean
  | string
  | readonly GuestValue[]
  | { readonly [member: string]: GuestValue };

/** Levels of structs in a value. */
const DEFAULT_DEPTH = 3;
/** Elements of an array in a value; the rest is left out. */
const MAX_ELEMENTS = 1024;
/** Bytes of a string that a pointer points at. */
const MAX_TEXT = 4096;
/** Entries of a list that are walked: the guest may have tied it into a ring. */
const MAX_LIST = 100_000;

/** A member found in a struct, perhaps inside of anonymous ones. */
interface FoundMember {
  readonly member: Member;
  readonly bitOffset: number;
}

/** A value in guest memory, of a type. */
export class TypedValue {
  readonly #btf: Btf;
  readonly #memory: VirtualMemory;
  readonly #type: number;
  readonly #bits: { readonly offset: number; readonly size: number } | undefined;

  /** Made by `vm.kernel`. */
  constructor(
    btf: Btf,
    memory: VirtualMemory,
    /** Virtual address of its first byte. */
    readonly address: bigint,
    type: number,
    bits?: { offset: number; size: number },
  ) {
    this.#btf = btf;
    this.#memory = memory;
    this.#type = type;
    this.#bits = bits;
  }

  /** Its type as C writes it: `struct task_struct *`. */
  get typeName(): string {
    return typeName(this.#btf, this.#type);
  }

  /** Bytes it takes in memory. */
  get size(): number {
    return this.#btf.size(this.#type);
  }

  /** The names of its members, those of anonymous structs and unions included; empty for other types. */
  get members(): string[] {
    if (!this.#isStruct()) return [];
    return Array.from(
      membersWithin(this.#btf, this.#btf.resolve(this.#type)),
      ({ member }) => member.name,
    );
  }

  /**
   * A member; of a pointer, the member of what it points at.
   *
   * @throws {InputError} when there is none of that name.
   */
  get(name: string): TypedValue {
    const struct = this.#kind() === KIND_PTR ? this.deref() : this;
    if (!struct.#isStruct()) throw new InputError(`${this.typeName} has no members, so no "${name}".`);
    const found = findMember(this.#btf, this.#btf.resolve(struct.#type), name);
    if (!found) {
      throw new InputError(`${struct.typeName} has no member "${name}".${didYouMean(name, struct.members)}`);
    }
    const { member, bitOffset } = found;
    const address = struct.address + BigInt(bitOffset >>> 3);
    const bits = member.bitSize > 0 ? { offset: bitOffset & 7, size: member.bitSize } : undefined;
    return new TypedValue(this.#btf, this.#memory, address, member.type, bits);
  }

  /** Whether it is a struct or union (or points at one) that has such a member. */
  has(name: string): boolean {
    const btf = this.#btf;
    const direct = btf.resolve(this.#type);
    const type = btf.kind(direct) === KIND_PTR ? btf.resolve(btf.target(direct)) : direct;
    const kind = btf.kind(type);
    return (kind === KIND_STRUCT || kind === KIND_UNION) &&
      findMember(btf, type, name) !== undefined;
  }

  /** An element of an array, or of the array that a pointer points into. @throws {InputError} outside of the array. */
  index(i: number): TypedValue {
    const btf = this.#btf;
    const type = btf.resolve(this.#type);
    if (!Number.isInteger(i)) throw new InputError(`${i} is no index.`);
    if (btf.kind(type) === KIND_PTR) {
      const element = btf.target(type);
      return this.#at(this.pointer() + BigInt(i * btf.size(element)), element);
    }
    if (btf.kind(type) !== KIND_ARRAY) throw new InputError(`${this.typeName} has no elements.`);
    const length = btf.arrayLength(type);
    // An array of no length ends a struct: it goes on as far as the kernel knows.
    if (i < 0 || (length > 0 && i >= length)) throw new InputError(`${this.typeName} has no element ${i}.`);
    const element = btf.arrayElement(type);
    return this.#at(this.address + BigInt(i * btf.size(element)), element);
  }

  /** What a pointer points at. @throws {KernelInsightError} for a null pointer. @throws {InputError} for no pointer. */
  deref(): TypedValue {
    const pointer = this.pointer();
    if (pointer === 0n) throw new KernelInsightError(`A ${this.typeName} is null where it was followed.`);
    return this.#at(pointer, this.#btf.target(this.#btf.resolve(this.#type)));
  }

  /** A pointer's address. @throws {InputError} for what is no pointer. */
  pointer(): bigint {
    if (this.#kind() !== KIND_PTR) throw new InputError(`${this.typeName} is no pointer.`);
    return this.#unsigned(8);
  }

  /** The same place as a value of another type. */
  as(type: number): TypedValue {
    return this.#at(this.address, type);
  }

  /** The value; structs down to `depth` levels. */
  value(depth: number = DEFAULT_DEPTH): GuestValue {
    const btf = this.#btf;
    const type = btf.resolve(this.#type);
    switch (btf.kind(type)) {
      case KIND_INT:
        return this.#integer(type);
      case KIND_PTR:
        return this.pointer();
      case KIND_ENUM:
      case KIND_ENUM64:
        return this.#enumerator(type);
      case KIND_ARRAY:
        return this.#array(type, depth);
      case KIND_STRUCT:
      case KIND_UNION:
        return depth <= 0 ? {} : this.#struct(depth);
      case KIND_FLOAT: {
        const bytes = this.bytes();
        const view = new DataView(bytes.buffer);
        return this.size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
      }
      default:
        throw new InputError(`A ${this.typeName} has no value to read.`);
    }
  }

  /** An integer, pointer or enum as a number. @throws {InputError} for others. */
  number(): number {
    const btf = this.#btf;
    const type = btf.resolve(this.#type);
    const kind = btf.kind(type);
    if (kind === KIND_PTR) return Number(this.pointer());
    if (kind === KIND_ENUM || kind === KIND_ENUM64) {
      const raw = this.#unsigned(this.size);
      return Number(btf.enumIsSigned(type) ? BigInt.asIntN(8 * this.size, raw) : raw);
    }
    if (kind === KIND_INT) return Number(this.#integer(type));
    throw new InputError(`${this.typeName} is no number.`);
  }

  /** Text: a `char` array up to its NUL, or what a `char *` points at (up to 4 KiB). */
  text(): string {
    if (this.#kind() === KIND_PTR) return readText(this.#memory, this.pointer(), MAX_TEXT);
    return untilNul(this.bytes());
  }

  /** Its bytes in memory. */
  bytes(): Uint8Array {
    return this.#memory.read(this.address, this.size);
  }

  /**
   * The structs of a list that this `struct list_head` is the head of.
   *
   * @param type The structs' type number.
   * @param member The `struct list_head` in them by which they are linked.
   */
  *list(type: number, member: string): Generator<TypedValue> {
    const link = this.#at(0n, type).get(member).address;
    let at = this.get("next").pointer();
    for (let i = 0; at !== this.address && at !== 0n && i < MAX_LIST; i++) {
      const entry = this.#at(BigInt.asUintN(64, at - link), type);
      yield entry;
      at = this.#at(at, this.#type).get("next").pointer();
    }
  }

  #at(address: bigint, type: number): TypedValue {
    return new TypedValue(this.#btf, this.#memory, BigInt.asUintN(64, address), type);
  }

  #kind(): number {
    return this.#btf.kind(this.#btf.resolve(this.#type));
  }

  #isStruct(): boolean {
    const kind = this.#kind();
    return kind === KIND_STRUCT || kind === KIND_UNION;
  }

  #unsigned(size: number): bigint {
    const bytes = this.#memory.read(this.address, size);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[i]);
    return value;
  }

  #integer(type: number): number | bigint | boolean {
    const { signed, bool } = this.#btf.encoding(type);
    const size = this.#btf.size(type);
    let bits = 8 * size;
    let raw: bigint;
    if (this.#bits) {
      bits = this.#bits.size;
      raw = this.#unsigned(Math.ceil((this.#bits.offset + bits) / 8)) >> BigInt(this.#bits.offset);
      raw = BigInt.asUintN(bits, raw);
    } else raw = this.#unsigned(size);
    if (bool) return raw !== 0n;
    const value = signed ? BigInt.asIntN(bits, raw) : raw;
    return bits <= 32 ? Number(value) : value;
  }

  #enumerator(type: number): string | number {
    const bits = this.#bits;
    const size = this.#btf.size(type);
    const raw = bits
      ? BigInt.asUintN(
        bits.size,
        this.#unsigned(Math.ceil((bits.offset + bits.size) / 8)) >> BigInt(bits.offset),
      )
      : this.#unsigned(size);
    return this.#btf.enumerator(type, raw) ?? Number(raw);
  }

  #array(type: number, depth: number): GuestValue {
    const btf = this.#btf;
    const element = btf.resolve(btf.arrayElement(type));
    const isText = btf.kind(element) === KIND_INT && btf.size(element) === 1 && btf.name(element) === "char";
    if (isText) return untilNul(this.bytes());
    const length = Math.min(btf.arrayLength(type), MAX_ELEMENTS);
    return Array.from({ length }, (_, i) => this.index(i).value(depth - 1));
  }

  #struct(depth: number): GuestValue {
    const result: Record<string, GuestValue> = {};
    for (const name of this.members) {
      const member = this.get(name);
      if (depth === 1 && member.#isStruct()) continue;
      result[name] = member.size === 0 ? [] : member.value(depth - 1);
    }
    return result;
  }
}

/** NUL-terminated text at an address, read page by page so that its end need not be far from an unmapped page. */
export function readText(memory: VirtualMemory, address: bigint, maxBytes: number): string {
  const PAGE = 4096n;
  const bytes: number[] = [];
  for (let at = address; bytes.length < maxBytes;) {
    const room = Number(PAGE - at % PAGE);
    const piece = memory.read(at, Math.min(room, maxBytes - bytes.length));
    const end = piece.indexOf(0);
    bytes.push(...(end < 0 ? piece : piece.subarray(0, end)));
    if (end >= 0) break;
    at += BigInt(piece.length);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A struct's members and those of anonymous structs and unions in it, each of which is looked into once. */
function* membersWithin(btf: Btf, struct: number): Generator<FoundMember> {
  const queue = [{ struct, bitOffset: 0 }];
  const seen = new Set<number>([struct]);
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (const member of btf.members(at.struct)) {
      const bitOffset = at.bitOffset + member.bitOffset;
      if (member.name !== "") {
        yield { member, bitOffset };
        continue;
      }
      const inner = btf.resolve(member.type);
      const kind = btf.kind(inner);
      if ((kind !== KIND_STRUCT && kind !== KIND_UNION) || seen.has(inner)) continue;
      seen.add(inner);
      queue.push({ struct: inner, bitOffset });
    }
  }
}

function findMember(btf: Btf, struct: number, name: string): FoundMember | undefined {
  for (const found of membersWithin(btf, struct)) if (found.member.name === name) return found;
  return undefined;
}
