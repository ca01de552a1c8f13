import { assertEquals } from "@std/assert";
import { constants, zstdCompressSync } from "node:zlib";
import { isWholeZstd } from "../../../core/boot/zstd_frames.ts";
import { noise } from "./images.ts";

function join(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const zeros = new Uint8Array(500_000); // RLE blocks
const raw = noise(300_000); // raw blocks
const checksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const frames = [
  zstdCompressSync(new Uint8Array(10)),
  zstdCompressSync(zeros),
  zstdCompressSync(raw, checksum),
  zstdCompressSync(join(zeros, raw), checksum),
].map((b) => new Uint8Array(b));
const skippable = Uint8Array.of(0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);

Deno.test("whole frames are recognised, alone, in a row, with others to skip, and before trailing bytes", () => {
  for (const frame of frames) assertEquals(isWholeZstd(frame), true);
  assertEquals(isWholeZstd(join(...frames, skippable, frames[0], new Uint8Array(16))), true);
});

Deno.test("a frame cut anywhere is not whole", () => {
  for (const frame of [...frames, skippable]) {
    const step = Math.max(1, frame.length >> 8);
    for (let length = 0; length < frame.length; length += step) {
      assertEquals(isWholeZstd(frame.subarray(0, length)), false, `${length} of ${frame.length}`);
    }
    assertEquals(isWholeZstd(frame.subarray(0, frame.length - 1)), false);
  }
});
