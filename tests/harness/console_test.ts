import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { guest, host, InputError, WaitError } from "../../mod.ts";
import { tiny } from "./_tiny.ts";

Deno.test("a wait stops the machine on the instruction that completed the match", async () => {
  await using vm = await tiny("hello");
  const hit = await vm.console.waitFor("Hello");
  assertEquals(hit.text, "Hello");
  assertEquals(vm.console.text, "Hello");
  assertEquals(vm.exit, undefined);
  assertEquals([hit.instructions, hit.guestTimeNs], [vm.instructions, vm.guestTimeNs]);
});

Deno.test("a hit carries pattern, index, captures and names", async () => {
  await using vm = await tiny("hello");
  const hit = await vm.console.waitFor(["panic", /(?<who>Hello|Bye) (from) (riscv\d\d)(x)?/]);
  assertEquals(hit.index, 1);
  assertEquals(hit.pattern instanceof RegExp, true);
  assertEquals(hit.groups, ["Hello", "from", "riscv64", ""]);
  assertEquals(hit.named.who, "Hello");
});

Deno.test("waits consume forward, and find what was printed before they began", async () => {
  await using vm = await tiny("timer");
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals((await vm.console.waitFor(/tick (\d)/)).groups, ["1"]);
  assertEquals((await vm.console.waitFor(/tick (\d)/)).groups, ["2"]);
  assertEquals((await vm.console.waitFor(/^tick (4)$/)).groups, ["4"]);
  await assertRejects(() => vm.console.waitFor("tick 3"), WaitError, "the guest powered off");
});

Deno.test("the same waits give the same instruction counts, live or after the fact", async () => {
  const counts = async (slices: boolean) => {
    await using vm = await tiny("timer");
    if (slices) { for (let i = 0; i < 20; i++) await vm.run({ for: guest("7us") }); }
    const hit = await vm.console.waitFor("tick 5");
    await vm.waitForExit();
    return [slices ? 0 : hit.instructions, vm.instructions, vm.guestTimeNs, await vm.memory.sha256()];
  };
  assertEquals(await counts(false), await counts(false));
  assertEquals((await counts(true)).slice(1), (await counts(false)).slice(1));
});

Deno.test("typing is paced by the guest and drops no character", async () => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("ready");
  const text = Array.from({ length: 100 }, (_, i) => `line ${i} of the text\n`).join("");
  await vm.console.type(text);
  await vm.console.type("quit\n");
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text.replaceAll("\r", ""), `echo ready\n${text}quit\nbye\n`);
});

Deno.test("typing into a guest that does not read fails and says how much it left", async () => {
  await using vm = await tiny("spin");
  const error = await assertRejects(() => vm.console.type("hello", { within: guest("1ms") }), WaitError);
  assertStringIncludes(error.message, "5 bytes are unread");
});

Deno.test("a match that might grow is complete with the character after it", async () => {
  await using vm = await tiny("hello");
  const hit = await vm.console.waitFor(/from (\w+)/);
  assertEquals(hit.groups, ["riscv64"]);
  assertEquals(vm.console.text, "Hello from riscv64\n");
  assertEquals((await vm.console.waitFor(/\n/)).text, "\n");
});

Deno.test("a match that might grow is settled for when nothing more comes", async () => {
  await using ended = await tiny("hello");
  await ended.waitForExit();
  assertEquals((await ended.console.waitFor(/riscv[^]*/)).text, "riscv64\n");

  await using spinning = await tiny("spin");
  assertEquals((await spinning.console.waitFor(/spin\w+[^]*/)).text, "spinning\n");
  assert(spinning.guestTimeNs > 10e6 && spinning.guestTimeNs < 11e6);

  await using waiting = await tiny("echo");
  assertEquals((await waiting.console.waitFor(/ready\s+/)).text, "ready\n");
  assertEquals(waiting.exit, undefined);
});

Deno.test("reports are short, whatever was typed and printed", async () => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("ready");
  await vm.console.type("x".repeat(50_000) + "\n");
  const error = await assertRejects(() => vm.console.waitFor("nothing like it"), WaitError);
  assert(error.message.length < 4000);
  assert(error.report.reproduce?.endsWith(" …"));
});

