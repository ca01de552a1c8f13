/**
 * Unpacks compressed kernels: gzip, zstd, xz, bzip2, lz4, lzma, and EFI "zboot" images, which are a PE stub
 * around one of them.
 * Output is bounded as it is produced, so that a small file that unpacks to more than the guest's RAM costs
 * no more than that RAM.
 *
 * Formats: RFC 1952; RFC 8878; The .xz File Format 1.1.0; Linux `drivers/firmware/efi/libstub/zboot-header.S`.
 */
import { hasMagic } from "./architecture.ts";
import { crc32 } from "./crc32.ts";
import { formatBytes, ImageError } from "./image_error.ts";
import { isWholeLz4 } from "./lz4_frames.ts";
import { isWholeZstd } from "./zstd_frames.ts";

/** Produces unpacked bytes, in order; may stop after more than `maxBytes`. `expectedBytes` may be wrong. */
type Unpacker = (
  bytes: Uint8Array<ArrayBuffer>,
  emit: (chunk: Uint8Array) => void,
  maxBytes: number,
  expectedBytes: number,
) => Promise<void>;

/** The lz4 format of old, which Linux uses: a magic number, then blocks of up to 8 MiB, each with its size. */
const LEGACY_LZ4 = "\x02\x21\x4c\x18";
const LEGACY_LZ4_BLOCK = 8 << 20;

/** Formats by magic number; those without an unpacker are recognised only to be named. */
const FORMATS: readonly {
  readonly name: string;
  readonly magic: string;
  readonly unpacker?: () => Promise<Unpacker>;
}[] = [
  { name: "gzip", magic: "\x1f\x8b", unpacker: gzip },
  { name: "zstd", magic: "\x28\xb5\x2f\xfd", unpacker: zstd },
  { name: "xz", magic: "\xfd7zXZ\0", unpacker: xz },
  { name: "bzip2", magic: "BZh", unpacker: bzip2 },
  { name: "lz4", magic: "\x04\x22\x4d\x18", unpacker: lz4 },
  { name: "lz4", magic: LEGACY_LZ4, unpacker: legacyLz4 },
  { name: "lzma", magic: "\x5d\0\0", unpacker: lzma },
  { name: "lzo", magic: "\x89LZO\0" },
];

/** Layers of compression undone before giving up: a zboot image is one, a compressed zboot image two. */
const MAX_LAYERS = 3;

// EFI zboot header.
const ZBOOT_MAGIC_OFFSET = 4;
const ZBOOT_PAYLOAD_OFFSET = 8;
const ZBOOT_PAYLOAD_SIZE = 12;
const ZBOOT_HEADER_BYTES = 64;

/**
 * Undoes every layer of compression around an image; gives back the same bytes when there is none.
 *
 * @param file The image's name, for errors.
 * @param maxBytes Most bytes the unpacked image may have: the guest's RAM.
 * @param expectedBytes What it says it will have, which saves copies where it is true.
 * @throws {ImageError} when the image is corrupt, truncated, too large, or packed by a method not known here.
 */
export async function unpackImage(
  bytes: Uint8Array,
  file: string,
  maxBytes: number,
  expectedBytes = 0,
): Promise<Uint8Array> {
  let image = bytes;
  for (let layer = 0; layer < MAX_LAYERS; layer++) {
    if (hasMagic(image, 0, "MZ") && hasMagic(image, ZBOOT_MAGIC_OFFSET, "zimg")) {
      image = zbootPayload(image, file);
    }
    const format = FORMATS.find(({ magic }) => hasMagic(image, 0, magic));
    if (!format) return image;
    if (!format.unpacker) {
      throw new ImageError(
        file,
        `is compressed with ${format.name}, which is not supported`,
        "unpack it first, or compress it with gzip, zstd or xz",
      );
    }
    const unpack = await format.unpacker();
    image = await collect(
      format.name,
      (owned, emit) => unpack(owned, emit, maxBytes, expectedBytes),
      image,
      file,
      maxBytes,
    );
  }
  throw new ImageError(
    file,
    `is compressed more than ${MAX_LAYERS} times`,
    "give a kernel that is compressed at most once",
  );
}

function zbootPayload(image: Uint8Array, file: string): Uint8Array {
  if (image.length >= ZBOOT_HEADER_BYTES) {
    const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
    const offset = view.getUint32(ZBOOT_PAYLOAD_OFFSET, true);
    const size = view.getUint32(ZBOOT_PAYLOAD_SIZE, true);
    const payload = image.subarray(offset, offset + size);
    if (payload.length === size && FORMATS.some(({ magic }) => hasMagic(payload, 0, magic))) return payload;
  }
  throw new ImageError(file, "is a truncated or corrupt EFI zboot image", "get it again");
}

async function collect(
  name: string,
  unpack: (bytes: Uint8Array<ArrayBuffer>, emit: (chunk: Uint8Array) => void) => Promise<void>,
  image: Uint8Array,
  file: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    // A copy only if the bytes are shared memory, which streams refuse.
    const owned = image.buffer instanceof ArrayBuffer ? image as Uint8Array<ArrayBuffer> : image.slice();
    await unpack(owned, (chunk) => {
      total += chunk.length;
      if (total > maxBytes) {
        throw new ImageError(
          file,
          `unpacks to more than the guest's ${formatBytes(maxBytes)} of RAM`,
          "give the guest more memory or use a smaller image",
        );
      }
      chunks.push(chunk);
    });
  } catch (cause) {
    if (cause instanceof ImageError) throw cause;
    throw new ImageError(
      file,
      `is truncated or corrupt: its ${name} data does not unpack`,
      `get it again, or check it with \`${name} -t\``,
      { cause },
    );
  }
  return joined(chunks, total);
}

