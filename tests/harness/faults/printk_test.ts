import { assertEquals } from "@std/assert";
import { MAX_PART, splitLine } from "../../../harness/faults/printk.ts";

const messages = (line: string) =>
  splitLine(line).map(({ message, timeS, caller }) => [message, timeS, caller]);

Deno.test("a record's prefix is known in all its forms", () => {
  assertEquals(messages("[   12.345678] foo"), [["foo", 12.345678, undefined]]);
  assertEquals(messages("[12345.678901] foo"), [["foo", 12345.678901, undefined]]);
  assertEquals(messages("<6>[    0.000000] foo"), [["foo", 0, undefined]]);
  assertEquals(messages("[   12.345678][ T1423] foo"), [["foo", 12.345678, "T1423"]]);
  assertEquals(messages("[   12.345678][    C0] foo"), [["foo", 12.345678, "C0"]]);
  assertEquals(messages("[   12.345678] "), [["", 12.345678, undefined]]);
  assertEquals(messages("[   12.345678]"), [["", 12.345678, undefined]]);
});

Deno.test("what only looks like a prefix is text", () => {
  for (
    const line of [
      "[12.3] foo",
      "[  OK  ] Reached target",
      "[   12.345678]foo",
      "12.345678 foo",
      "[ 1.2345678] x",
    ]
  ) {
    assertEquals(messages(line), [[line, undefined, undefined]]);
  }
});

Deno.test("the kernel may begin to print in the middle of a user program's line", () => {
  assertEquals(messages("login: [   12.345678] foo[   12.345679] bar"), [
    ["login: ", undefined, undefined],
    ["foo", 12.345678, undefined],
    ["bar", 12.345679, undefined],
  ]);
});

Deno.test("a line of any length is cut, and the kernel's part of it found", () => {
  const parts = splitLine("x".repeat(1_000_000) + "[    1.000000] found" + "y".repeat(1_000_000));
  assertEquals(parts.map(({ text }) => text.length), [MAX_PART, MAX_PART]);
  assertEquals(parts[1].message.slice(0, 6), "foundy");
});
