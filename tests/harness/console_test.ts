import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { guest, type GuestDuration, host, type HostDuration, InputError, type Vm } from "../../mod.ts";
import { tiny } from "./_tiny.ts";

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

Deno.test("patterns that cannot be waited for are refused before the machine moves", async () => {
  await using vm = await tiny("hello");
  await assertRejects(() => vm.console.waitFor(""), InputError, "empty string");
  await assertRejects(() => vm.console.waitFor(/x*/), InputError, "empty string");
  await assertRejects(() => vm.console.waitFor([]), InputError, "no pattern");
  assertEquals(vm.instructions, 0);
});

Deno.test("a wait whose budget has no clock, or the other one, is refused and leaves nothing behind", async () => {
  const waits: ((vm: Vm, within: GuestDuration, watchdog: HostDuration) => Promise<unknown>)[] = [
    ({ console }, within, watchdog) => console.waitFor("x", { within, watchdog }),
    ({ console }, linger, watchdog) => console.waitFor("echo ready", { linger, watchdog }),
    ({ console }, during, watchdog) => console.never("x", { during, watchdog }),
    ({ console }, within, watchdog) => console.type("typed", { within, watchdog }),
    ({ console }, within, watchdog) => console.type("", { within, watchdog }),
    ({ console }, within, watchdog) => console.sendLine("typed", { within, watchdog }),
    ({ console }, within, watchdog) => console.press("t", { within, watchdog }),
    ({ console }, within, watchdog) => console.dialogue([{ expect: "x" }], { within, watchdog }),
    ({ console }, within, watchdog) => console.readLines("a line", () => true, { within, watchdog }),
    (vm, time, watchdog) => vm.run({ for: time, watchdog }),
    (vm, within, watchdog) => vm.waitForExit({ within, watchdog }),
    ({ shell }, within, watchdog) => shell.run("typed", { within, watchdog }),
    ({ shell }, within, watchdog) => shell.writeFile("/typed", "", { within, watchdog }),
    ({ shell }, within, watchdog) => shell.readFile("/typed", { within, watchdog }),
    ({ shell }, within, watchdog) => shell.copyIn(import.meta.filename!, "/typed", { within, watchdog }),
  ];
  // deno-lint-ignore no-explicit-any
  const wrong = (value: unknown) => value as any;
  await using vm = await tiny("echo");
  for (const wait of waits) {
    const wanted = `budget is guest time: write guest("30s")`;
    for (const value of [30, "30s", host("1s")]) {
      await assertRejects(() => wait(vm, wrong(value), host("1m")), InputError, wanted, `${wait}`);
    }
    for (const value of [30, guest("1s")]) {
      await assertRejects(() => wait(vm, guest("1s"), wrong(value)), InputError, "is host time", `${wait}`);
    }
  }
  assertEquals([vm.instructions, vm.timeline.events.length], [0, 0]);
  await vm.console.sendLine("quit");
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text, "echo ready\nquit\nbye\n");
});

Deno.test('with ansi: "keep" patterns see escape sequences', async () => {
  await using vm = await tiny("echo", { ansi: "keep" });
  await vm.console.type("\x1b[31mred\n");
  await vm.console.waitFor("\x1b[31mred");
  assertStringIncludes(vm.console.text, "\x1b[31mred");
});

Deno.test("never() without a length of guest time is refused", async () => {
  await using vm = await tiny("hello");
  // @ts-expect-error: what a JavaScript user might write
  await assertRejects(() => vm.console.never("panic", { during: "5s" }), InputError, 'write guest("30s")');
});

Deno.test("a machine may run on a little after a match, so that the next line is not lost", async () => {
  await using vm = await tiny("hello");
  const hit = await vm.console.waitFor("Hello", { linger: guest("1ms") });
  assertEquals(hit.text, "Hello");
  assert(hit.instructions < vm.instructions);
  assertEquals(vm.console.text, "Hello from riscv64\n");
  assertEquals((await vm.console.waitFor(/from (\w+)/)).groups, ["riscv64"]);
});
