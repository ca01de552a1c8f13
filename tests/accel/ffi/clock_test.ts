import { assert, assertAlmostEquals } from "@std/assert";
import { threadClock } from "../../../accel/ffi/clock.ts";
import { canTranslate } from "../../support/guest_machines.ts";

Deno.test({
  name:
    "a thread's clock goes on while the thread works, not while it sleeps, and knows what reading it costs",
  ignore: !canTranslate,
  async fn() {
    using clock = threadClock();
    const began = performance.now(), before = clock();
    while (clock() - before < 5);
    assert(performance.now() - began > 4.9);
    const asleep = clock();
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert(clock() - asleep < 100);
    const cost = clock.readingMs();
    assert(cost > 0 && cost < 0.1, `${cost} ms`);
    // Spans that take nothing are nothing, once that is subtracted, on average over many.
    const spans = Array.from({ length: 2001 }, () => -clock() + clock() - cost);
    assertAlmostEquals(spans.sort((a, b) => a - b)[1000], 0, cost / 2);
  },
});
