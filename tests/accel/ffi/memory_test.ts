import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { mappedMemory } from "../../../accel/ffi/memory.ts";
import { PAGE_SIZE } from "../../../core/memory.ts";
import { canTranslate } from "../../support/guest_machines.ts";

const LARGE = 96 << 20;

/** Resident bytes of the mapping at an address. */
function residentBytes(address: number): number {
  const start = address.toString(16);
  const maps = Deno.readTextFileSync("/proc/self/smaps").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = maps.find((map) => map.startsWith(`${start}-`)) ?? "";
  return 1024 * Number(/^Rss:\s+(\d+)/m.exec(own)?.[1] ?? 0);
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
