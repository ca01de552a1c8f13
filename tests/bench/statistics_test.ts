import { assertAlmostEquals, assertEquals } from "@std/assert";
import { geometricMean, median, spread } from "../../bench/statistics.ts";

Deno.test("the median is the middle figure, or the mean of the middle two, by value", () => {
  assertEquals(median([10, 9, 100]), 10);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(median([7]), 7);
  assertEquals(median([]), NaN);
});

Deno.test("the median leaves the figures in their order", () => {
  const figures = [3, 1, 2];
  median(figures);
  assertEquals(figures, [3, 1, 2]);
});

Deno.test("the geometric mean weighs twice as fast and half as fast the same", () => {
  assertAlmostEquals(geometricMean([2, 0.5]), 1);
  assertAlmostEquals(geometricMean([1, 10, 100]), 10);
  assertEquals(geometricMean([]), NaN);
});

Deno.test("a spread has the least, middle and greatest figure, and there is none of nothing", () => {
  assertEquals(spread([3, 1, 2]), { min: 1, median: 2, max: 3 });
  assertEquals(spread([]), undefined);
});
