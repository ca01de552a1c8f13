/**
 * Whether zstd data is whole. The platform's decoder gives what it has of a truncated stream without a word,
 * so the frames are walked first: headers only, no decoding.
 *
 * Format: RFC 8878, sections 3.1.1 (frames), 3.1.1.2 (blocks) and 3.1.2 (skippable frames).
 */

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50; // to …5f
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CHECKSUM_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const BLOCK_RLE = 1;

/** Whether every frame is there to its last byte. What follows the last frame does not matter. */
export function isWholeZstd(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 8 <= bytes.length) {
    const magic = view.getUint32(at, true);
    if (magic === FRAME_MAGIC) at = frameEnd(bytes, at);
    else if ((magic & ~15) === SKIPPABLE_MAGIC) at += 8 + view.getUint32(at + 4, true);
    else break;
  }
  return at > 0 && at <= bytes.length;
}

/** The offset after the frame at `at`; past the end of `bytes` when the frame is not whole. */
function frameEnd(bytes: Uint8Array, at: number): number {
  const descriptor = bytes[at + 4];
  const contentSizeFlag = descriptor >> 6;
  const singleSegment = descriptor >> 5 & 1;
  const contentSizeBytes = contentSizeFlag === 0 ? singleSegment : 1 << contentSizeFlag;
  let end = at + 5 + (1 - singleSegment) + DICTIONARY_ID_BYTES[descriptor & 3] + contentSizeBytes;
  for (let last = 0; last === 0;) {
    if (end + BLOCK_HEADER_BYTES > bytes.length) return Infinity;
    const header = bytes[end] | bytes[end + 1] << 8 | bytes[end + 2] << 16;
    last = header & 1;
    end += BLOCK_HEADER_BYTES + ((header >> 1 & 3) === BLOCK_RLE ? 1 : header >> 3);
  }
  return end + (descriptor & 4 ? CHECKSUM_BYTES : 0);
}
