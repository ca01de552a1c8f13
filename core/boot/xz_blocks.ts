/**
 * xz files whose data went through the filter for x86 code before it was compressed: Linux packs x86 kernels so
 * (`scripts/xz_wrap.sh`), and the library that unpacks xz knows no filters. The file is written anew without the
 * filter and its checks, the library unpacks that, and the filter is undone here.
 *
 * Format: "The .xz File Format" 1.1.0, sections 2 (streams), 3 (blocks) and 4 (index); LZMA2 chunks as section
 * 5.3.1 and liblzma's `lzma2_decoder.c` have them.
 */
import { crc32 } from "./crc32.ts";

const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const FOOTER_MAGIC = [0x59, 0x5a];
const STREAM_HEADER_BYTES = 12;
const FILTER_X86 = 0x04;
const FILTER_LZMA2 = 0x21;
const CHECK_NONE = 0;
const CHECK_CRC32 = 1;
/** Bytes of a check by its type, three types to a size after none. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

/** One block of a filtered file. */
export interface XzBlock {
  /** Bytes that it unpacks to. */
  readonly unpackedBytes: number;
  /** The CRC-32 of those; undefined where the file has another check or none. */
  readonly crc32: number | undefined;
}

/** A file with the x86 filter, ready for a library without. */
export interface FilteredXz {
  /** The file without filter and checks. */
  readonly plain: Uint8Array<ArrayBuffer>;
  /** Its blocks, in order. Each was filtered by itself. */
  readonly blocks: readonly XzBlock[];
}

/**
 * Takes a file apart whose blocks all have the x86 filter. Undefined where the first has not, or there is none: that
 * is for the library alone.
 *
 * @throws {RangeError} when the file ends too early or contradicts itself.
 */
export function filteredXz(bytes: Uint8Array): FilteredXz | undefined {
  if (bytes.length < STREAM_HEADER_BYTES) return undefined;
  const check = bytes[7] & 15;
  const blocks: XzBlock[] = [];
  const packed: { properties: number; data: Uint8Array }[] = [];
  const reader = new Reader(bytes, STREAM_HEADER_BYTES);
  while (reader.peek() !== 0) {
    const start = reader.at;
    const { isFiltered, properties, end } = blockHeader(reader);
    if (!isFiltered && blocks.length === 0) return undefined;
    if (!isFiltered) throw new RangeError("some blocks have the x86 filter, and some have not");
    reader.at = end;
    const unpackedBytes = skipChunks(reader);
    packed.push({ properties, data: bytes.subarray(end, reader.at) });
    reader.at += padding(reader.at - start);
    const at = reader.take(CHECK_BYTES[check]);
    blocks.push({
      unpackedBytes,
      crc32: check === CHECK_CRC32 ? reader.view.getUint32(at, true) : undefined,
    });
  }
  return blocks.length === 0 ? undefined : { plain: plainFile(packed, blocks), blocks };
}

/** Reads forward, and never past the end. */
class Reader {
  readonly view: DataView;

  constructor(private readonly bytes: Uint8Array, public at: number) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  peek(): number {
    if (this.at >= this.bytes.length) throw new RangeError("unexpected end of data");
    return this.bytes[this.at];
  }

  byte(): number {
    return this.bytes[this.take(1)];
  }

  /** Skips so many bytes; where they begin. */
  take(count: number): number {
    const start = this.at;
    if (start + count > this.bytes.length) throw new RangeError("unexpected end of data");
    this.at += count;
    return start;
  }

  /** An integer of seven bits to a byte (section 1.2). */
  integer(): number {
    let value = 0, scale = 1;
    for (let byte = 0x80; byte & 0x80; scale *= 128) {
      byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new RangeError("a number is too large");
    }
    return value;
  }
}

/** Section 3.1: the filters. `properties` is LZMA2's byte. */
function blockHeader(reader: Reader): { isFiltered: boolean; properties: number; end: number } {
  const end = reader.at + (reader.byte() + 1) * 4;
  const flags = reader.byte();
  if (flags & 0x40) reader.integer();
  if (flags & 0x80) reader.integer();
  const filters: { id: number; size: number; at: number }[] = [];
  for (let i = 0; i <= (flags & 3); i++) {
    const id = reader.integer(), size = reader.integer();
    filters.push({ id, size, at: reader.take(size) });
  }
  const [first, second] = filters;
  const isFiltered = filters.length === 2 && first.id === FILTER_X86 && first.size === 0 &&
    second.id === FILTER_LZMA2 && second.size === 1;
  return { isFiltered, properties: isFiltered ? reader.view.getUint8(second.at) : 0, end };
}

/** Skips a block's LZMA2 chunks; the bytes they unpack to. */
function skipChunks(reader: Reader): number {
  let unpackedBytes = 0;
  for (;;) {
    const control = reader.byte();
    if (control === 0) return unpackedBytes;
    const isPacked = control >= 0x80;
    if (!isPacked && control > 2) throw new RangeError("there is no such chunk");
    const size = reader.view.getUint16(reader.take(2)) + 1;
    unpackedBytes += isPacked ? (control & 0x1f) * 0x10000 + size : size;
    if (!isPacked) reader.take(size);
    else {
      const packedBytes = reader.view.getUint16(reader.take(2)) + 1;
      const hasProperties = control >= 0xc0;
      reader.take(packedBytes + (hasProperties ? 1 : 0));
    }
  }
}

/** Zeros after so many bytes, up to a multiple of four. */
function padding(bytes: number): number {
  return -bytes & 3;
}

/** A file of the same blocks with LZMA2 alone and without checks. */
function plainFile(
  packed: readonly { properties: number; data: Uint8Array }[],
  blocks: readonly XzBlock[],
): Uint8Array<ArrayBuffer> {
  const flags = [0, CHECK_NONE];
  const parts: (readonly number[] | Uint8Array)[] = [HEADER_MAGIC, flags, checksum(flags)];
  const index: number[] = [0, ...integer(blocks.length)];
  packed.forEach(({ properties, data }, i) => {
    // 12 bytes, one filter, no sizes.
    const header = [2, 0, FILTER_LZMA2, 1, properties, 0, 0, 0];
    const bytes = header.length + 4 + data.length;
    parts.push(header, checksum(header), data, new Uint8Array(padding(bytes)));
    index.push(...integer(bytes), ...integer(blocks[i].unpackedBytes));
  });
  index.push(...new Uint8Array(padding(index.length)));
  const indexBytes = index.length + 4;
  const footer = [...word(indexBytes / 4 - 1), ...flags];
  parts.push(index, checksum(index), checksum(footer), footer, FOOTER_MAGIC);
  const file = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

function integer(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 | 0x80);
  return [...bytes, value];
}

function word(value: number): number[] {
  return [value & 255, value >>> 8 & 255, value >>> 16 & 255, value >>> 24];
}

function checksum(bytes: readonly number[]): number[] {
  return word(crc32(Uint8Array.from(bytes)));
}
