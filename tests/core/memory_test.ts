import { assertEquals, assertThrows } from "@std/assert";
import { GuestRam, type HostMemory, LARGE_PAGE_SIZE, PAGE_SIZE, plainMemory } from "../../core/memory.ts";

const BASE = 0x8000_0000;

/** Plain memory that notes which large pages were asked for. */
function noting(asked: number[], works = true): HostMemory {
  return {
    ...plainMemory,
    allocateShared: (bytes) => ({
      ...plainMemory.allocate(bytes),
      useLargePage(offset) {
        asked.push(offset / LARGE_PAGE_SIZE);
        return works;
      },
    }),
  };
}

Deno.test("a large page is asked for once, when much of it is written", () => {
  const asked: number[] = [];
  const ram = new GuestRam(noting(asked), BASE, 4 * LARGE_PAGE_SIZE);
  ram.write(BASE, new Uint8Array(LARGE_PAGE_SIZE / 4));
  assertEquals(asked, []);
  ram.write(BASE + LARGE_PAGE_SIZE / 2, new Uint8Array(LARGE_PAGE_SIZE * 3 / 4));
  assertEquals(asked, [0]);
  ram.write(BASE, new Uint8Array(3 * LARGE_PAGE_SIZE));
  assertEquals(asked, [0, 1, 2]);
  const first = (large: number) => ram.counted[large * LARGE_PAGE_SIZE / PAGE_SIZE];
  assertEquals([0, 1, 2, 3].map(first), [1, 1, 1, 0]);
});

Deno.test("a large page is asked for when the guest uses many different pages of it", () => {
  const asked: number[] = [];
  const ram = new GuestRam(noting(asked), BASE, 2 * LARGE_PAGE_SIZE);
  for (let i = 0; i < 1000; i++) ram.use(LARGE_PAGE_SIZE + 5 * PAGE_SIZE + i);
  assertEquals(asked, []);
  for (let page = 0; page < 200; page++) ram.use(LARGE_PAGE_SIZE + page * PAGE_SIZE);
  assertEquals(asked, [1]);
});

Deno.test("what is smaller than a large page is never asked for, nor anything after the host refused once", () => {
  const asked: number[] = [];
  const ram = new GuestRam(noting(asked, false), BASE, 3 * LARGE_PAGE_SIZE + PAGE_SIZE);
  for (let i = 0; i < 200; i++) ram.use(3 * LARGE_PAGE_SIZE);
  assertEquals(asked, []);
  ram.write(BASE, new Uint8Array(3 * LARGE_PAGE_SIZE));
  assertEquals(asked, [0]);
});

Deno.test("memory for what engines note of pages is taken when one first asks, and says then what was so before", () => {
  const sizes: number[] = [], asked: number[] = [];
  const host: HostMemory = {
    ...noting(asked),
    allocate(bytes) {
      sizes.push(bytes);
      return plainMemory.allocate(bytes);
    },
  };
  const ram = new GuestRam(host, BASE, 2 * LARGE_PAGE_SIZE);
  ram.write(BASE, new Uint8Array(LARGE_PAGE_SIZE));
  ram.free();
  assertEquals(sizes, []);
  const pages = LARGE_PAGE_SIZE / PAGE_SIZE;
  assertEquals([ram.counted[0], ram.counted[pages - 1], ram.counted[pages]], [1, 1, 0]);
  assertEquals([ram.codePages.length, ram.codePages[0]], [PAGE_SIZE, 0]);
  assertEquals(sizes, [PAGE_SIZE, PAGE_SIZE]);
});

Deno.test("RAM of memory without large pages counts nothing, and holds what is written", () => {
  const ram = new GuestRam(plainMemory, BASE, LARGE_PAGE_SIZE);
  assertEquals(ram.counted[0], 1);
  ram.write(BASE + 4095, new Uint8Array([1, 2]));
  assertEquals([...ram.read(BASE + 4094, 4)], [0, 1, 2, 0]);
  assertThrows(() => ram.write(BASE + LARGE_PAGE_SIZE - 1, new Uint8Array(2)), RangeError);
});