Deno.test("a guest that waits for input forever is a hang, until somebody types", async () => {
  await using vm = await tiny("echo");
  const error = await assertRejects(() => vm.console.waitFor("nothing like it"), WaitError);
  assertEquals(error.exit.kind, "hang");
  assertStringIncludes(error.message, "can never progress");
  assertEquals(vm.exit?.kind, "hang");
  await vm.console.type("quit\n");
  assertEquals((await vm.waitForExit()).kind, "poweroff");
});

Deno.test("a failed wait carries the case", async () => {
  await using vm = await tiny("timer");
  const error = await assertRejects(() => vm.console.waitFor(/tock (\d)/), WaitError);
  assertEquals(error.exit.kind, "poweroff");
  assertEquals(error.verdict, "guest");
  assertEquals(error.report.lastLines.length, 6);
  assertEquals(error.report.cpus[0].mode, "machine");
  for (
    const part of [
      "Waited for /tock (\\d)/ on the console, but the guest powered off",
      "nearest miss: tick 1",
      "cpu 0: pc 0x",
      "| tick 5",
      `${error.report.instructions} instructions`,
      "--kernel",
      "timer.elf",
      `--expect 'tock (\\d)'`,
    ]
  ) assertStringIncludes(error.message, part);
});

Deno.test("a guest that spins forever spends its budget, and can go on", async () => {
  await using vm = await tiny("spin");
  const within = guest("2ms");
  const error = await assertRejects(() => vm.console.waitFor("done", { within }), WaitError);
  assertEquals(error.exit.kind, "guestBudget");
  assertEquals(vm.guestTimeNs, 2_000_000);
  assertEquals(vm.exit, undefined);
  assertEquals((await vm.waitForExit({ within })).kind, "guestBudget");
});

Deno.test("the watchdog's verdict is about the host", async () => {
  await using vm = await tiny("spin");
  const error = await assertRejects(
    () => vm.console.waitFor("done", { within: guest("1h"), watchdog: host("50ms") }),
    WaitError,
  );
  assertEquals([error.exit.kind, error.verdict], ["hostWatchdog", "watchdog"]);
  assertStringIncludes(error.message, "host may be too slow");
});

Deno.test("the event loop goes on while a machine runs", async () => {
  await using vm = await tiny("spin");
  let turns = 0;
  const interval = setInterval(() => turns++, 5);
  await vm.waitForExit({ within: guest("1h"), watchdog: host("200ms") });
  clearInterval(interval);
  assert(turns >= 2, `${turns} turns`);
});

Deno.test("a guest that prints without end keeps within the transcript's bound", async () => {
  await using vm = await tiny("flood", { transcriptBytes: 8192 });
  await vm.run({ for: guest("10ms") });
  assert(vm.console.bytes.length <= 8192);
  assertStringIncludes(vm.console.text, "bytes were dropped");
  const hit = await vm.console.waitFor(/^flood (\d+)\n/);
  assert(Number(hit.groups[0]) > 1000);
});

Deno.test("output is handed over whole and in order", async () => {
  await using vm = await tiny("flood");
  const chunks: Uint8Array[] = [];
  vm.console.onOutput = (bytes) => chunks.push(bytes);
  await vm.console.waitFor("flood 5000\n");
  vm.console.flush();
  assertEquals(await new Blob(chunks as BlobPart[]).text(), vm.console.text);
});

Deno.test("two waits at once on one machine: the second is refused, the first goes on", async () => {
  await using vm = await tiny("timer");
  const first = vm.console.waitFor("tick 3");
  await Promise.all([
    assertRejects(() => vm.console.waitFor("tick 1"), InputError, "under way"),
    assertRejects(() => vm.run({ for: guest("1s") }), InputError, "under way"),
  ]);
  assertEquals((await first).text, "tick 3");
});

Deno.test("patterns that cannot be waited for are refused before the machine moves", async () => {
  await using vm = await tiny("hello");
  await assertRejects(() => vm.console.waitFor(""), InputError, "empty string");
  await assertRejects(() => vm.console.waitFor(/x*/), InputError, "empty string");
  await assertRejects(() => vm.console.waitFor([]), InputError, "no pattern");
  assertEquals(vm.instructions, 0);
});

