import { assertEquals } from "@std/assert";
import { AnsiReader, PLAIN } from "../../../harness/report/ansi.ts";

Deno.test("colours and weights are runs over the text that remains", () => {
  const { text, runs } = new AnsiReader().line("a\x1b[1;31mb\x1b[0mc");
  assertEquals(text, "abc");
  assertEquals(runs, [{ at: 1, style: { flags: "b", foreground: 1 } }, { at: 2, style: PLAIN }]);
});

Deno.test("a style lasts over the end of a line", () => {
  const reader = new AnsiReader();
  reader.line("\x1b[42;4m");
  assertEquals(reader.line("x").runs, [{ at: 0, style: { flags: "u", background: 2 } }]);
  assertEquals(reader.line("\x1b[m").text, "");
  assertEquals(reader.line("x").runs, []);
});

Deno.test("bright, 256 and true colours; what resets what", () => {
  const style = (codes: string) => new AnsiReader().line(`\x1b[${codes}mx`).runs[0].style;
  assertEquals(style("97;100"), { flags: "", foreground: 15, background: 8 });
  assertEquals(style("38;5;208"), { flags: "", foreground: 208 });
  assertEquals(style("48;2;1;2;255"), { flags: "", background: "#0102ff" });
  assertEquals(style("38;5;999;1"), { flags: "b" });
  assertEquals(style("38;2;1;2"), PLAIN);
  assertEquals(style("1;2;3;4;7;9;22;23;24;27;29"), PLAIN);
  assertEquals(style("31;39;41;49"), PLAIN);
});

Deno.test("other sequences leave nothing, unfinished ones neither", () => {
  const text = (raw: string) => new AnsiReader().line(raw).text;
  assertEquals(text("a\x1b[2J\x1b[10;5H\x1b(B\x1b]0;title\x07b\x1bP q\x1b\\c"), "abc");
  assertEquals(text("a\x1b["), "a");
  assertEquals(text("a\x1b[3"), "a");
  assertEquals(text("a\x1b"), "a");
  assertEquals(text("\x1b[\x01b"), "\x01b");
});

Deno.test("a line of nothing but changes is bounded", () => {
  const { runs, text } = new AnsiReader().line("\x1b[31mx\x1b[32my".repeat(10_000));
  assertEquals([runs.length, text.length], [512, 20_000]);
});
