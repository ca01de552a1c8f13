import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { unpackImage } from "../../../core/boot/compression.ts";
import { ImageError } from "../../../core/boot/image_error.ts";
import { undoX86Filter } from "../../../core/boot/x86_filter.ts";
import { filteredXz } from "../../../core/boot/xz_blocks.ts";
import { hasTool, pipeThrough } from "../../fixtures/_tools.ts";
import { noise } from "./images.ts";

const MIB = 2 ** 20;

/** Bytes with as many calls, jumps and near misses of them as there can be. */
function likeCode(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = noise(length + seed).subarray(seed);
  return Uint8Array.from(
    random,
    (byte) => byte < 60 ? 0xe8 | byte & 1 : byte < 150 ? -(byte & 1) & 0xff : byte,
  );
}

const xzTest = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name: `${name}${hasTool("xz") ? "" : " (needs xz)"}`, ignore: !hasTool("xz"), fn });

const pack = (bytes: Uint8Array<ArrayBuffer>, ...options: string[]) =>
  pipeThrough("xz", ["-c", "-1", ...options], bytes);
const X86 = ["--x86", "--lzma2=preset=1"];
const unpack = (bytes: Uint8Array, most = MIB) => unpackImage(bytes, "k", most);

xzTest("what xz's x86 filter went over comes back, whatever it is", async () => {
  for (let seed = 0; seed < 40; seed++) {
    const bytes = likeCode([0, 1, 4, 5, 6, 9, 100, 5000][seed % 8], seed);
    assertEquals(await unpack(await pack(bytes, "--check=crc32", ...X86)), bytes, `seed ${seed}`);
  }
});

xzTest("several blocks, other checks and none come back", async () => {
  const bytes = likeCode(100_000, 7);
  for (const check of ["none", "crc32", "crc64", "sha256"]) {
    assertEquals(await unpack(await pack(bytes, `--check=${check}`, ...X86)), bytes, check);
    const blocks = await pack(bytes, `--check=${check}`, "--block-size=30000", ...X86);
    assertEquals(filteredXz(blocks)?.blocks.map(({ unpackedBytes }) => unpackedBytes), [
      30000,
      30000,
      30000,
      10000,
    ]);
    assertEquals(await unpack(blocks), bytes, check);
  }
});

xzTest("what cannot be compressed is in chunks of its own", async () => {
  const bytes = noise(300_000) as Uint8Array<ArrayBuffer>;
  assertEquals(await unpack(await pack(bytes, ...X86)), bytes);
});

xzTest("a file without the filter is left to the library", async () => {
  assertEquals(filteredXz(await pack(likeCode(1000, 1))), undefined);
  assertEquals(filteredXz(await pack(new Uint8Array())), undefined);
  assertEquals(filteredXz(new Uint8Array(5)), undefined);
});

xzTest("a file that is cut off, damaged or a bomb is refused", async () => {
  const bytes = likeCode(50_000, 3);
  const packed = await pack(bytes, "--check=crc32", ...X86);
  for (const cut of [13, 24, 30, packed.length >> 1, packed.length - 40]) {
    await assertRejects(() => unpack(packed.subarray(0, cut)), ImageError, "truncated or corrupt");
  }
  const damaged = packed.slice();
  damaged[packed.length >> 1] ^= 1;
  await assertRejects(() => unpack(damaged), ImageError, "truncated or corrupt");
  const bomb = await pack(new Uint8Array(64 * MIB), ...X86);
  await assertRejects(() => unpack(bomb), ImageError, "unpacks to more than the guest's 1 MiB of RAM");
});

xzTest("whatever the bytes, taking a file apart ends", async () => {
  const packed = await pack(likeCode(2000, 9), "--check=crc32", ...X86);
  for (let round = 0; round < 2000; round++) {
    const bytes = packed.slice();
    for (const [i, byte] of noise(8 + round).subarray(round).entries()) {
      bytes[12 + (byte * 7 + i) % 40] ^= byte;
    }
    try {
      const plain = filteredXz(bytes)?.plain;
      assert(plain === undefined || plain.length < packed.length + 100);
    } catch (error) {
      assert(error instanceof RangeError, String(error));
    }
  }
  assertThrows(() => filteredXz(packed.subarray(0, 100)), RangeError, "unexpected end of data");
});

Deno.test("calls become relative to what follows them", () => {
  const bytes = Uint8Array.of(0x90, 0xe8, 0x06, 0x01, 0, 0, 0x90);
  undoX86Filter(bytes);
  assertEquals(bytes, Uint8Array.of(0x90, 0xe8, 0x00, 0x01, 0, 0, 0x90));
  const back = Uint8Array.of(0xe9, 0x01, 0, 0, 0);
  undoX86Filter(back);
  assertEquals(back, Uint8Array.of(0xe9, 0xfc, 0xff, 0xff, 0xff), "four bytes back");
  const none = Uint8Array.of(0xe8, 1, 2, 3, 4, 0xe8, 0, 0);
  undoX86Filter(none);
  assertEquals(none, Uint8Array.of(0xe8, 1, 2, 3, 4, 0xe8, 0, 0));
});
