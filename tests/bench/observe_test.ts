import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ObservationError, observe, parsePeakRss } from "../../bench/observe.ts";

const shell = (script: string) => ["sh", "-c", script];
const limitMs = 20_000;

Deno.test("a process is watched to its end, its lines timed as they arrive", async () => {
  const { lines, firstByteMs, endMs } = await observe(shell("echo one; sleep 0.2; echo two"), { limitMs });
  assertEquals(lines.map(({ text }) => text), ["one", "two"]);
  assertEquals(firstByteMs, lines[0].ms);
  assert(lines[1].ms - firstByteMs > 150);
  assert(endMs - firstByteMs > 150);
});

Deno.test("a process is ended at the text waited for, its memory read before", async () => {
  const seen = await observe(shell("echo starting; printf BOOT-OK; exec sleep 60"), {
    until: "BOOT-OK",
    memory: (pid) => pid > 0 ? 4096 : NaN,
    limitMs,
  });
  assert(seen.endMs < 10_000);
  assertEquals(seen.peakRssBytes, 4096);
});

Deno.test("the peak of the memory is read from the kernel's account of a process", () => {
  assertEquals(
    parsePeakRss("VmPeak:\t  9000 kB\nVmHWM:\t  240640 kB\nVmRSS:\t  100 kB\n"),
    235 * 1024 * 1024,
  );
  assertThrows(() => parsePeakRss("State:\tZ (zombie)\n"), ObservationError, "ended before");
});

Deno.test("a process that fails, hangs, or never prints the text is an error with its last words", async () => {
  const fail = (script: string, options: Parameters<typeof observe>[1], message: string) =>
    assertRejects(() => observe(shell(script), options), ObservationError, message);
  await fail("echo oops >&2; exit 3", { limitMs }, "ended with 3. It printed last:\noops");
  await fail("echo almost", { until: "BOOT-OK", limitMs }, 'without "BOOT-OK". It printed last:\nalmost');
  await fail("exec sleep 60", { limitMs: 200 }, "still running after 0.2 s");
});

Deno.test("a process is ended too when its memory cannot be read", async () => {
  const memory = () => {
    throw new ObservationError("no memory");
  };
  const options = { until: "BOOT-OK", memory, limitMs };
  await assertRejects(
    () => observe(shell("echo BOOT-OK; exec sleep 60"), options),
    ObservationError,
    "no memory",
  );
});
