import { assertEquals } from "@std/assert";
import { crc32 as reference } from "node:zlib";
import { crc32 } from "../../../core/boot/crc32.ts";

Deno.test("the checksum is the host's own", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * i);
  for (const length of [0, 1, 2, 255, 1000]) {
    assertEquals(crc32(bytes.subarray(0, length)), reference(bytes.subarray(0, length)));
  }
});
