import { assertEquals } from "@std/assert";
import { sharedMemory } from "../../accel/ffi/memory.ts";
import { LARGE_PAGE_SIZE, PAGE_SIZE } from "../../core/memory.ts";
import { canTranslate } from "../support/guest_machines.ts";

Deno.test({
  name: "shared memory keeps what it holds when large pages are made of it, and windows show the same",
  ignore: !canTranslate,
  fn() {
    const pages = sharedMemory.allocateShared!(3 * LARGE_PAGE_SIZE);
    try {
      assertEquals(pages.address % LARGE_PAGE_SIZE, 0);
      const bytes = new Uint8Array(pages.buffer);
      const places = [0, 5 * PAGE_SIZE + 7, LARGE_PAGE_SIZE - 1, LARGE_PAGE_SIZE, 3 * LARGE_PAGE_SIZE - 1];
      places.forEach((place, i) => bytes[place] = i + 1);
      const window = pages.openWindow?.(16 * PAGE_SIZE);
      if (window?.show(window.address, 5 * PAGE_SIZE, true)) {
        pages.useLargePage?.(0);
        const shown = new Uint8Array(
          Deno.UnsafePointerView.getArrayBuffer(
            Deno.UnsafePointer.create(BigInt(window.address))!,
            PAGE_SIZE,
          ),
        );
        assertEquals(shown[7], 2);
        shown[8] = 99;
        assertEquals(bytes[5 * PAGE_SIZE + 8], 99);
      }
      for (const large of [0, 1, 2]) pages.useLargePage?.(large * LARGE_PAGE_SIZE);
      assertEquals(places.map((place) => bytes[place]), [1, 2, 3, 4, 5]);
      assertEquals(
        bytes.subarray(LARGE_PAGE_SIZE + 1, 3 * LARGE_PAGE_SIZE - 1).every((byte) => byte === 0),
        true,
      );
      window?.free();
    } finally {
      pages.free();
    }
  },
});
