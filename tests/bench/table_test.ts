import { assertEquals } from "@std/assert";
import { formatFigure, formatTable } from "../../bench/table.ts";

Deno.test("columns are as wide as their widest cell, the first to the left, the others to the right", () => {
  const table = formatTable(["figure", "ours"], [["boot", "1.2 s"], ["tiny guest", "80 ms"]]);
  assertEquals(
    table,
    [
      "figure       ours",
      "----------  -----",
      "boot        1.2 s",
      "tiny guest  80 ms",
    ].join("\n"),
  );
});

Deno.test("a table without rows has its headings", () => {
  assertEquals(formatTable(["a", "b"], []), "a  b\n-  -");
});

Deno.test("figures have three significant digits and no exponent", () => {
  assertEquals([0.35178, 3.8149, 81.44, 1204.4, 0].map(formatFigure), ["0.352", "3.81", "81.4", "1204", "0"]);
  assertEquals(formatFigure(0.00004), "0.000");
  assertEquals(formatFigure(NaN), "-");
});
