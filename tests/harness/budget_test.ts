import { assertEquals, assertThrows } from "@std/assert";
import { guest, guestNs, host, hostMs } from "../../harness/budget.ts";
import { InputError } from "../../harness/errors.ts";

Deno.test("lengths of time are read with their units", () => {
  assertEquals(guest("30s"), { clock: "guest", ns: 30e9 });
  assertEquals(guest("1m30s").ns, 90e9);
  assertEquals(guest("1.5ms").ns, 1.5e6);
  assertEquals(guest("250us").ns, guest("250µs").ns);
  assertEquals(guest("7ns").ns, 7);
  assertEquals(host("2m"), { clock: "host", ms: 120_000 });
  assertEquals(host("1h").ms, 3_600_000);
});

Deno.test("what is no length of time is refused with an example of one", () => {
  for (const text of ["", "30", "s", "-1s", "1 s", "1d", "1s!", "999999999h"]) {
    assertThrows(() => guest(text), InputError, `"${text}"`);
    assertThrows(() => host(text), InputError);
  }
});

Deno.test("a budget of the wrong clock, or of none, is refused", () => {
  // deno-lint-ignore no-explicit-any
  const wrong = (value: unknown) => value as any;
  assertThrows(() => guestNs(wrong(host("1s"))), InputError, `write guest("30s"), not host(…)`);
  assertThrows(() => guestNs(wrong(30)), InputError, "not 30");
  assertThrows(() => hostMs(wrong(guest("1s"))), InputError, `write host("5m"), not guest(…)`);
  assertThrows(() => hostMs(wrong(undefined)), InputError);
});
