import { assertEquals, assertRejects } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { unpackImage } from "../../../core/boot/compression.ts";
import { ImageError } from "../../../core/boot/image_error.ts";
import { bytesOf, noise } from "./images.ts";

const payload = new Uint8Array(300_000);
payload.set(noise(100_000), 50_000);
const MIB = 2 ** 20;

const gzip = new Uint8Array(gzipSync(payload));
const zstd = new Uint8Array(zstdCompressSync(payload));
/** `printf 'bootwright xz\n' | xz --check=crc32` */
const xz = Uint8Array.from(
  atob("/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQANYm9vdHdyaWdodCB4egoAAADlduPtAAEiDgzejGCQQpkNAQAAAAABWVo="),
  (c) => c.charCodeAt(0),
);

function zboot(compressed: Uint8Array, size = compressed.length): Uint8Array {
  const out = new Uint8Array(256 + compressed.length);
  out.set(bytesOf("MZ\0\0zimg"));
  const view = new DataView(out.buffer);
  view.setUint32(8, 256, true);
  view.setUint32(12, size, true);
  out.set(compressed, 256);
  return out;
}

const unpack = (bytes: Uint8Array, limit = MIB) => unpackImage(bytes, "Image.x", limit);

Deno.test("gzip, zstd and xz are unpacked, alone and in EFI zboot images", async () => {
  for (const packed of [gzip, zstd, zboot(gzip), zboot(zstd)]) assertEquals(await unpack(packed), payload);
  for (const packed of [xz, zboot(xz)]) {
    assertEquals(new TextDecoder().decode(await unpack(packed)), "bootwright xz\n");
  }
});

Deno.test("what is not compressed comes back untouched", async () => {
  assertEquals(await unpack(payload), payload);
});

Deno.test("truncated and corrupt data is refused, whatever the format", async () => {
  for (const packed of [gzip, zstd, xz]) {
    for (const cut of [8, packed.length >> 1, packed.length - 3]) {
      await assertRejects(() => unpack(packed.subarray(0, cut)), ImageError, "truncated or corrupt");
    }
    const damaged = packed.slice();
    damaged.fill(0xaa, 10, 40);
    await assertRejects(() => unpack(damaged), ImageError, "truncated or corrupt");
  }
  await assertRejects(() => unpack(zboot(gzip, 2 ** 31)), ImageError, "zboot");
  await assertRejects(() => unpack(zboot(gzip).subarray(0, 20)), ImageError, "zboot");
});

Deno.test("a bomb stops at the size of RAM", async () => {
  const zeros = new Uint8Array(64 * MIB);
  for (const packed of [gzipSync(zeros), zstdCompressSync(zeros)]) {
    await assertRejects(
      () => unpack(new Uint8Array(packed)),
      ImageError,
      "Image.x unpacks to more than the guest's 1 MiB of RAM",
    );
  }
});

Deno.test("what an image says of its size is no promise", async () => {
  for (const expected of [1, payload.length - 1, payload.length, payload.length + 1, 2 ** 32 - 1]) {
    assertEquals(await unpackImage(zstd, "Image.x", MIB, expected), payload, `${expected}`);
    await assertRejects(() => unpackImage(zstd, "Image.x", 1000, expected), ImageError, "unpacks to more");
  }
});

Deno.test("formats we do not unpack are named", async () => {
  await assertRejects(() => unpack(bytesOf("\x89LZO\0.....")), ImageError, "compressed with lzo");
});

/** `printf 'bootwright %.0s' {1..40}` through each program. */
const REPEATED: Readonly<Record<string, string>> = {
  "bzip2": "QlpoOTFBWSZTWR67DOYAACeRgEAAEOCUgCAAUIMmIClUGnlME6E4J6JgnBME0TROxNE/F3JFOFCQHrsM5g==",
  "lz4": "BCJNGGRApxYAAAC/Ym9vdHdyaWdodCALAP+WUGlnaHQgAAAAAMohd5w=",
  "lz4 -l": "AiFMGBYAAAC/Ym9vdHdyaWdodCALAP+WUGlnaHQg",
  "xz --format=lzma": "XQAAgAD//////////wAxG+zoeu0zi9IPN2h6GQrX+b1z//6jKAA=",
};

for (const [program, base64] of Object.entries(REPEATED)) {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

  Deno.test(`what ${program} packed is unpacked, within bounds`, async () => {
    assertEquals(new TextDecoder().decode(await unpack(packed)), "bootwright ".repeat(40));
    await assertRejects(() => unpack(packed, 100), ImageError, "unpacks to more than");
  });

  Deno.test(`what ${program} packed is refused when half of it is missing`, async () => {
    await assertRejects(() => unpack(packed.subarray(0, packed.length >> 1)), ImageError);
  });
}

Deno.test("compression around compression is undone, but not for ever", async () => {
  const wrap = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes));
  assertEquals(await unpack(wrap(zstd)), payload);
  await assertRejects(() => unpack(wrap(wrap(wrap(gzip)))), ImageError, "more than 3 times");
});
