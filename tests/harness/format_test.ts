import { assertEquals } from "@std/assert";
import { formatMoment, formatNs, shorten } from "../../harness/format.ts";

Deno.test("times have the unit that suits them", () => {
  assertEquals([1, 999_999, 1_500_000, 12_345_678_901].map(formatNs), [
    "1 ns",
    "999999 ns",
    "1.500 ms",
    "12.346 s",
  ]);
});

Deno.test("a moment has its instructions where they are counted", () => {
  assertEquals(formatMoment(0, 0), "guest time 0 ns, 0 instructions");
  assertEquals(formatMoment(1500, 1500), "guest time 1500 ns, 1500 instructions");
  assertEquals(formatMoment(1_500_000, 0), "guest time 1.500 ms");
});

Deno.test("what is shortened says so", () => {
  assertEquals([shorten("four", 4), shorten("fives", 4)], ["four", "five…"]);
});
