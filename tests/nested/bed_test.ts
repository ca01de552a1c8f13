import { assert } from "@std/assert";
import { isStuck } from "./bed.ts";

Deno.test("a bed that is stuck is told by what its kernel says, and not by tests that speak of it", () => {
  assert(
    isStuck(
      "a guest prints ...[  244.865498] watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [deno:149]\n",
    ),
  );
  assert(!isStuck("a soft lockup of the guest ends the wait ... ok (12ms)\n"));
});
