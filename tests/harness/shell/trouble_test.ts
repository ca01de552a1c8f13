import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { guest, GuestCrashError, ShellError, WaitError } from "../../../mod.ts";
import { atConsole, atPrompt, linux, stepsWith } from "./_guest.ts";

linux("whatever a command does, the next one works", async (t) => {
  await using vm = await atPrompt("loglevel=8");
  const { shell } = vm;
  const trouble = stepsWith(vm, t);

  await trouble("a command that ends its shell: exit, exec", async () => {
    assertEquals((await shell.tryRun("exit 3")).code, 3);
    assertEquals((await shell.tryRun("exec false")).code, 1);
    assertEquals((await shell.tryRun("exec /no/such/program")).code, 127);
  });

  await trouble("a command that kills its shell is reported by the signal", async () => {
    const killed = await shell.tryRun("echo before; kill -9 $$");
    assertEquals([killed.code, killed.signal, killed.stdout], [137, "SIGKILL", "before\n"]);
    const ended = await assertRejects(() => shell.run("kill -TERM $$"), ShellError);
    assertStringIncludes(ended.message, "ended with code 143 (SIGTERM)");
    // Background jobs of many a shell ignore some; not so here.
    for (const signal of ["INT", "HUP", "PIPE"]) {
      assertEquals((await shell.tryRun(`kill -${signal} $$; echo ignored`)).signal, `SIG${signal}`);
    }
    assertStringIncludes(
      (await shell.run("grep SigIgn /proc/self/status; true")).stdout,
      "SigIgn:\t0000000000000000",
    );
  });

  await trouble("a command that kills its shell's parent is reported too, and ended", async () => {
    const began = vm.guestTimeNs;
    const killed = await shell.tryRun("echo before; kill -9 $PPID; sleep 50; echo after >/dev/console");
    assertEquals([killed.code, killed.signal, killed.stdout], [137, "SIGKILL", "before\n"]);
    assert(vm.guestTimeNs - began < 1e9);
    assertEquals((await shell.run("ps | grep -c '[s]leep 50' || true")).stdout, "0\n");
  });

  await trouble(
    "a command that kills every shell it finds is reported, and the shell starts anew",
    async () => {
      const killing = shell.run(
        "for p in $(pidof sh); do [ $p = $$ ] || [ $p = 1 ] || kill -9 $p; done; sleep 9",
      );
      const error = await assertRejects(() => killing, ShellError);
      assertStringIncludes(error.message, "killed the processes that serve vm.shell");
      // A prompt again, for the new shell's launcher.
      await vm.console.type("\n");
      await vm.console.waitFor(/# $/);
    },
  );

  await trouble("a spent budget kills the command and says what it had printed", async () => {
    const hanging = shell.run("echo half; echo way >&2; sleep 70; echo never", { within: guest("2s") });
    const error = await assertRejects(() => hanging, WaitError);
    assertEquals([error.exit.kind, error.verdict], ["guestBudget", "guest"]);
    assertStringIncludes(error.message, 'stdout so far "half\\n", stderr so far "way\\n"');
    assertStringIncludes(error.message, "2.000 s of guest time went by; it was killed");
    assertEquals((await shell.run("ps | grep -c '[s]leep 70' || true")).stdout, "0\n");
    assertEquals(shell.history.find(({ command }) => command.includes("half"))!.code, undefined);
  });

  await trouble("a spent budget ends a command that ignores signals and floods", async () => {
    const flood = "trap '' TERM INT HUP; while :; do echo flood; echo err >&2; done";
    await assertRejects(() => shell.run(flood, { within: guest("200ms") }), WaitError);
  });

  await trouble("a budget spent before the command has begun leaves no half of it behind", async () => {
    const stdin = new Uint8Array(1 << 20);
    await assertRejects(() => shell.run("cat", { stdin, within: guest("20ms") }), WaitError);
  });

  await trouble("a command that wants a terminal does not get the protocol's", async () => {
    for (const command of ["read line </dev/tty", "echo x >/dev/tty", "head -c 1 /dev/ttyS1"]) {
      const error = await assertRejects(() => shell.run(command), ShellError);
      assertStringIncludes(error.message, "was stopped by a signal and killed then; did it want a terminal?");
    }
  });

  await trouble("more output than is kept ends the command", async () => {
    const { shell } = vm;
    const wordy = await assertRejects(() => shell.run("yes", { maxOutputBytes: 100_000 }), ShellError);
    assertStringIncludes(wordy.message, "printed more than is kept");
    assertEquals(wordy.result.stdoutBytes.length, 100_000);
  });

  await trouble(
    "what runs on in the background neither delays the command nor speaks for the next",
    async () => {
      const noise = "(while :; do echo noise; echo noise >&2; sleep 0.01; done)";
      const started = await shell.run(`${noise} & echo started`);
      assertStringIncludes(started.stdout, "started\n");
      await vm.run({ for: guest("1s") });
      const quiet = await shell.run("sleep 0.3; echo only; echo this >&2");
      assertEquals([quiet.stdout, quiet.stderr], ["only\n", "this\n"]);
      assertStringIncludes((await shell.run("ps")).stdout, noise.slice(0, 20));
      await shell.run("kill -9 $(ps | grep '[e]cho noise' | while read pid rest; do echo $pid; done)");
    },
  );

  await trouble("a daemon with a session of its own, once it prints", async () => {
    await shell.run("setsid sh -c 'while :; do sleep 0.5; echo late; echo late >&2; done' & sleep 0.1");
    await vm.run({ for: guest("20s") });
    const clean = await shell.run("echo clean; echo clear >&2");
    assertEquals([clean.stdout, clean.stderr], ["clean\n", "clear\n"]);
    await shell.run("kill -9 $(ps | grep '[e]cho late' | while read pid rest; do echo $pid; done)");
  });

  await trouble("kernel messages during commands stay on the console", async () => {
    const messages =
      'i=0; while [ $i -lt 200 ]; do echo "<3>message $i" >/dev/kmsg; echo line $i; i=$((i+1)); done';
    const { stdout } = await shell.run(messages);
    assertEquals(stdout, Array.from({ length: 200 }, (_, i) => `line ${i}\n`).join(""));
    await vm.console.waitFor(/^\[ *\d+\.\d+\] message 199/);
    await atConsole(
      vm,
      "i=0; (while :; do echo '<3>from the background' >/dev/kmsg; sleep 0.001; done) & j=$!",
    );
    const { stdoutBytes } = await shell.run("head -c 50000 /dev/zero");
    assertEquals(stdoutBytes, new Uint8Array(50_000));
    await atConsole(vm, "kill $j");
  });

  await trouble("a command that prints what marks are made of confuses nobody", async () => {
    // The session's prefix stands in the command line of the keeper's guard, for everybody to see.
    const shown = await shell.run(
      "for f in /proc/[0-9]*/cmdline; do cat $f; done 2>/dev/null | grep -ao '036[0-9a-f]\\{10\\}h'",
    );
    const prefix = shown.stdout.slice(3, 7);
    const nonces = Array.from({ length: 50 }, (_, i) => (i * 7919).toString(16).padStart(6, "0"));
    const marks = nonces.flatMap((nonce) =>
      ["x0", "y", "o", "e", "l", "i1"].map((m) => `\x1e${prefix}${nonce}${m};`)
    );
    const text = `${marks.join("\n")}\x1e\x1e${prefix}\x1e`;
    const result = await shell.run("tee /proc/self/fd/2", { stdin: text });
    assertEquals([result.stdout, result.stderr], [text, text]);
  });

  await t.step("a command that switches the machine off ends the wait with what happened", async () => {
    const error = await assertRejects(() => shell.run("echo bye; poweroff -f"), WaitError);
    assertEquals(error.exit.kind, "poweroff");
  });
});

linux("a kernel that crashes under a command is a crash, not a command that hangs", async () => {
  await using vm = await atPrompt("quiet");
  const { shell } = vm;
  const error = await assertRejects(
    () => shell.run("echo c >/proc/sysrq-trigger; sleep 10"),
    GuestCrashError,
  );
  assertStringIncludes(error.message, "sysrq triggered crash");
});
