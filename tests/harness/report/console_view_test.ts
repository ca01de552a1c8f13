import { assert, assertEquals } from "@std/assert";
import { consoleView, StyleTable, type ViewLine } from "../../../harness/report/console_view.ts";
import { activity } from "../../../harness/report/events_view.ts";
import { sampleConsole } from "./_samples.ts";

const view = (bytes: Uint8Array) =>
  consoleView({ line: 0, name: "", bytes, recording: [] }, new StyleTable());
const texts = (lines: readonly ViewLine[]) => lines.map(([, text]) => text);

Deno.test("lines carry the time at which they began", () => {
  const { head } = consoleView(sampleConsole(["one\r\n", "two ", "more\r\n", "end"]), new StyleTable());
  assertEquals(head, [[1e6, "one"], [2e6, "two more"], [4e6, "end"]]);
});

Deno.test("styles are numbers into a table; the first 16 colours are the page's own", () => {
  const table = new StyleTable();
  const { head } = consoleView(sampleConsole(["\x1b[31ma\x1b[0m\x1b[38;5;208mb\x1b[7;33;44mc\n"]), table);
  assertEquals(head[0][2], [0, 0, 1, 1, 2, 2]);
  assertEquals(table.styles, [{ c: "f1" }, { c: "", f: "#ff8700" }, { c: "tv f4 k3" }]);
});

Deno.test("nothing is invisible or turns the text around", () => {
  const bytes = new TextEncoder().encode("\0\x07a\rb\x7f\u202ec\u009b");
  assertEquals(texts(view(bytes).head), ["\u2400\u2407a\u240db\u2421\ufffdc\ufffd"]);
});

Deno.test("of a large console the first and the last part is shown, and how much is not", () => {
  const lines = Array.from({ length: 900_000 }, (_, i) => `line ${i}\n`);
  const bytes = new TextEncoder().encode(lines.join(""));
  const { head, tail, skipped } = view(bytes);
  assertEquals(texts(head).at(0), "line 0");
  assertEquals(texts(tail).at(-1), "line 899999");
  assertEquals([head.length, tail.length], [2_000, 8_000]);
  const shown = [...texts(head), ...texts(tail)].reduce((sum, text) => sum + text.length + 1, 0);
  assertEquals(shown + skipped, bytes.length);
});

Deno.test("a flood without line ends, and one of line ends alone, are bounded too", () => {
  const flood = view(new Uint8Array(5_000_000).fill(0x61));
  assert(JSON.stringify(flood).length < 20_000);
  assertEquals([flood.head.length, flood.tail.length], [1, 1]);
  assert(flood.skipped > 3_000_000);
  const feeds = view(new Uint8Array(5_000_000).fill(0x0a));
  assertEquals([feeds.head.length, feeds.tail.length], [2_000, 8_000]);
});

Deno.test("a console just within the bounds is whole, and one byte more is not lost", () => {
  for (const count of [9_999, 10_000, 10_001]) {
    const bytes = new Uint8Array(count).fill(0x0a);
    const { head, tail, skipped } = view(bytes);
    assertEquals(head.length + tail.length + skipped, count, `${count}`);
  }
});

Deno.test("activity counts bytes by time", () => {
  const { recording, bytes } = sampleConsole(["ab\n", "cdef\n"]);
  assertEquals(activity(recording, bytes.length, 4e6, 4), [0, 3, 5, 0]);
});
