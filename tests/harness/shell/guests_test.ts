/** Guests in which something is missing, or more than usual. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { debianGuest } from "../../../fixtures/debian.ts";
import { boot, guest, InputError, type Vm, WaitError } from "../../../mod.ts";
import { ALL_BYTES, atConsole, atPrompt, linux } from "./_guest.ts";

linux("a root file system without a writable folder is enough", async () => {
  await using vm = await atPrompt();
  await atConsole(vm, "mount -o remount,ro /dev; mount -o remount,ro /");
  const { shell } = vm;
  assertEquals((await shell.tryRun("touch /tmp/x /dev/x")).code, 1);
  const result = await shell.run("tee /proc/self/fd/2", { stdin: ALL_BYTES });
  assertEquals([result.stdoutBytes, result.stderrBytes], [ALL_BYTES, ALL_BYTES]);
  assertEquals(
    (await shell.run("head -c 200000 /dev/zero >&2 & head -c 200000 /dev/zero; wait")).stdoutBytes.length,
    200_000,
  );
});

linux("a guest without device nodes, /proc and /sys", async () => {
  await using vm = await atPrompt();
  await atConsole(vm, "umount /sys; umount /proc; rm /dev/ttyS1");
  assertEquals((await vm.shell.run("echo hello; ls -A /sys")).stdout, "hello\n");
  assertEquals((await vm.shell.tryRun("kill -9 $PPID; sleep 9")).code, 137);
});

linux("several vCPUs", async () => {
  await using vm = await atPrompt("quiet", { cpus: 4 });
  const { shell } = vm;
  for (let i = 0; i < 50; i++) {
    const { stdout, stderr } = await shell.run(`echo out ${i}; echo err ${i} >&2`);
    assertEquals([stdout, stderr], [`out ${i}\n`, `err ${i}\n`]);
  }
  // Both streams by turns, from processes that run at the same time.
  const loop = (text: string) => `i=0; while [ $i -lt 3000 ]; do echo ${text} $i; i=$((i+1)); done`;
  const { stdout, stderr } = await shell.run(`(${loop("out")}) & (${loop("err")}) >&2 & wait`);
  const lines = (text: string) => Array.from({ length: 3000 }, (_, i) => `${text} ${i}\n`).join("");
  assertEquals(stdout === lines("out") && stderr === lines("err"), true);
});

linux(
  "what the console's shell has exported comes as it is, of whatever name, and tells nothing of the shell",
  async () => {
    await using vm = await atPrompt();
    const exported = [..."abcdefghijklmnopqrstuvwxyzT"].map((name) => `${name}=${name}1`);
    await atConsole(vm, `export ${exported.join(" ")}`);
    for (const command of ["env", "env; true"]) {
      const lines = (await vm.shell.run(command, { stdin: command === "env" ? "" : "read by nobody" })).stdout
        .split("\n");
      const known = /^(?:SHLVL|HOME|TERM|PATH|PWD)=/;
      assertEquals(lines.filter((line) => line !== "" && !known.test(line)).sort(), exported.toSorted());
    }
  },
);

/** Boots a guest whose kernel has the second line for its console; the first gets a prompt too. */
async function withConsoleOnSecondLine(then: string): Promise<Vm> {
  const { kernel, initrd } = debianGuest("riscv64")!;
  const append = "console=ttyS1 quiet";
  const vm = await boot({ arch: "riscv64", kernel, initrd, append, memory: "256M", report: false });
  await vm.serial(1).waitFor(/# $/, { within: guest("30s") });
  await vm.serial(1).type(`setsid sh </dev/ttyS0 >/dev/ttyS0 2>&1 & ${then}\n`);
  await vm.console.waitFor(/# $/);
  return vm;
}

linux("a kernel that prints its messages on the second line is told so", async () => {
  await using vm = await withConsoleOnSecondLine("exec sleep 9999");
  const error = await assertRejects(() => vm.shell.run("true"), InputError);
  assertStringIncludes(error.message, "boot it without console=ttyS1");
});

linux("a second line that somebody else reads and prints on is told so", async () => {
  await using vm = await withConsoleOnSecondLine("");
  const error = await assertRejects(() => vm.shell.run("true"), WaitError);
  assertStringIncludes(error.message, "which nobody else may use");
});

linux("a line that is the terminal of another session is told so", async () => {
  await using vm = await atPrompt();
  await atConsole(vm, "setsid sh -c 'exec </dev/ttyS1; exec sleep 9999' &");
  const error = await assertRejects(() => vm.shell.run("true"), InputError);
  assertStringIncludes(error.message, "ttyS1 is the terminal of another session");
});

linux("after a reset the shell starts anew", async () => {
  await using vm = await atPrompt();
  await vm.shell.run("echo before; touch /tmp/before");
  vm.reset();
  await vm.console.waitFor("BOOT-OK", { within: guest("30s") });
  await vm.console.waitFor(/# $/, { within: guest("30s") });
  assertEquals((await vm.shell.run("echo after; ls /tmp")).stdout, "after\n");
});

linux("without a prompt on the console the error says what is wanted", async () => {
  await using vm = await atPrompt();
  await vm.console.type("sleep 1000\n");
  const error = await assertRejects(() => vm.shell.run("true"), WaitError);
  assertStringIncludes(error.message, "It takes a shell prompt on the console");
});
