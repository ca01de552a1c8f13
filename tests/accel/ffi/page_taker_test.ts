import { assert, assertEquals } from "@std/assert";
import { sharedMemory } from "../../../accel/ffi/memory.ts";
import { takeLargePages } from "../../../accel/ffi/page_taker.ts";
import { LARGE_PAGE_SIZE } from "../../../core/memory.ts";
import { canTranslate } from "../../support/guest_machines.ts";

const PAGES = 6;

/** Bytes of files in memory that this process has. */
function residentSharedBytes(): number {
  const [, kilobytes] = Deno.readTextFileSync("/proc/self/status").match(/^RssShmem:\s*(\d+) kB$/m)!;
  return Number(kilobytes) * 1024;
}

Deno.test({
  name: "large pages that were asked for are there before they are touched, with what they held",
  ignore: !canTranslate,
  async fn() {
    const pages = sharedMemory.allocateShared!(PAGES * LARGE_PAGE_SIZE);
    const bytes = new Uint8Array(pages.buffer);
    bytes[1] = 1;
    bytes[3 * LARGE_PAGE_SIZE - 1] = 2;
    const before = residentSharedBytes();
    takeLargePages(pages.address + 1, pages.address + (PAGES - 1) * LARGE_PAGE_SIZE + 1);
    // All but the first and the last, which are not wholly asked for. A host without large pages gives one of its own.
    const least = (PAGES - 2) * 4096;
    const patience = AbortSignal.timeout(20_000);
    while (residentSharedBytes() < before + least - 2 * 4096) {
      assert(!patience.aborted, "no page was taken");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEquals(bytes[1], 1);
    assertEquals(bytes[3 * LARGE_PAGE_SIZE - 1], 2);
    assertEquals(bytes.subarray(2, 3 * LARGE_PAGE_SIZE - 1).every((byte) => byte === 0), true);
    pages.free();
  },
});

Deno.test({
  name: "memory may be given back while pages of it are being asked for",
  ignore: !canTranslate,
  fn() {
    for (let i = 0; i < 20; i++) {
      const pages = sharedMemory.allocateShared!(PAGES * LARGE_PAGE_SIZE);
      takeLargePages(pages.address, pages.address + PAGES * LARGE_PAGE_SIZE);
      pages.free();
    }
    const pages = sharedMemory.allocateShared!(PAGES * LARGE_PAGE_SIZE);
    takeLargePages(pages.address, pages.address + PAGES * LARGE_PAGE_SIZE);
    assert(new Uint8Array(pages.buffer).every((byte) => byte === 0));
    pages.free();
  },
});
