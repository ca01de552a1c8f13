import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { guest, GuestCrashError, InputError, type Vm, WaitError } from "../../../mod.ts";
import { aWhile, sharedTest } from "./_rows.ts";

sharedTest("exits are values", async (_, tiny) => {
  for (const [name, kind] of [["hello", "poweroff"], ["reset", "reset"]] as const) {
    await using vm = await tiny(name);
    assertEquals((await vm.waitForExit()).kind, kind);
    assertEquals(vm.exit?.kind, kind);
  }
  await using vm = await tiny("fault");
  assertEquals(await vm.waitForExit(), { kind: "debugExit", code: 2 });
  assertStringIncludes(vm.console.text, "at the illegal instruction");
});

sharedTest("a triple fault is a crash of every wait, unless it was named or announced", async (_, tiny) => {
  const waits: [string, (vm: Vm) => Promise<unknown>][] = [
    ["for a pattern", (vm) => vm.console.waitFor("never printed")],
    ["for any exit", (vm) => vm.waitForExit()],
    ["for another exit", (vm) => vm.waitForExit({ kind: ["poweroff", "reset"] })],
    ["for time to pass", (vm) => vm.run({ for: guest("1s") })],
    ["for nothing to be printed", (vm) => vm.console.never("panic", { during: guest("1s") })],
  ];
  for (const [what, wait] of waits) {
    await using vm = await tiny("nowhere");
    const error = await assertRejects(() => wait(vm), GuestCrashError, "triple fault", what);
    assertEquals([error.exit.kind, error.crash.rule, vm.exit?.kind], [
      "tripleFault",
      "triple-fault",
      "tripleFault",
    ]);
    // Told once; the machine is none the better for it.
    await assertRejects(() => vm.console.waitFor("never printed"), WaitError, "triple fault");
  }
  await using named = await tiny("nowhere");
  assertEquals((await named.waitForExit({ kind: "tripleFault" })).kind, "tripleFault");
  assertEquals(named.faults.all.map(({ rule }) => rule), ["triple-fault"]);

  await using announced = await tiny("nowhere");
  using _fault = announced.faults.expect("triple-fault");
  assertEquals((await announced.waitForExit()).kind, "tripleFault");
});

sharedTest("only the exit that was named is a pass", async (_, tiny) => {
  await using vm = await tiny("fault");
  const error = await assertRejects(() => vm.waitForExit({ kind: ["poweroff", "reset"] }), WaitError);
  assertEquals(error.exit, { kind: "debugExit", code: 2 });
  assertStringIncludes(error.message, "end by poweroff or reset, but the guest ended with code 2");
});

sharedTest("a guest that resets in a loop starts over a bounded number of times", async (_, tiny) => {
  await using vm = await tiny("reset", { onReset: "reboot" });
  assertEquals(await vm.waitForExit(), { kind: "reset" });
  assertEquals(vm.console.text.match(/resetting/g)?.length, 17);
});

sharedTest("reset() starts the guest over; guest time goes on", async ({ arch, countsTime }, tiny) => {
  await using vm = await tiny("hello");
  await vm.waitForExit({ kind: "poweroff" });
  const { guestTimeNs, instructions } = vm;
  vm.reset();
  assertEquals(vm.exit, undefined);
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text, `Hello from ${arch}\n`.repeat(2));
  assert(vm.guestTimeNs > guestTimeNs);
  if (countsTime) assertEquals(vm.instructions, 2 * instructions);
});

sharedTest("reset() starts a guest over that was in the middle of something", async (row, tiny) => {
  await using vm = await tiny("timer");
  await vm.console.waitFor("tick 3");
  vm.reset();
  await vm.waitForExit({ kind: "poweroff" });
  const ticks = vm.console.text.match(/\d(?=\n)/g)?.join("");
  assertEquals(ticks?.endsWith("12345"), true, vm.console.text);
  assertEquals(vm.cpu(0).mode, row.mode);
});

sharedTest("poweroff() pulls the plug", async (row, tiny) => {
  await using vm = await tiny("spin");
  await vm.run({ for: aWhile(row) });
  vm.poweroff();
  assertEquals(vm.exit, { kind: "poweroff" });
  assertEquals(await vm.waitForExit(), { kind: "poweroff" });
});

sharedTest(
  "run() lets so much guest time pass, also for a guest that waits for nothing",
  async (row, tiny) => {
    await using vm = await tiny("echo");
    const time = row.countsTime ? guest("3s") : guest("100ms");
    assertEquals(await vm.run({ for: time }), undefined);
    assert(vm.guestTimeNs >= time.ns);
    if (row.countsTime) {
      assertEquals(vm.guestTimeNs, time.ns);
      assert(vm.instructions < 1e6);
      assertEquals(await vm.run({ for: guest("1ns") }), undefined);
      assertEquals(vm.guestTimeNs, time.ns + 1);
    }
  },
);

sharedTest("run() returns the exit of a guest that ends meanwhile", async (_, tiny) => {
  await using vm = await tiny("hello");
  assertEquals(await vm.run({ for: guest("1s") }), { kind: "poweroff" });
});

sharedTest("every vCPU is there", async ({ processor }, tiny) => {
  await using vm = await tiny("smp", { cpus: 4 });
  await vm.waitForExit({ kind: "poweroff" });
  const hellos = [0, 1, 2, 3].map((n) => `hello from ${processor} ${n}\n`).join("");
  assertEquals(vm.console.text, `${hellos}${processor}s 4 sum 6\n`);
  assertEquals(vm.cpuCount, 4);
  assertEquals([0, 1, 2, 3].map((i) => vm.cpu(i).index), [0, 1, 2, 3]);
  assertEquals([1, 2, 3].map((i) => vm.cpu(i).state), ["waiting", "waiting", "waiting"]);
});

sharedTest("an engine says what it is", async ({ engine, countsTime }, tiny) => {
  await using vm = await tiny("hello");
  assertEquals([vm.engine.name, vm.engine.deterministic], [engine as string, countsTime]);
});

sharedTest("a closed machine refuses everything, and a wait under way ends", async (_, tiny) => {
  const vm = await tiny("spin");
  const wait = assertRejects(
    () => vm.console.waitFor("never", { within: guest("1h") }),
    InputError,
    "closed",
  );
  await vm[Symbol.asyncDispose]();
  await wait;
  assertThrows(() => vm.memory.readPhysical(vm.memory.base, 1), InputError, "closed");
  assertThrows(() => vm.cpu(0).pc, InputError, "closed");
  await assertRejects(() => vm.run({ for: guest("1s") }), InputError, "closed");
  await vm[Symbol.asyncDispose]();
});

sharedTest("a closed machine's counters are what they were last", async (_, tiny) => {
  const vm = await tiny("hello");
  await vm.waitForExit();
  const { instructions } = vm, names = Object.keys(vm.statistics);
  await vm[Symbol.asyncDispose]();
  assertEquals([vm.instructions, Object.keys(vm.statistics)], [instructions, names]);
});

sharedTest("the second serial line is a console of its own", async (_, tiny) => {
  await using vm = await tiny("hello");
  await vm.waitForExit();
  assertEquals(vm.serial(0), vm.console);
  assertEquals(vm.serial(1).text, "");
  assertThrows(() => vm.serial(7), InputError, "no serial line 7");
});
