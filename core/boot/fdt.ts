/**
 * Flattened device trees: nodes with properties → the bytes a kernel reads.
 *
 * Format: Devicetree Specification 0.4, chapter 5 (DTB version 17). All numbers are big-endian.
 *
 * @example
 * ```ts
 * const root = new FdtNode("");
 * root.set("#address-cells", 2);
 * root.child("chosen").set("bootargs", "console=ttyS0");
 * const dtb = writeFdt(root);
 * ```
 */

const FDT_MAGIC = 0xd00dfeed;
const FDT_VERSION = 17;
const FDT_LAST_COMPATIBLE_VERSION = 16;
const FDT_BEGIN_NODE = 1;
const FDT_END_NODE = 2;
const FDT_PROP = 3;
const FDT_END = 9;
const HEADER_BYTES = 40;
/** One all-zero entry ends the memory reservation block (section 5.3). */
const RESERVATIONS_BYTES = 16;

/**
 * A property's value: a 32-bit cell or several, a string or several, raw bytes, or `true` for a property
 * whose presence is all.
 */
export type FdtValue = number | readonly number[] | string | readonly string[] | Uint8Array | true;

/** A node under construction. */
export class FdtNode {
  /** Encoded values by name. */
  readonly properties: Map<string, Uint8Array> = new Map();
  /** In the order they were added. */
  readonly children: FdtNode[] = [];

  /** @param name With its unit address, if any: "serial@10000000". The root's is empty. */
  constructor(readonly name: string) {}

  /** Sets a property. Returns the node. */
  set(name: string, value: FdtValue): this {
    this.properties.set(name, encode(value));
    return this;
  }

  /** Adds a child node and returns it. */
  child(name: string): FdtNode {
    const node = new FdtNode(name);
    this.children.push(node);
    return node;
  }
}

/** A 64-bit number as two cells, high one first. */
export function cells64(value: number): [high: number, low: number] {
  return [Math.floor(value / 2 ** 32), value % 2 ** 32];
}

/** Writes the tree under `root` (whose name is empty) as a DTB. */
export function writeFdt(root: FdtNode): Uint8Array {
  const strings = new StringBlock();
  const structure = new Bytes();
  writeNode(structure, strings, root);
  structure.u32(FDT_END);

  const structureAt = HEADER_BYTES + RESERVATIONS_BYTES;
  const stringsAt = structureAt + structure.length;
  const out = new Bytes();
  out.u32(FDT_MAGIC);
  out.u32(stringsAt + strings.bytes.length);
  out.u32(structureAt);
  out.u32(stringsAt);
  out.u32(HEADER_BYTES);
  out.u32(FDT_VERSION);
  out.u32(FDT_LAST_COMPATIBLE_VERSION);
  out.u32(0); // boot_cpuid_phys
  out.u32(strings.bytes.length);
  out.u32(structure.length);
  out.append(new Uint8Array(RESERVATIONS_BYTES));
  out.append(structure.toArray());
  out.append(strings.bytes.toArray());
  return out.toArray();
}

function writeNode(out: Bytes, strings: StringBlock, node: FdtNode): void {
  out.u32(FDT_BEGIN_NODE);
  out.append(encode(node.name));
  out.align4();
  for (const [name, value] of node.properties) {
    out.u32(FDT_PROP);
    out.u32(value.length);
    out.u32(strings.offset(name));
    out.append(value);
    out.align4();
  }
  for (const child of node.children) writeNode(out, strings, child);
  out.u32(FDT_END_NODE);
}

function encode(value: FdtValue): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  const out = encoded;
  out.length = 0;
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item === "number") out.u32(item);
    else out.append(encoder.encode(`${item}\0`));
  }
  return out.toArray();
}

/** Property names, each stored once. */
class StringBlock {
  readonly bytes = new Bytes();
  readonly #offsets = new Map<string, number>();

  offset(name: string): number {
    let offset = this.#offsets.get(name);
    if (offset === undefined) {
      offset = this.bytes.length;
      this.#offsets.set(name, offset);
      this.bytes.append(encode(name));
    }
    return offset;
  }
}

/** A growing run of bytes. */
class Bytes {
  #array = new Uint8Array(1024);
  length = 0;

  append(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    this.#array.set(bytes, this.length);
    this.length += bytes.length;
  }

  u32(value: number): void {
    for (let shift = 24; shift >= 0; shift -= 8) this.#u8(value >>> shift);
  }

  align4(): void {
    while ((this.length & 3) !== 0) this.#u8(0);
  }

  toArray(): Uint8Array {
    return this.#array.slice(0, this.length);
  }

  #u8(value: number): void {
    this.#makeRoom(1);
    this.#array[this.length++] = value;
  }

  #makeRoom(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.#array.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#array.length));
    larger.set(this.#array);
    this.#array = larger;
  }
}

const encoder = new TextEncoder();
/** The value that is being encoded: a tree has hundreds. */
const encoded = new Bytes();
