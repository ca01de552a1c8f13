import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { guest, GuestCrashError, host, InputError, WaitError } from "../../../mod.ts";
import { amount, aWhile, sharedTest } from "./_rows.ts";

sharedTest("a machine stands still until it is awaited", async (_, tiny) => {
  await using vm = await tiny("hello");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals([vm.guestTimeNs, vm.console.text], [0, ""]);
});

sharedTest("a wait stops the machine on the byte that completed the match", async (_, tiny) => {
  await using vm = await tiny("hello");
  const hit = await vm.console.waitFor("Hello");
  assertEquals(hit.text, "Hello");
  assertEquals(vm.console.text, "Hello");
  assertEquals(vm.exit, undefined);
  assertEquals([hit.instructions, hit.guestTimeNs], [vm.instructions, vm.guestTimeNs]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals([vm.console.text, vm.guestTimeNs], ["Hello", hit.guestTimeNs]);
});

sharedTest("a hit carries pattern, index, captures and names", async ({ arch }, tiny) => {
  await using vm = await tiny("hello");
  const hit = await vm.console.waitFor(["panic", /(?<who>Hello|Bye) (from) (\w+)(!)?/]);
  assertEquals(hit.index, 1);
  assertEquals(hit.pattern instanceof RegExp, true);
  assertEquals(hit.groups, ["Hello", "from", arch, ""]);
  assertEquals(hit.named.who, "Hello");
});

sharedTest("waits consume forward, and find what was printed before they began", async (_, tiny) => {
  await using vm = await tiny("timer");
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals((await vm.console.waitFor(/tick (\d)/)).groups, ["1"]);
  assertEquals((await vm.console.waitFor(/tick (\d)/)).groups, ["2"]);
  assertEquals((await vm.console.waitFor(/^tick (4)$/)).groups, ["4"]);
  await assertRejects(() => vm.console.waitFor("tick 3"), WaitError, "the guest powered off");
});

sharedTest("a match that might grow is complete with the character after it", async ({ arch }, tiny) => {
  await using vm = await tiny("hello");
  const hit = await vm.console.waitFor(/from (\w+)/);
  assertEquals(hit.groups, [arch]);
  assertEquals(vm.console.text, `Hello from ${arch}\n`);
  assertEquals((await vm.console.waitFor(/\n/)).text, "\n");
});

sharedTest("a match that might grow is settled for when nothing more comes", async (row, tiny) => {
  await using ended = await tiny("hello");
  await ended.waitForExit();
  assertEquals((await ended.console.waitFor(/from[^]*/)).text, `from ${row.arch}\n`);

  await using spinning = await tiny("spin");
  assertEquals((await spinning.console.waitFor(/spin\w+[^]*/)).text, "spinning\n");
  assert(spinning.guestTimeNs > 10e6);
  if (row.countsTime) assert(spinning.guestTimeNs < 11e6);

  await using waiting = await tiny("echo");
  assertEquals((await waiting.console.waitFor(/ready\s+/)).text, "ready\n");
  assertEquals(waiting.exit, undefined);
});

sharedTest("a guest that can never progress is a hang", async (_, tiny) => {
  await using vm = await tiny("halt");
  const error = await assertRejects(() => vm.console.waitFor("nothing like it"), WaitError);
  assertEquals(error.exit.kind, "hang");
  assertStringIncludes(error.message, "can never progress");
  assertEquals(vm.exit?.kind, "hang");
  assertEquals(vm.cpu(0).state, "waiting");
});

sharedTest("a failed wait carries the case", async ({ arch, mode }, tiny) => {
  await using vm = await tiny("timer");
  const error = await assertRejects(() => vm.console.waitFor(/tock (\d)/), WaitError);
  assertEquals(error.exit.kind, "poweroff");
  assertEquals(error.verdict, "guest");
  assertEquals(error.report.lastLines.length, 6);
  assertEquals(error.report.cpus[0].mode, mode);
  for (
    const part of [
      "Waited for /tock (\\d)/ on the console, but the guest powered off",
      "nearest miss: tick 1",
      "cpu 0: pc 0x",
      "| tick 5",
      `--arch ${arch} --kernel`,
      "timer.elf",
      `--expect 'tock (\\d)'`,
    ]
  ) assertStringIncludes(error.message, part);
});

sharedTest("a guest that spins forever spends its budget, and can go on", async (row, tiny) => {
  await using vm = await tiny("spin");
  const within = guest("2ms");
  const error = await assertRejects(() => vm.console.waitFor("done", { within }), WaitError);
  assertEquals(error.exit.kind, "guestBudget");
  assert(vm.guestTimeNs >= 2_000_000);
  if (row.countsTime) assertEquals(vm.guestTimeNs, 2_000_000);
  assertEquals(vm.exit, undefined);
  assertEquals((await vm.waitForExit({ within })).kind, "guestBudget");
});

sharedTest("the watchdog's verdict is about the host", async (_, tiny) => {
  await using vm = await tiny("spin");
  const error = await assertRejects(
    () => vm.console.waitFor("done", { within: guest("1h"), watchdog: host("50ms") }),
    WaitError,
  );
  assertEquals([error.exit.kind, error.verdict], ["hostWatchdog", "watchdog"]);
  assertStringIncludes(error.message, "host may be too slow");
});

sharedTest("the event loop goes on while a machine runs", async (_, tiny) => {
  await using vm = await tiny("spin");
  let turns = 0;
  const interval = setInterval(() => turns++, 5);
  await vm.waitForExit({ within: guest("1h"), watchdog: host("500ms") });
  clearInterval(interval);
  assert(turns >= 2, `${turns} turns`);
});

sharedTest("a guest that prints without end keeps within the transcript's bound", async (row, tiny) => {
  await using vm = await tiny("flood", { transcriptBytes: 4096 });
  await vm.console.waitFor("flood 600\n");
  await vm.run({ for: aWhile(row) });
  assert(vm.console.bytes.length <= 4096);
  assertStringIncludes(vm.console.text, "bytes were dropped");
  const hit = await vm.console.waitFor(/^flood (\d+)\n/);
  assert(Number(hit.groups[0]) > 600);
});

sharedTest("output is handed over whole and in order", async (_, tiny) => {
  await using vm = await tiny("flood");
  const chunks: Uint8Array[] = [];
  vm.console.onOutput = (bytes) => chunks.push(bytes);
  await vm.console.waitFor(`flood ${amount(3000)}\n`);
  vm.console.flush();
  assertEquals(await new Blob(chunks as BlobPart[]).text(), vm.console.text);
});

sharedTest("two waits at once on one machine: the second is refused, the first goes on", async (_, tiny) => {
  await using vm = await tiny("timer");
  const first = vm.console.waitFor("tick 3");
  await Promise.all([
    assertRejects(() => vm.console.waitFor("tick 1"), InputError, "under way"),
    assertRejects(() => vm.run({ for: guest("1s") }), InputError, "under way"),
  ]);
  assertEquals((await first).text, "tick 3");
});

sharedTest("never() passes when the guest does not print it, and consumes nothing", async (row, tiny) => {
  await using vm = await tiny("echo");
  await vm.console.never(/panic/i, { during: aWhile(row) });
  assert(vm.guestTimeNs >= aWhile(row).ns);
  await vm.console.waitFor("ready");
});

sharedTest("never() fails on the byte that printed it, and on what was printed before", async (_, tiny) => {
  await using vm = await tiny("hello");
  const error = await assertRejects(() => vm.console.never("Hello", { during: guest("1s") }), WaitError);
  assertStringIncludes(error.message, 'without "Hello" on the console, but it printed "Hello"');
  assertEquals(vm.console.text, "Hello");
  await assertRejects(() => vm.console.never(/Hel+o/, { during: guest("1s") }), WaitError, '"Hello"');
});

sharedTest("never() is no pass when the guest ends meanwhile", async (_, tiny) => {
  await using vm = await tiny("hello");
  await assertRejects(
    () => vm.console.never("panic", { during: guest("1s") }),
    WaitError,
    "the guest powered off",
  );
});

sharedTest(
  "an idle guest's time passes at once",
  async (_, tiny) => {
    await using vm = await tiny("echo");
    await vm.console.never("panic", { during: guest("30s") });
    assertEquals([vm.guestTimeNs, vm.exit], [30e9, undefined]);
  },
  { countedTime: true },
);

sharedTest(
  "a guest that waits for input forever is a hang, until somebody types",
  async (_, tiny) => {
    await using vm = await tiny("echo");
    const error = await assertRejects(() => vm.console.waitFor("nothing like it"), WaitError);
    assertEquals(error.exit.kind, "hang");
    await vm.console.type("quit\n");
    assertEquals((await vm.waitForExit()).kind, "poweroff");
  },
  { countedTime: true },
);

sharedTest("a crash on the console ends the wait with its report", async (_, tiny) => {
  await using vm = await tiny("panic");
  const error = await assertRejects(() => vm.console.waitFor("all is well"), GuestCrashError);
  assertEquals(error.crash.title, "kernel panic: sysrq triggered crash");
  assertStringIncludes(error.crashReport, "---[ end Kernel panic");
});

sharedTest("the recording says when what was printed came", async (_, tiny) => {
  await using vm = await tiny("timer");
  await vm.waitForExit({ kind: "poweroff" });
  const marks = vm.console.recording();
  assertEquals(marks[0].offset, 0);
  const second = vm.console.text.indexOf("tick 2");
  assert(marks.some(({ offset, atNs }) => offset <= second && atNs > marks[0].atNs), JSON.stringify(marks));
});
