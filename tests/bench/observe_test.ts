import { assert, assertEquals, assertRejects } from "@std/assert";
import { ObservationError, observe } from "../../bench/observe.ts";

const shell = (script: string) => ["sh", "-c", script];
const limitMs = 20_000;

Deno.test("a process is watched to its end, its lines timed as they arrive", async () => {
  const { lines, firstByteMs, endMs } = await observe(shell("echo one; sleep 0.2; echo two"), { limitMs });
  assertEquals(lines.map(({ text }) => text), ["one", "two"]);
  assertEquals(firstByteMs, lines[0].ms);
  assert(lines[1].ms - firstByteMs > 150);
  assert(endMs - firstByteMs > 150);
});

Deno.test({
  name: "a process is ended at the text waited for, its memory read before",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const seen = await observe(shell("echo starting; printf BOOT-OK; exec sleep 60"), {
      until: "BOOT-OK",
      limitMs,
    });
    assert(seen.endMs < 10_000);
    assert(seen.peakRssBytes > 100_000);
  },
});

Deno.test("a process that fails, hangs, or never prints the text is an error with its last words", async () => {
  const fail = (script: string, options: Parameters<typeof observe>[1], message: string) =>
    assertRejects(() => observe(shell(script), options), ObservationError, message);
  await fail("echo oops >&2; exit 3", { limitMs }, "ended with 3. It printed last:\noops");
  await fail("echo almost", { until: "BOOT-OK", limitMs }, 'without "BOOT-OK". It printed last:\nalmost');
  await fail("exec sleep 60", { limitMs: 200 }, "still running after 0.2 s");
});
