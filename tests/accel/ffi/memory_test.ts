import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { mappedMemory } from "../../../accel/ffi/memory.ts";
import { LARGE_PAGE_SIZE, PAGE_SIZE } from "../../../core/memory.ts";
import { canTranslate } from "../../support/guest_machines.ts";

const LARGE = 96 << 20;

/** Resident bytes of LARGE from an address on: of these alone, for the host makes one of mappings side by side. */
function residentBytes(address: number): number {
  const entries = new BigUint64Array(LARGE / PAGE_SIZE);
  using file = Deno.openSync("/proc/self/pagemap");
  file.seekSync(8 * address / PAGE_SIZE, Deno.SeekMode.Start);
  const bytes = new Uint8Array(entries.buffer);
  for (let at = 0; at < bytes.length;) at += file.readSync(bytes.subarray(at)) ?? bytes.length;
  return PAGE_SIZE * entries.filter((entry) => entry >> 63n === 1n).length; // Linux, admin-guide/mm/pagemap
}

Deno.test({
  name: "a machine's memory is the next one's, zeroed, and the host has it back meanwhile",
  ignore: !canTranslate,
  fn() {
    const first = mappedMemory.allocate(LARGE);
    new Uint8Array(first.buffer).fill(7, 0, 8 << 20);
    assert(residentBytes(first.address) >= 8 << 20);
    first.free();
    assertEquals(residentBytes(first.address), 0);
    const second = mappedMemory.allocate(LARGE);
    assertStrictEquals(second.buffer, first.buffer);
    assert(new Uint8Array(second.buffer, 0, 8 << 20).every((byte) => byte === 0));
    second.free();
  },
});

Deno.test({
  name: "two machines at a time have memory of their own, and so has one of another size",
  ignore: !canTranslate,
  fn() {
    const [one, two, other] = [LARGE, LARGE, LARGE + PAGE_SIZE].map(mappedMemory.allocate);
    assertNotStrictEquals(one.buffer, two.buffer);
    assertEquals(other.buffer.byteLength, LARGE + PAGE_SIZE);
    for (const pages of [one, two, other]) pages.free();
  },
});

Deno.test({
  name: "a single page is the next one's, zeroed",
  ignore: !canTranslate,
  fn() {
    const first = mappedMemory.allocate(PAGE_SIZE);
    new Uint8Array(first.buffer).fill(7);
    first.free();
    const second = mappedMemory.allocate(PAGE_SIZE), third = mappedMemory.allocate(PAGE_SIZE);
    assertStrictEquals(second.buffer, first.buffer);
    assertNotStrictEquals(third.buffer, second.buffer);
    assert(new Uint8Array(second.buffer).every((byte) => byte === 0));
    second.free();
    third.free();
  },
});

Deno.test({
  name: "only few mappings of ended machines are kept",
  ignore: !canTranslate,
  fn() {
    const mapped = () => Deno.readTextFileSync("/proc/self/maps").split("\n").length;
    const sizes = Array.from({ length: 40 }, (_, i) => LARGE + 2 * (i + 1) * PAGE_SIZE);
    const before = mapped();
    for (const pages of sizes.map(mappedMemory.allocate)) pages.free();
    assert(mapped() < before + 20);
  },
});

Deno.test({
  name: "what is used as a whole begins where a large page can, zeroed, and takes no more than was asked for",
  ignore: !canTranslate,
  fn() {
    const pages = mappedMemory.allocate(LARGE_PAGE_SIZE - PAGE_SIZE);
    assertEquals(pages.address % LARGE_PAGE_SIZE, 0);
    assertEquals(pages.buffer.byteLength, LARGE_PAGE_SIZE - PAGE_SIZE);
    assert(new Uint8Array(pages.buffer).every((byte) => byte === 0));
    pages.free();
  },
});
