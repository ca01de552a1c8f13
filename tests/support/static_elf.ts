/** The least ELF file that Linux, and QEMU in its place, executes: one segment (System V ABI, "Object Files"). */

const EM_RISCV = 243;
const HEADER_BYTES = 64, PROGRAM_HEADER_BYTES = 56;
/** Where the segment is in the file: a page in, for it must be congruent to its address. */
const SEGMENT_OFFSET = 4096;

/** An RV64 executable that is one readable, writable and executable segment, entered at its start. */
export function staticElf(address: number, segment: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SEGMENT_OFFSET + segment.length);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little-endian, version 1
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, EM_RISCV, true);
  view.setUint32(20, 1, true);
  u64(24, address); // entry
  u64(32, HEADER_BYTES); // program headers
  view.setUint32(48, 5, true); // flags: compressed instructions, double-float ABI
  view.setUint16(52, HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, 1, true);
  view.setUint32(HEADER_BYTES, 1, true); // PT_LOAD
  view.setUint32(HEADER_BYTES + 4, 7, true); // rwx
  u64(HEADER_BYTES + 8, SEGMENT_OFFSET);
  for (const at of [16, 24]) u64(HEADER_BYTES + at, address);
  for (const at of [32, 40]) u64(HEADER_BYTES + at, segment.length);
  u64(HEADER_BYTES + 48, 4096);
  bytes.set(segment, SEGMENT_OFFSET);
  return bytes;
}
