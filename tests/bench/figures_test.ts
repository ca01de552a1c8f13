import { assertEquals, assertStringIncludes } from "@std/assert";
import { measured } from "../../bench/figures.ts";
import type { Observation } from "../../bench/observe.ts";
import { counterTable, figureTable } from "../../bench/report.ts";

const ended = (endMs: number): Observation => ({
  firstByteMs: endMs / 2,
  endMs,
  peakRssBytes: 1 << 20,
  lines: [],
});

Deno.test("a ratio is taken pair by pair, and its median judged", () => {
  const pairs = [[1000, 4000], [2000, 4000], [3000, 4000]].map(([ours, theirs]) => ({
    ours: ended(ours),
    theirs: ended(theirs),
  }));
  const boot = measured("boot", pairs);
  assertEquals(boot.ratio, { min: 0.25, median: 0.5, max: 0.75 });
  assertEquals([boot.mustMet, boot.aimMet], [true, false]);
  const row = figureTable([boot]).split("\n")[2];
  assertStringIncludes(row, "2.00 s  4.00 s      0.250   0.500  0.750  ≤ 0.6  ≤ 0.35    yes");
});

Deno.test("without QEMU a ratio is not judged, and a figure of our own is", () => {
  const pairs = [{ ours: ended(400) }];
  assertEquals(measured("tiny", pairs).mustMet, undefined);
  assertEquals(measured("start", pairs).mustMet, false);
  assertEquals(figureTable([measured("tiny", pairs)]).split("\n")[2].split(/ {2,}/).slice(1), [
    ...["400 ms", "-", "-", "-", "-", "≤ 2", "≤ 0.8", "-"],
  ]);
});

Deno.test("translation time is per guest instruction, from the engine's counters", () => {
  const counters = { blocksTranslated: 10, instructionsTranslated: 2000, translationMs: 1, exitsLookup: 7 };
  const run = { ...ended(1), lines: [{ text: JSON.stringify(counters), ms: 1 }] };
  assertEquals(measured("translation", [{ ours: run }]).ours, [500]);
});

Deno.test("counters are named in words", () => {
  const table = counterTable({ blocksTranslated: 12345, exitsDevice: 2, jumpCacheMisses: 3 });
  assertStringIncludes(table, "\nblocks translated ");
  assertStringIncludes(table, " 12,345\n");
  assertStringIncludes(table, "exits to TypeScript: device");
  assertStringIncludes(table, "jump-cache misses");
});
