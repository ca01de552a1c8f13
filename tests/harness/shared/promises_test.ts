/**
 * What goes wrong with other ways of testing kernels, by the words of those that it goes wrong for. Each is
 * impossible here, and has a test of its name.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { guest, GuestCrashError, host, type Vm, WaitError } from "../../../mod.ts";
import { linuxTest } from "./_linux.ts";
import { amount, sharedTest } from "./_rows.ts";

linuxTest("no serial line is garbled by kernel messages", async ({ atPrompt }) => {
  await using vm = await atPrompt({ append: "console=ttyS0 loglevel=8 printk.devkmsg=on" });
  // The kernel speaks on the console the whole time, in the middle of whatever else is there.
  await vm.console.sendLine("(while :; do echo '<3>message' >/dev/kmsg; done) &");
  await vm.console.waitFor(/# $/m);
  const count = amount(300);
  const lines = Array.from({ length: count }, (_, i) => `line ${i} of what the command prints\n`).join("");
  const before = vm.console.text.length;
  const { stdout, stderr } = await vm.shell.run("tee /proc/self/fd/2", { stdin: lines, within: guest("5m") });
  assertEquals([stdout, stderr], [lines, lines]);
  const meanwhile = vm.console.text.slice(before);
  assert(meanwhile.split("message").length > 20, "the kernel has spoken");
  assert(!meanwhile.includes("of what the command prints"), "the command has not");
});

sharedTest("no typed character is dropped", async (_, tiny) => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("ready\n");
  // Far more than a receiver's FIFO holds, at once, to a guest that prints each character before the next.
  const text = Array.from({ length: 400 }, (_, i) => `${i}: the quick brown fox\n`).join("");
  await vm.console.type(text);
  await vm.console.sendLine("quit");
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text, `echo ready\n${text}quit\nbye\n`);
});

sharedTest("no prompt is missed for want of a newline", async (_, tiny) => {
  await using vm = await tiny("hello");
  assertEquals((await vm.console.waitFor(/Hello f$/)).text, "Hello f");
  assertEquals([vm.console.text, vm.exit], ["Hello f", undefined]);
});

sharedTest("no time-out measures the host's load", async (row, tiny) => {
  /** What comes of a budget, on a host that has better things to do in between, or not. */
  const spend = async (busyMs: number) => {
    await using vm = await tiny("spin");
    const end = performance.now() + 20_000;
    const load = setInterval(() => {
      for (const until = Math.min(end, performance.now() + busyMs); performance.now() < until;);
    }, 0);
    try {
      const within = guest(row.countsTime ? "5ms" : "100ms");
      const error = await assertRejects(() => vm.console.waitFor("never printed", { within }), WaitError);
      return { kind: error.exit.kind, verdict: error.verdict, at: vm.guestTimeNs, pc: vm.cpu(0).pc, within };
    } finally {
      clearInterval(load);
    }
  };
  const idle = await spend(0), loaded = await spend(15);
  assertEquals([idle.kind, idle.verdict], ["guestBudget", "guest"]);
  assertEquals([loaded.kind, loaded.verdict], ["guestBudget", "guest"]);
  assert(loaded.at >= loaded.within.ns);
  if (row.countsTime) assertEquals(loaded, idle);
});

sharedTest(
  "no budget is spent on a host that is too slow: that is the watchdog's verdict",
  async (_, tiny) => {
    await using vm = await tiny("spin");
    const error = await assertRejects(
      () => vm.console.waitFor("never printed", { within: guest("10h"), watchdog: host("100ms") }),
      WaitError,
    );
    assertEquals([error.exit.kind, error.verdict], ["hostWatchdog", "watchdog"]);
  },
);

sharedTest("no panic is noticed after minutes", async (row, tiny) => {
  await using vm = await tiny("panic");
  const error = await assertRejects(
    () => vm.console.waitFor("login:", { within: guest("10h") }),
    GuestCrashError,
  );
  assertEquals(error.crash.title, "kernel panic: sysrq triggered crash");
  const lateNs = vm.guestTimeNs - error.crash.atNs;
  assert(lateNs < (row.countsTime ? 10e6 : 2e9), `${lateNs} ns late`);
});

linuxTest("no panic is noticed after minutes, also where no console shows it", async ({ row, boot }) => {
  await using vm = await boot({ append: "console=none" });
  const error = await assertRejects(
    () => vm.console.waitFor("login:", { within: guest("10m") }),
    GuestCrashError,
    "Attempted to kill init!",
  );
  assertEquals(vm.console.text, "");
  assertStringIncludes(error.crashReport, "Kernel panic - not syncing");
  if (row.countsTime) assert(vm.guestTimeNs < 5e9, `${vm.guestTimeNs} ns`);
});

sharedTest("no hang is silent", async (row, tiny) => {
  await using proven = await tiny("halt");
  const error = await assertRejects(
    () => proven.console.waitFor("never printed", { within: guest("10h") }),
    WaitError,
    "the guest can never progress",
  );
  assertEquals([error.exit.kind, error.report.cpus[0].state], ["hang", "waiting"]);

  await using busy = await tiny("spin");
  const within = guest(row.countsTime ? "40ms" : "500ms");
  const spent = await assertRejects(() => busy.console.waitFor("never printed", { within }), WaitError);
  assertStringIncludes(spent.message, "where it was busy:");
  assert(spent.report.hotSpots!.length > 0);
});

sharedTest("no triple fault is a pass", async (_, tiny) => {
  const waits: ((vm: Vm) => Promise<unknown>)[] = [
    (vm) => vm.console.waitFor("never printed"),
    (vm) => vm.console.never("never printed", { during: guest("1s") }),
    (vm) => vm.waitForExit(),
    (vm) => vm.waitForExit({ kind: ["poweroff", "reset", "hang"] }),
    (vm) => vm.run({ for: guest("1s") }),
    (vm) => vm.console.type("hello"),
    (vm) => vm.console.readLines("a line", () => false),
  ];
  for (const wait of waits) {
    await using vm = await tiny("nowhere");
    const error = await assertRejects(() => wait(vm), GuestCrashError, "triple fault", `${wait}`);
    assertEquals([error.exit.kind, error.verdict], ["tripleFault", "guest"]);
  }
});
