import { assert, assertAlmostEquals } from "@std/assert";
import { cycleClock } from "../../../accel/ffi/clock.ts";
import { canTranslate } from "../../support/guest_machines.ts";

Deno.test({
  name: "a clock of cycles keeps the time that the host's clock keeps, and takes hardly any to be read",
  ignore: !canTranslate,
  async fn() {
    using clock = cycleClock();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const began = performance.now(), before = clock();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const after = clock(), tookMs = performance.now() - began;
    assertAlmostEquals((after - before) * clock.cycleMs(), tookMs, tookMs / 20);
    const spans = Array.from({ length: 2001 }, () => -clock() + clock()).sort((a, b) => a - b);
    assert(spans[0] >= 0, `${spans[0]} cycles`);
    assert(spans[1000] * clock.cycleMs() < 1e-3, `${spans[1000]} cycles`);
  },
});
