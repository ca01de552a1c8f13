/** The whole way on Debian's kernel: shell, insight, test suites, faults, and a kernel that nobody sees. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { DebianGuest } from "../../../fixtures/debian.ts";
import { ktap, readKtap } from "../../../harness/ktap/steps.ts";
import { guest, GuestCrashError, type Vm } from "../../../mod.ts";
import { Notes } from "../ktap/_notes.ts";
import { linuxTest } from "./_linux.ts";

linuxTest("Linux: a shell, a look into the kernel, and suites", async ({ debian, atPrompt }, t) => {
  await using vm = await atPrompt();
  await t.step("the second serial line is a console of its own", async () => {
    await vm.console.sendLine('exec 9<>/dev/ttyS1; echo out >&9; read line <&9; exec 9>&-; echo "<$line>"');
    assertEquals((await vm.serial(1).waitFor("out")).text, "out");
    await vm.serial(1).sendLine("in");
    await vm.console.waitFor("<in>");
    await vm.console.waitFor(/# $/);
    assert(!vm.serial(1).text.includes("<in>") && !vm.console.text.includes("\nout"));
  });
  await t.step("commands tell what the kernel's memory tells", () => commandsAndMemory(vm, debian));
  await t.step("a suite's results are steps, from the shell as from the console", () => suites(vm));
  await t.step("an idle vCPU's backtrace leads to where the kernel began to idle", async () => {
    await vm.run({ for: guest("1s") });
    const names = vm.backtrace().map(({ symbol }) => symbol);
    assert(names.includes("do_idle") && names.includes("cpu_startup_entry"), names.join(" "));
  });
});

async function commandsAndMemory(vm: Vm, debian: DebianGuest): Promise<void> {
  const { kernel } = vm;
  const said = async (command: string) => (await vm.shell.run(command)).stdout.trimEnd();
  assertEquals(await said("uname -r"), debian.release);
  assertEquals(kernel.release(), debian.release);
  assertEquals(kernel.cmdline(), await said("cat /proc/cmdline"));

  for (const name of ["linux_banner", "init_task", "schedule"]) {
    const [address] = (await said(`grep ' ${name}$' /proc/kallsyms`)).split(" ");
    assertEquals(kernel.symbol(name).address, BigInt(`0x${address}`), name);
  }
  assertEquals(kernel.read("init_task.comm"), "swapper/0");
  assertEquals(kernel.log()[0].text.split(" ").slice(0, 3).join(" "), `Linux version ${debian.release}`);
  await said("echo '<4>a line of the log' >/dev/kmsg");
  const { text, level } = kernel.log().at(-1)!;
  assertEquals([text, level], ["a line of the log", 4]);

  const init = kernel.tasks().find(({ pid }) => pid === 1)!;
  const shown = await said("cat /proc/1/comm");
  assertEquals([init.comm, init.parentPid, init.kernel], [shown, 0, false]);
  const mounts = (await said("cut -d' ' -f2 /proc/mounts")).split("\n").sort();
  assertEquals(kernel.mounts().map(({ target }) => target).sort(), mounts);
  assertEquals(
    kernel.modules().map(({ name }) => name).join("\n"),
    await said("cut -d' ' -f1 /proc/modules"),
  );
  const uptime = Number((await said("cat /proc/uptime")).split(" ")[0]);
  assert(Math.abs(kernel.uptime() - uptime) < 1, `${kernel.uptime()} s, ${uptime} s`);
}

/** Two suites, the way KUnit prints them. With an argument, the kernel dies in the second one. */
const SUITE = `
echo "KTAP version 1"; echo 1..2
echo "    KTAP version 1"; echo "    # Subtest: proc"; echo "    1..2"
grep -q ttyS0 /proc/cmdline && echo "    ok 1 cmdline"
grep -q nonsense /proc/version || echo "    ok 2 version # SKIP nothing to see"
echo "ok 1 proc"
echo "    KTAP version 1"; echo "    # Subtest: sysrq"; echo "    1..2"
[ -e /proc/sysrq-trigger ] && echo "    ok 1 is there"
[ "$1" ] && echo c >/proc/sysrq-trigger
echo "    ok 2 is left alone"; echo "ok 2 sysrq"
`;

async function suites(vm: Vm): Promise<void> {
  await vm.shell.writeFile("/tmp/suite", SUITE);
  const steps = [
    "proc ... ok",
    "  cmdline ... ok",
    "  version # skipped: nothing to see ... ignored",
    "sysrq ... ok",
    "  is there ... ok",
    "  is left alone ... ok",
  ];
  const fromShell = new Notes(), fromConsole = new Notes();
  await ktap(fromShell, (await vm.shell.run("sh /tmp/suite")).stdout);
  await vm.console.sendLine("sh /tmp/suite");
  await ktap(fromConsole, vm.console);
  await vm.console.waitFor(/# $/);
  assertEquals([fromShell.lines, fromConsole.lines], [steps, steps]);
}

linuxTest("Linux: a suite under which the kernel dies has crashed", async ({ atPrompt }) => {
  await using vm = await atPrompt();
  await vm.shell.writeFile("/tmp/suite", SUITE);
  await vm.console.sendLine("sh /tmp/suite crash");
  const { tree, error } = await readKtap(vm.console);
  if (!(error instanceof GuestCrashError)) throw error ?? new Error("the suite came to its end");
  assertEquals(error.crash.title, "kernel panic: sysrq triggered crash");
  assertStringIncludes(error.crashReport, "write_sysrq_trigger+0x");
  assertStringIncludes(error.crashReport, "---[ end Kernel panic");
  const [proc, sysrq] = tree.children;
  assertEquals([tree.status, proc.status, sysrq.status], ["crashed", "passed", "crashed"]);
  assertEquals(sysrq.children.map(({ name, status }) => `${name} ${status}`), [
    "is there passed",
    "test 2 missing",
  ]);
  assertStringIncludes(sysrq.diagnostics.join("\n"), "Kernel panic - not syncing");
});

linuxTest("Linux: the log of a kernel without any console is there", async ({ boot }) => {
  await using vm = await boot({ append: "" });
  const booted = "Run /init as init process";
  let texts: string[] = [];
  // 3 s are enough where guest time is counted instructions; in real time a host may be slow.
  for (let tries = 0; tries < 40 && !texts.includes(booted); tries++) {
    const exit = await vm.waitForExit({ within: guest("3s") });
    assertEquals(exit.kind, "guestBudget");
    texts = vm.kernel.log().map(({ text }) => text);
  }
  assertStringIncludes(texts[0], "Linux version");
  assert(texts.includes(booted), texts.at(-1));
});
