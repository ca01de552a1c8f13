import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { guest, InputError, ShellError, WaitError } from "../../../mod.ts";
import { ALL_BYTES, atConsole, atPrompt, linux, noise } from "./_guest.ts";

/** The kernel lets go of the second UART; its device node stays. */
const LET_GO =
  "for d in /sys/bus/platform/drivers/of_serial/*9000.serial; do echo ${d##*/} >${d%/*}/unbind; done";

linux("without a second serial line the shell works at the console's prompt", async (t) => {
  await using vm = await atPrompt("loglevel=8");
  const { shell } = vm;
  await atConsole(vm, LET_GO);
  const step = (name: string, fn: () => Promise<void>) => t.step({ name, fn, sanitizeOps: false });

  await step("streams and code come apart", async () => {
    const result = await shell.tryRun("echo out; echo err >&2; exit 3");
    assertEquals([result.code, result.stdout, result.stderr], [3, "out\n", "err\n"]);
    assertEquals((await shell.run("true")).stdout, "");
  });

  await step("all 256 byte values go in and come out", async () => {
    const result = await shell.run("tee /proc/self/fd/2", { stdin: ALL_BYTES });
    assertEquals([result.stdoutBytes, result.stderrBytes], [ALL_BYTES, ALL_BYTES]);
  });

  await step("environment, working folder, quotes and characters of any kind", async () => {
    const A = 'it\'s \t"$HOME" `x` \\ ! % ü\n-';
    const { stdout } = await shell.run('echo "$A"; pwd', { env: { A }, cwd: "/proc/sys" });
    assertEquals(stdout, `${A}\n/proc/sys\n`);
  });

  await step("files", async () => {
    await shell.writeFile("/tmp/file", noise(3000), { mode: 0o640 });
    assertEquals(await shell.readFile("/tmp/file"), noise(3000));
  });

  await step("the echo of what is typed is never taken for the answer", async () => {
    assertEquals((await shell.run("echo '}{z0.}3;'; set")).code, 0);
  });

  await step("kernel messages that fall into an answer do not get into it", async () => {
    await atConsole(
      vm,
      "(i=0; while [ $i -lt 40 ]; do echo '<3>message' >/dev/kmsg; sleep 0.002; i=$((i+1)); done) &",
    );
    const { stdoutBytes } = await shell.run("head -c 30000 /dev/zero");
    assertEquals(stdoutBytes, new Uint8Array(30_000));
    assertStringIncludes(vm.console.text, "message");
  });

  await step("a spent budget interrupts the command, and the next one works", async () => {
    await assertRejects(
      () => shell.run("sleep 100", { within: guest("3s") }),
      WaitError,
      "3.000 s of guest time",
    );
    assertEquals((await shell.run("echo next")).stdout, "next\n");
  });

  await step("a command that kills the shell around it is reported, and the next one works", async () => {
    assertEquals((await shell.tryRun("kill -9 $PPID")).code, 137);
    assertEquals((await shell.run("echo next")).stdout, "next\n");
  });

  await step("limits are named", async () => {
    await assertRejects(
      () => shell.run("cat", { stdin: new Uint8Array(70_000) }),
      InputError,
      "at most 65536 bytes",
    );
    await assertRejects(
      () => shell.run("head -c 50000 /dev/zero", { maxOutputBytes: 10_000 }),
      ShellError,
      "printed more than is kept",
    );
    assertEquals((await shell.run("echo next")).stdout, "next\n");
  });
});

linux("the channel can be chosen", async () => {
  await using vm = await atPrompt("quiet", { shell: { channel: "console" } });
  assertEquals((await vm.shell.run("echo here")).stdout, "here\n");
  assertStringIncludes(vm.console.text, "bs='echo here'");
  await assertRejects(
    () => atPrompt("quiet", { shell: { channel: "pigeon" as "console" } }),
    InputError,
    'not "pigeon"',
  );
});

linux("without a second line the error says what to do, where only that will do", async () => {
  await using vm = await atPrompt("quiet", { shell: { channel: "serial" } });
  await atConsole(vm, LET_GO);
  await assertRejects(() => vm.shell.run("true"), InputError, "there is no /dev/ttyS1, or no stty");
});
