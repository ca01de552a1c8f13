import { assertEquals } from "@std/assert";
import { AnsiFilter, stripAnsi } from "../../harness/ansi_filter.ts";

const ESC = "\x1b";

Deno.test("colours, cursor moves, titles and character sets are no text", () => {
  assertEquals(stripAnsi(`${ESC}[1;31mFAILED${ESC}[0m`), "FAILED");
  assertEquals(stripAnsi(`a${ESC}[2K${ESC}[10;20Hb${ESC}[?25lc`), "abc");
  assertEquals(stripAnsi(`${ESC}]0;title\x07x${ESC}]8;;uri${ESC}\\y`), "xy");
  assertEquals(stripAnsi(`${ESC}(Bx${ESC}7y${ESC}Mz${ESC}P1$r0m${ESC}\\!`), "xyz!");
});

Deno.test("text without escapes stays as it is, tabs, bells and line ends included", () => {
  const text = "login: \t\x07\r\nüñí 🦕\n";
  assertEquals(stripAnsi(text), text);
});

Deno.test("a sequence that never ends hides no more than its line", () => {
  assertEquals(stripAnsi(`${ESC}]0;never ended\nKernel panic`), "\nKernel panic");
  assertEquals(stripAnsi(`${ESC}[12;\r\nnext`), "\r\nnext");
  const hidden = stripAnsi(`${ESC}P${"x".repeat(10_000)}`).length;
  assertEquals(hidden > 5000, true, `only ${hidden} of 10000 characters are left`);
});

Deno.test("an escape inside of a sequence begins the next one", () => {
  assertEquals(stripAnsi(`${ESC}[1${ESC}[31mred`), "red");
  assertEquals(stripAnsi(`${ESC}]0;a${ESC}[31mred`), "red");
});

Deno.test("a stream cut anywhere gives the same text", () => {
  const text = `a${ESC}[31mb${ESC}]0;t${ESC}\\c${ESC}(Bd\n${ESC}]x\ne`;
  for (let cut = 0; cut <= text.length; cut++) {
    const first = new AnsiFilter();
    const before = stripAnsi(text.slice(0, cut), first);
    assertEquals(before + stripAnsi(text.slice(cut), new AnsiFilter(first.position)), "abcd\n\ne");
  }
});
