/** Small x86 kernels of every format, for loader tests. */
import { buildElf, bytesOf, type TestSegment } from "../images.ts";

/** x86-64. */
export const EM_X86_64 = 62;
const PT_NOTE = 4;

/** A kernel that is linked at 16 MiB, like Linux, with whatever code. */
export function buildVmlinux(code: Uint8Array, more: readonly TestSegment[] = []): Uint8Array {
  const physAddr = 0x100_0000n;
  return buildElf({
    machine: EM_X86_64,
    entry: physAddr,
    segments: [
      { physAddr, virtAddr: 0xffff_ffff_8100_0000n, bytes: code, memoryBytes: BigInt(code.length + 4096) },
      ...more,
    ],
  });
}

/** A segment of notes: owner, type and contents of each. */
export function notes(
  ...list: readonly (readonly [owner: string, type: number, desc: Uint8Array])[]
): TestSegment {
  const bytes: number[] = [];
  const word = (value: number) => bytes.push(...new Uint8Array(Uint32Array.of(value).buffer));
  const padded = (data: Uint8Array) => {
    bytes.push(...data);
    while (bytes.length % 4 !== 0) bytes.push(0);
  };
  for (const [owner, type, desc] of list) {
    word(owner.length + 1);
    word(desc.length);
    word(type);
    padded(bytesOf(`${owner}\0`));
    padded(desc);
  }
  return { physAddr: 0n, bytes: Uint8Array.from(bytes), type: PT_NOTE };
}

/** What a `bzImage` shall say. */
export interface TestBzImage {
  /** What is compressed in it, as the kernel's build leaves it. */
  readonly payload: Uint8Array;
  /** @default 0x020f */
  readonly version?: number;
  /** @default 1, loaded high */
  readonly loadflags?: number;
  /** @default 1, with a 64-bit entry */
  readonly xloadflags?: number;
  /** @default 0x7fffffff */
  readonly initrdAddressMax?: number;
  /** @default 2047 */
  readonly commandLineBytes?: number;
}

/** Builds a `bzImage` with two setup sectors. */
export function buildBzImage(options: TestBzImage): Uint8Array {
  const { payload, version = 0x020f, loadflags = 1, xloadflags = 1 } = options;
  const setupSectors = 2, payloadOffset = 0x100;
  const start = (setupSectors + 1) * 512 + payloadOffset;
  const out = new Uint8Array(start + payload.length + 64);
  const view = new DataView(out.buffer);
  out[0x1f1] = setupSectors;
  view.setUint16(0x1fe, 0xaa55, true);
  out.set([0xeb, 0x6a], 0x200); // the header ends at 0x26c
  out.set(bytesOf("HdrS"), 0x202);
  view.setUint16(0x206, version, true);
  out[0x211] = loadflags;
  view.setUint32(0x22c, options.initrdAddressMax ?? 0x7fff_ffff, true);
  view.setUint16(0x236, xloadflags, true);
  view.setUint32(0x238, options.commandLineBytes ?? 2047, true);
  view.setUint32(0x248, payloadOffset, true);
  view.setUint32(0x24c, payload.length, true);
  view.setUint32(0x260, 1 << 20, true);
  out.set(payload, start);
  return out;
}

/** What the kernel's build makes of compressed data: gzip tells its size itself, others get it appended. */
export function asPayload(compressed: Uint8Array, unpackedBytes: number, gzip = false): Uint8Array {
  if (gzip) return compressed;
  const size = new Uint8Array(Uint32Array.of(unpackedBytes).buffer);
  return Uint8Array.of(...compressed, ...size);
}
