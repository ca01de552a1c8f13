import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { guest, InputError, ShellError } from "../../../mod.ts";
import { ALL_BYTES, assertPlainIsAsInShell, atPrompt, linux, noise } from "./_guest.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

linux("the shell runs commands beside the console", async (t) => {
  await using vm = await atPrompt();
  const { shell } = vm;
  const step = (name: string, fn: () => Promise<void>) => t.step({ name, fn, sanitizeOps: false });

  await step("a command's streams and code come apart", async () => {
    const result = await shell.tryRun("echo out; echo err >&2; exit 3");
    assertEquals([result.code, result.signal, result.stdout, result.stderr], [
      3,
      undefined,
      "out\n",
      "err\n",
    ]);
    assertEquals([text(result.stdoutBytes), text(result.stderrBytes)], ["out\n", "err\n"]);
    assert(result.guestTime > 0 && result.guestTime < 1e9);
  });

  await step("run throws on a code other than 0, with both streams in the message", async () => {
    const error = await assertRejects(() => shell.run("echo fine; echo broken >&2; false"), ShellError);
    assertStringIncludes(error.message, "ended with code 1");
    assertStringIncludes(error.message, "| fine");
    assertStringIncludes(error.message, "| broken");
    assertEquals([error.verdict, error.result.code], ["guest", 1]);
    assert(error.report.guestTimeNs > 0);
  });

  await step("the console shows the one line that starts the shell, and nothing else", async () => {
    const before = vm.console.text;
    assertEquals(before.split("setsid sh -c").length, 3);
    // It is not the test's, nor shown as such.
    const told = vm.timeline.events.map(({ kind, text }) => `${kind} ${text}`);
    assertEquals(told.filter((line) => line.startsWith("type")), []);
    assert(told.includes("note vm.shell starts on ttyS1, by a line typed at the prompt"));
    await shell.run("echo not for the console; echo neither >&2");
    await shell.run("cat", { stdin: "nor this\n" });
    assertEquals(vm.console.text, before);
    await shell.run("echo but this >/dev/console");
    assertEquals(vm.console.text, `${before}but this\r\n`);
  });

  await step("the console stays free for the test", async () => {
    await vm.console.type("echo from the con''sole\n");
    await vm.console.waitFor("from the console\r\n");
    await vm.console.waitFor(/# $/);
  });

  await step("a command reads what it was given, and nothing where it was given nothing", async () => {
    assertEquals((await shell.run("cat", { stdin: "two\nlines" })).stdout, "two\nlines");
    assertEquals((await shell.run("cat; read line; echo $?")).stdout, "1\n");
    const ignored = await shell.run("echo deaf", { stdin: noise(100_000) });
    assertEquals(ignored.stdout, "deaf\n");
    assertEquals(
      (await shell.run("read first; echo $first; wc -c", { stdin: "1\n".repeat(30_000) })).stdout,
      "1\n59998\n",
    );
  });

  await step("all 256 byte values go in and come out, on both streams", async () => {
    const result = await shell.run("tee /proc/self/fd/2", { stdin: ALL_BYTES });
    assertEquals([result.stdoutBytes, result.stderrBytes], [ALL_BYTES, ALL_BYTES]);
    const zeros = await shell.run("head -c 100000 /dev/zero; printf 'a\\0b\\0' >&2");
    assertEquals(zeros.stdoutBytes, new Uint8Array(100_000));
    assertEquals(zeros.stderr, "a\0b\0");
  });

  await step("environment and working folder", async () => {
    const value = 'it\'s "one" $value\nof two lines ü';
    const result = await shell.run('echo "$A"; echo "$B"; pwd', {
      env: { A: value, B: "2" },
      cwd: "/proc/sys",
    });
    assertEquals(result.stdout, `${value}\n2\n/proc/sys\n`);
    assertEquals((await shell.run('echo "[$A]"')).stdout, "[]\n");
    shell.env = { A: "default", B: "other" };
    shell.cwd = "/sys";
    assertEquals((await shell.run('echo "$A $B"; pwd', { env: { B: "own" } })).stdout, "default own\n/sys\n");
    shell.env = {};
    shell.cwd = undefined;
    await assertRejects(
      () => shell.run("pwd", { cwd: "/nowhere" }),
      InputError,
      "cannot enter its working folder",
    );
    await assertRejects(() => shell.run("true", { env: { "A B": "" } }), InputError, '"A B" is no name');
    await assertRejects(
      () => shell.run("true", { env: { A: "\0" } }),
      InputError,
      "The variable A holds a NUL",
    );
  });

  await step("scripts of any shape", async () => {
    const script = "for i in 1 2; do\n  echo \"line $i\"\ndone # it's \x01\x03\x1e\x7f\necho 'ü 😀'";
    assertEquals((await shell.run(script)).stdout, "line 1\nline 2\nü 😀\n");
    const long = "echo 'ü😀'".padEnd(39_000, " ü");
    assertStringIncludes((await shell.run(long)).stdout, "ü😀 ü");
    await assertRejects(() => shell.run("x".repeat(40_001)), InputError, "at most 40000 characters");
    await assertRejects(() => shell.run("echo \0"), InputError, "holds a NUL");
    assertEquals((await shell.tryRun("if ; then '")).code, 2);
    assertEquals((await shell.run("")).stdout, "");
  });

  await step("a plain command does what it does in a shell", () => assertPlainIsAsInShell(vm));

  await step("a plain command costs one process", async () => {
    const lastProcess = async () => Number((await shell.run("cut -d\\  -f5 /proc/loadavg")).stdout);
    const before = await lastProcess(), reading = await lastProcess() - before;
    const last = await lastProcess();
    await shell.run("true");
    assertEquals(await lastProcess() - last, reading + 1);
    await shell.run("uname");
    assertEquals(await lastProcess() - last, 2 * reading + 3, "a builtin takes one, a program two");
  });

  await step("a command that begins as an option does is a command", async () => {
    const { code, stdout, stderr } = await shell.tryRun("-c ls; echo then");
    assertEquals([code, stdout, stderr], [0, "then\n", "sh: -c: not found\n"]);
    assertEquals((await shell.tryRun("+e", { env: { A: "1" } })).code, 127);
    assertEquals((await shell.tryRun("-x", { stdin: "1" })).code, 127);
  });

  await step("commands have no terminal", async () => {
    assertEquals((await shell.tryRun("tty")).stdout, "not a tty\n");
  });

  await step("files are written and read, to the byte", async () => {
    const bytes = noise(300_000);
    await shell.writeFile("/tmp/a file's", bytes, { mode: 0o750 });
    assertEquals(await shell.readFile("/tmp/a file's"), bytes);
    assertStringIncludes((await shell.run("ls -l /tmp")).stdout, "-rwxr-x---");
    await shell.writeFile("/tmp/a file's", "");
    assertEquals(await shell.readFile("/tmp/a file's"), new Uint8Array());
    await shell.writeFile("-n", "dash", {});
    assertEquals(text(await shell.readFile("-n")), "dash");
    assertStringIncludes(text(await shell.readFile("/proc/version")), "Linux version");
    const error = await assertRejects(() => shell.readFile("/tmp/none"), ShellError);
    assertStringIncludes(error.message, "no such file");
    await assertRejects(() => shell.writeFile("/none/x", "x"), ShellError, "nonexistent directory");
    await assertRejects(() => shell.writeFile("/tmp/x", "x", { mode: 0o10000 }), InputError, "mode");
  });

  await step("files are copied between host and guest", async () => {
    const folder = await Deno.makeTempDir();
    try {
      const bytes = noise(5000);
      await Deno.writeFile(`${folder}/in`, bytes);
      await shell.copyIn(`${folder}/in`, "/tmp/copy", { mode: 0o600 });
      await shell.copyOut("/tmp/copy", `${folder}/out`);
      assertEquals(await Deno.readFile(`${folder}/out`), bytes);
      await assertRejects(() => shell.copyIn(`${folder}/none`, "/tmp/x"), InputError, "cannot be read");
      await assertRejects(
        () => shell.copyOut("/tmp/copy", `${folder}/no/where`),
        InputError,
        "cannot be written",
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  await step("the history tells what was run", async () => {
    const before = vm.guestTimeNs;
    await shell.tryRun("echo remembered; exit 4");
    const { guestTime, ...last } = shell.history.at(-1)!;
    assertEquals(last, {
      command: "echo remembered; exit 4",
      code: 4,
      stdout: "remembered\n",
      stderr: "",
      atNs: before,
    });
    assertEquals(guestTime, vm.guestTimeNs - before);
    assert(
      vm.timeline.events.some(({ kind, text }) => kind === "shell" && text.startsWith("echo remembered")),
    );
  });

  await step("another wait meanwhile is refused, whichever comes first", async () => {
    const refused = "Another wait on this machine is under way";
    const first = shell.run("sleep 1; echo done");
    await assertRejects(() => vm.console.waitFor("never"), InputError, refused);
    await assertRejects(() => shell.run("true"), InputError, refused);
    assertEquals((await first).stdout, "done\n");
    const wait = vm.console.waitFor("END", { within: guest("1s") });
    await assertRejects(() => shell.run("true"), InputError, refused);
    await assertRejects(() => wait);
    assertEquals((await shell.run("echo next")).stdout, "next\n");
  });

  await step("thousands of commands in a row", async () => {
    for (let i = 0; i < 2500; i++) {
      const { stdout } = await shell.run(`echo ${i}`);
      if (stdout !== `${i}\n`) assertEquals(stdout, `${i}\n`);
    }
    assertEquals(shell.history.length, 1000);
  });
});

linux("what the shell does is the same in every run", async () => {
  const run = async () => {
    await using vm = await atPrompt();
    const { guestTime } = await vm.shell.run("cat; ls -l /proc/self >&2", { stdin: noise(10_000) });
    await vm.shell.tryRun("sleep 0.5; exit 1");
    return [guestTime, vm.instructions, await vm.memory.sha256()];
  };
  assertEquals(await run(), await run());
});
