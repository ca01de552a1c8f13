/**
 * Whether an lz4 file has all its blocks, which the library that unpacks it does not ask.
 *
 * Format: "LZ4 Frame Format Description", version 1.6.
 */

const MAGIC_BYTES = 4;
const FLG_DICTIONARY = 1 << 0;
const FLG_CONTENT_CHECKSUM = 1 << 2;
const FLG_CONTENT_SIZE = 1 << 3;
const FLG_BLOCK_CHECKSUM = 1 << 4;
/** A block's size, without the bit that says it is not compressed. */
const BLOCK_SIZE = 0x7fffffff;

/** Whether the frame that `bytes` begin with ends in them. */
export function isWholeLz4(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = bytes[MAGIC_BYTES];
  let at = MAGIC_BYTES + 3 + (flags & FLG_CONTENT_SIZE ? 8 : 0) + (flags & FLG_DICTIONARY ? 4 : 0);
  while (at + 4 <= bytes.length) {
    const size = view.getUint32(at, true) & BLOCK_SIZE;
    at += 4;
    if (size === 0) return at + (flags & FLG_CONTENT_CHECKSUM ? 4 : 0) <= bytes.length;
    at += size + (flags & FLG_BLOCK_CHECKSUM ? 4 : 0);
  }
  return false;
}