Deno.test("colours do not hide a match, and are kept in the bytes", async () => {
  await using vm = await tiny("echo");
  await vm.console.type("\x1b[1;31mFAI\x1b[0mLED: \x1b]0;title\x07unit\n");
  const hit = await vm.console.waitFor(/FAILED: (\w+)$/);
  assertEquals(hit.groups, ["unit"]);
  assertEquals(vm.console.text.includes("\x1b"), false);
  assertStringIncludes(new TextDecoder().decode(vm.console.bytes), "\x1b[1;31mFAI\x1b[0mLED");
});

Deno.test('with ansi: "keep" patterns see escape sequences', async () => {
  await using vm = await tiny("echo", { ansi: "keep" });
  await vm.console.type("\x1b[31mred\n");
  await vm.console.waitFor("\x1b[31mred");
  assertStringIncludes(vm.console.text, "\x1b[31mred");
});

Deno.test("never() passes when the guest does not print it, and consumes nothing", async () => {
  await using vm = await tiny("echo");
  await vm.console.never(/panic/i, { during: guest("1ms") });
  assertEquals(vm.guestTimeNs, 1_000_000);
  await vm.console.waitFor("ready");
});

Deno.test("never() lets an idle guest's time pass", async () => {
  await using vm = await tiny("echo");
  await vm.console.never("panic", { during: guest("30s") });
  assertEquals([vm.guestTimeNs, vm.exit], [30e9, undefined]);
});

Deno.test("never() fails on the instruction that printed it, and on what was printed before", async () => {
  await using vm = await tiny("hello");
  const error = await assertRejects(() => vm.console.never("Hello", { during: guest("1s") }), WaitError);
  assertStringIncludes(error.message, 'without "Hello" on the console, but it printed "Hello"');
  assertEquals(vm.console.text, "Hello");
  await assertRejects(() => vm.console.never(/Hel+o/, { during: guest("1s") }), WaitError, '"Hello"');
});

Deno.test("never() is no pass when the guest ends meanwhile", async () => {
  await using vm = await tiny("hello");
  await assertRejects(
    () => vm.console.never("panic", { during: guest("1s") }),
    WaitError,
    "the guest powered off",
  );
});

Deno.test("never() without a length of guest time is refused", async () => {
  await using vm = await tiny("hello");
  // @ts-expect-error: what a JavaScript user might write
  await assertRejects(() => vm.console.never("panic", { during: "5s" }), InputError, 'write guest("30s")');
});

Deno.test("lines are sent with their end, and keys are pressed", async () => {
  await using vm = await tiny("echo");
  await vm.console.sendLine("hello");
  await vm.console.press("x");
  await vm.console.press("enter");
  await vm.console.sendLine("quit");
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text, "echo ready\nhello\nx\nquit\nbye\n");
});

Deno.test("a dialogue waits and answers in turn", async () => {
  await using vm = await tiny("echo");
  const hits = await vm.console.dialogue([
    { expect: "ready", send: "name?\n" },
    { expect: [/nom\?/, /name\?/], send: "quit\n" },
    { expect: /b(y)e/ },
  ]);
  assertEquals(hits.map((hit) => [hit.text, hit.index]), [["ready", 0], ["name?", 1], ["bye", 0]]);
});

Deno.test("a machine may run on a little after a match, so that the next line is not lost", async () => {
  await using vm = await tiny("hello");
  const hit = await vm.console.waitFor("Hello", { linger: guest("1ms") });
  assertEquals(hit.text, "Hello");
  assert(hit.instructions < vm.instructions);
  assertEquals(vm.console.text, "Hello from riscv64\n");
  assertEquals((await vm.console.waitFor(/from (\w+)/)).groups, ["riscv64"]);
});

Deno.test("the recording says when what was printed came", async () => {
  await using vm = await tiny("timer");
  await vm.waitForExit({ kind: "poweroff" });
  const marks = vm.console.recording();
  assertEquals(marks[0].offset, 0);
  const second = vm.console.text.indexOf("tick 2");
  assert(marks.some(({ offset, atNs }) => offset === second && atNs > marks[0].atNs), JSON.stringify(marks));
});
