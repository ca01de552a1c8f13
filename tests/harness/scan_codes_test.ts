import { assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../mod.ts";
import { keyMovements } from "../../harness/scan_codes.ts";

Deno.test("a key goes down and comes up", () => {
  assertEquals(keyMovements("a"), [[0x1e], [0x9e]]);
  assertEquals(keyMovements("enter"), [[0x1c], [0x9c]]);
  assertEquals(keyMovements("F12"), [[0x58], [0xd8]]);
  assertEquals(keyMovements("f10"), [[0x44], [0xc4]]);
});

Deno.test("extended keys have two bytes", () => {
  assertEquals(keyMovements("up"), [[0xe0, 0x48], [0xe0, 0xc8]]);
  assertEquals(keyMovements("delete"), [[0xe0, 0x53], [0xe0, 0xd3]]);
});

Deno.test("characters above others take shift", () => {
  const shifted = (code: number) => [[0x2a], [code], [code | 0x80], [0xaa]];
  assertEquals(keyMovements("A"), shifted(0x1e));
  assertEquals(keyMovements("!"), shifted(0x02));
  assertEquals(keyMovements("?"), shifted(0x35));
  assertEquals(keyMovements("shift-a"), shifted(0x1e));
  assertEquals(keyMovements("shift-A"), shifted(0x1e), "once is enough");
});

Deno.test("modifiers go down before the key, and come up after it in the other order", () => {
  assertEquals(keyMovements("ctrl-alt-delete"), [
    ...[[0x1d], [0x38]],
    ...[[0xe0, 0x53], [0xe0, 0xd3]],
    ...[[0xb8], [0x9d]],
  ]);
  assertEquals(keyMovements("alt-sysrq"), [[0x38], [0x54], [0xd4], [0xb8]]);
});

Deno.test("hyphens are keys, too", () => {
  assertEquals(keyMovements("-"), [[0x0c], [0x8c]]);
  assertEquals(keyMovements("ctrl--"), [[0x1d], [0x0c], [0x8c], [0x9d]]);
  assertEquals(keyMovements("page-up"), [[0xe0, 0x49], [0xe0, 0xc9]]);
  assertEquals(keyMovements("ctrl"), [[0x1d], [0x9d]]);
});

Deno.test("every printable character of ASCII has a key of its own", () => {
  const seen = new Set<string>();
  for (let code = 0x20; code < 0x7f; code++) {
    seen.add(JSON.stringify(keyMovements(String.fromCharCode(code))));
  }
  assertEquals(seen.size, 95);
  assertEquals(keyMovements("\n"), keyMovements("enter"));
});

Deno.test("keys that are none are refused with what may be meant", () => {
  assertThrows(() => keyMovements("ente"), InputError, "Did you mean enter?");
  for (const key of ["", "é", "ctrl-", "super-x", "ctrl-ctr"]) {
    assertThrows(() => keyMovements(key), InputError);
  }
});
