import { assert, assertEquals } from "@std/assert";
import { BlockCache } from "../../../core/translator/block_cache.ts";

/** A cache of four pages with a block of 16 bytes at each of the given RAM offsets. */
function cacheWith(...offsets: number[]): BlockCache {
  const cache = new BlockCache(4);
  for (const offset of offsets) cache.add(offset, offset, 0, 1, 4, 0x1000 + offset, offset, offset + 16);
  return cache;
}

Deno.test("a block is found by offset, pc and context", () => {
  const cache = cacheWith(4096, 4104);
  assertEquals(cache.find(4104, 4104, 0, 1), 1);
  assertEquals(cache.find(4104, 4104, 0, 2), -1);
  assertEquals(cache.find(4104, 4106, 0, 1), -1);
});

Deno.test("a write drops the blocks it overlaps, and no others", () => {
  const cache = cacheWith(4096, 4096 + 8, 4096 + 64);
  assert(!cache.touchesCode(4096 + 128, 8));
  assert(cache.touchesCode(4096 + 20, 1));
  const dropped: number[] = [];
  assert(cache.drop(4096 + 20, 1, (block) => dropped.push(block)));
  assertEquals(dropped, [1]);
  assertEquals([0, 1, 2].map((b) => cache.code(b) !== 0), [true, false, true]);
  assert(!cache.drop(4096, 4096, (block) => dropped.push(block)));
  assertEquals(dropped.sort(), [0, 1, 2]);
});

Deno.test("a page is given up after some writes, and the next time after twice as many", () => {
  const cache = cacheWith(4096);
  const writes: number[] = [];
  for (let round = 0, since = 0; round < 3; since++) {
    if (!cache.givesUp(1)) continue;
    writes.push(since + 1);
    since = -1;
    round++;
  }
  assertEquals(writes, [32, 64, 128]);
  assert(!cache.givesUp(2));
});
