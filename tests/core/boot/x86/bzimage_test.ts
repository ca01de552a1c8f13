import { assert, assertEquals, assertThrows } from "@std/assert";
import { isBzImage, parseBzImage } from "../../../../core/boot/x86/bzimage.ts";
import { ImageError } from "../../../../core/boot/image_error.ts";
import { noise } from "../images.ts";
import { buildBzImage } from "./images.ts";

const payload = noise(1000);
const refused = (bytes: Uint8Array, message: string) =>
  assertThrows(() => parseBzImage(bytes, "vmlinuz"), ImageError, message);

Deno.test("a bzImage tells what a boot loader needs, and holds its payload", () => {
  const bytes = buildBzImage({ payload, initrdAddressMax: 0x37ff_ffff, commandLineBytes: 255 });
  assertEquals(isBzImage(bytes), true);
  const image = parseBzImage(bytes, "vmlinuz");
  assertEquals(image.initrdAddressMax, 0x37ff_ffff);
  assertEquals(image.commandLineBytes, 255);
  assertEquals(image.initBytes, 1 << 20);
  assertEquals(image.payload, payload.subarray(0, payload.length - 4), "without the size after it");
  assertEquals(image.unpackedBytes, new DataView(payload.buffer).getUint32(payload.length - 4, true));
  assertEquals(image.setupHeader, bytes.slice(0x1f1, 0x26c));
});

Deno.test("gzip's own size at its end stays", () => {
  const gzip = Uint8Array.of(0x1f, 0x8b, ...payload);
  assertEquals(parseBzImage(buildBzImage({ payload: gzip }), "vmlinuz").payload, gzip);
});

Deno.test("no setup sectors mean four", () => {
  const bytes = buildBzImage({ payload });
  bytes[0x1f1] = 0;
  const view = new DataView(bytes.buffer);
  view.setUint32(0x248, view.getUint32(0x248, true) - 2 * 512, true);
  assertThrows(() => parseBzImage(bytes, "vmlinuz"), ImageError, "truncated");
  const four = new Uint8Array(bytes.length + 5 * 512);
  four.set(bytes);
  new DataView(four.buffer).setUint32(0x248, 0, true);
  assertEquals(parseBzImage(four, "vmlinuz").payload.byteOffset, 5 * 512);
});

Deno.test("an image is told from others, and a stub of one is none", () => {
  assertEquals(isBzImage(new Uint8Array(4096)), false);
  assertEquals(isBzImage(buildBzImage({ payload }).subarray(0, 0x267)), false);
});

Deno.test("an old protocol, a zImage and a 32-bit kernel are refused with what to do", () => {
  refused(buildBzImage({ payload, version: 0x020b }), "speaks boot protocol 2.11");
  refused(buildBzImage({ payload, loadflags: 0 }), "Linux 3.8 or later");
  refused(buildBzImage({ payload, xloadflags: 0 }), "vmlinuz has no 64-bit entry: it is a 32-bit x86 kernel");
});

Deno.test("an image that ends before its payload does is truncated", () => {
  const bytes = buildBzImage({ payload });
  refused(bytes.subarray(0, bytes.length - 65), "is truncated: its payload ends at byte 2792");
  refused(bytes.subarray(0, 0x268), "truncated");
  const empty = buildBzImage({ payload });
  new DataView(empty.buffer).setUint32(0x24c, 0, true);
  refused(empty, "truncated");
});

Deno.test("whatever the header says, parsing ends with an image or an ImageError", () => {
  const sound = buildBzImage({ payload });
  for (let round = 0; round < 500; round++) {
    const bytes = sound.slice();
    const damage = noise(round + 40).subarray(round);
    for (let i = 0; i + 2 < damage.length; i += 3) {
      bytes[0x1f1 + (damage[i] | damage[i + 1] << 8) % 0x80] = damage[i + 2];
    }
    try {
      if (isBzImage(bytes)) assert(parseBzImage(bytes, "k").payload.length <= bytes.length);
    } catch (error) {
      assert(error instanceof ImageError, String(error));
    }
  }
});
