import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { SampledTimer } from "../../accel/dbt/sampled_timer.ts";
import type { ThreadClock } from "../../accel/ffi/clock.ts";

/** A clock that the test sets, and that each reading moves on by 2 ms. */
class Clock {
  nowMs = 0;
  readings = 0;
  readonly read: ThreadClock = Object.assign(
    () => {
      this.readings++;
      this.nowMs += 2;
      return this.nowMs;
    },
    { readingMs: () => 2, [Symbol.dispose]() {} },
  );
}

Deno.test("a sampled timer knows what work took without the readings of its clock", () => {
  const clock = new Clock();
  const timer = new SampledTimer(clock.read);
  assertEquals(timer.totalMs, 0);
  for (let i = 0; i < 10; i++) {
    timer.begin();
    clock.nowMs += i;
    timer.end(1);
  }
  assertEquals(timer.totalMs, 45);
});

Deno.test("a sampled timer lets its first pieces stand for themselves and few of the others for all", () => {
  const clock = new Clock();
  const timer = new SampledTimer(clock.read);
  let tookMs = 0;
  for (let i = 0; i < 100_000; i++) {
    const size = 1 + i % 7;
    const pieceMs = (i === 0 ? 5000 : 0) + 3 * size;
    timer.begin();
    clock.nowMs += pieceMs;
    timer.end(size);
    tookMs += pieceMs;
  }
  assertAlmostEquals(timer.totalMs, tookMs, tookMs / 1e6);
  assert(clock.readings < 15_000, `${clock.readings} readings`);
});
