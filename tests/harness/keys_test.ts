import { assertEquals, assertThrows } from "@std/assert";
import { keyCode } from "../../harness/keys.ts";
import { InputError } from "../../mod.ts";

Deno.test("keys send what terminals send", () => {
  assertEquals(keyCode("ctrl-c"), "\x03");
  assertEquals(keyCode("Ctrl-D"), "\x04");
  assertEquals(keyCode("ctrl-]"), "\x1d");
  assertEquals(keyCode("ctrl-@"), "\0");
  assertEquals(keyCode("enter"), "\r");
  assertEquals(keyCode("up"), "\x1b[A");
  assertEquals(keyCode("alt-x"), "\x1bx");
  assertEquals(keyCode("é"), "é");
});

Deno.test("a key that is none is refused with the nearest one", () => {
  assertThrows(() => keyCode("entr"), InputError, "Did you mean enter?");
  assertThrows(() => keyCode("ctrl-ä"), InputError, "There is no key");
  assertThrows(() => keyCode("toString"), InputError, "There is no key");
});