function joined(chunks: readonly Uint8Array[], total: number): Uint8Array {
  if (chunks.length === 1) return chunks[0];
  const all = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function streamOf(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new Blob([bytes]).stream();
}

function gzip(): Promise<Unpacker> {
  return Promise.resolve(async (bytes, emit) => {
    for await (const chunk of streamOf(bytes).pipeThrough(new DecompressionStream("gzip"))) emit(chunk);
  });
}

/** Each piece is a turn of the event loop: with pieces of the platform's default size these take as long as unpacking. */
const ZSTD_PIECE = 4 << 20;

async function zstd(): Promise<Unpacker> {
  const { createZstdDecompress } = await import("node:zlib"); // refuses windows above 128 MiB
  return async (bytes, emit, maxBytes, expectedBytes) => {
    if (!isWholeZstd(bytes)) throw new RangeError("unexpected end of data");
    const chunkSize = Math.max(ZSTD_PIECE, Math.min(expectedBytes, maxBytes));
    const stream = createZstdDecompress({ chunkSize });
    stream.end(bytes);
    for await (const { buffer, byteOffset, length } of stream) {
      emit(new Uint8Array(buffer, byteOffset, length));
    }
  };
}

async function xz(): Promise<Unpacker> {
  const [{ default: library }, { filteredXz }, { undoX86Filter }] = await Promise.all([
    import("xz-decompress"),
    import("./xz_blocks.ts"),
    import("./x86_filter.ts"),
  ]);
  const unpack = async (bytes: Uint8Array<ArrayBuffer>, emit: (chunk: Uint8Array) => void) => {
    // The stream may hand out views of one buffer that it fills again, hence the copies.
    for await (const chunk of new library.XzReadableStream(streamOf(bytes))) emit(chunk.slice());
  };
  return async (bytes, emit, maxBytes) => {
    const filtered = filteredXz(bytes);
    if (!filtered) return await unpack(bytes, emit);
    const chunks: Uint8Array[] = [];
    let total = 0;
    await unpack(filtered.plain, (chunk) => {
      chunks.push(chunk);
      total += chunk.length;
      if (total > maxBytes) chunks.forEach(emit);
    });
    const all = joined(chunks, total);
    let at = 0;
    for (const { unpackedBytes, crc32: expected } of filtered.blocks) {
      const block = all.subarray(at, at += unpackedBytes);
      undoX86Filter(block);
      if (expected !== undefined && crc32(block) !== expected) throw new RangeError("a checksum is wrong");
      emit(block);
    }
  };
}

async function bzip2(): Promise<Unpacker> {
  const { default: library } = await import("seek-bzip");
  return (bytes, emit) => {
    let chunk = new Uint8Array(65536);
    let length = 0;
    const output = {
      writeByte(byte: number): void {
        chunk[length++] = byte;
        if (length < chunk.length) return;
        emit(chunk);
        chunk = new Uint8Array(chunk.length);
        length = 0;
      },
    };
    library.decode(bytes, output);
    emit(chunk.subarray(0, length));
    return Promise.resolve();
  };
}

async function lz4(): Promise<Unpacker> {
  const { default: library } = await import("lz4js");
  return (bytes, emit, maxBytes) => {
    if (!isWholeLz4(bytes)) throw new RangeError("unexpected end of data");
    emit(library.decompress(bytes, Math.min(library.decompressBound(bytes), maxBytes + 1)));
    return Promise.resolve();
  };
}

async function legacyLz4(): Promise<Unpacker> {
  const { default: library } = await import("lz4js");
  return (bytes, emit) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = LEGACY_LZ4.length; at < bytes.length;) {
      const size = view.getUint32(at, true);
      at += 4;
      if (size === 0 || at + size > bytes.length) throw new RangeError("unexpected end of data");
      const block = new Uint8Array(LEGACY_LZ4_BLOCK);
      const length = library.decompressBlock(bytes, block, at, size, 0);
      if (length > block.length) throw new RangeError("a block is larger than 8 MiB");
      emit(block.subarray(0, length));
      at += size;
    }
    return Promise.resolve();
  };
}

/** The `.lzma` header: five bytes of properties, then the unpacked size or all ones. */
const LZMA_SIZE = 5;

async function lzma(): Promise<Unpacker> {
  const { decompress } = await import("lzma1");
  return (bytes, emit, maxBytes) => {
    // A size makes the library stop; without one it goes on for ever where data are missing.
    const bounded = bytes.slice();
    const view = new DataView(bounded.buffer);
    const size = view.getBigUint64(LZMA_SIZE, true);
    const most = BigInt(maxBytes) + 1n;
    view.setBigUint64(LZMA_SIZE, size < most ? size : most, true);
    emit(decompress(bounded));
    return Promise.resolve();
  };
}
