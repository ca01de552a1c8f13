/** Debian's own userland: dash, bash and coreutils in the place of busybox, in the roles that they have there. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { debianGuest } from "../../../fixtures/debian.ts";
import { guest, ShellError, type Vm, WaitError } from "../../../mod.ts";
import { ALL_BYTES, assertPlainIsAsInShell, atPrompt, linux, noise, stepsWith } from "./_guest.ts";

const initrd = debianGuest("riscv64")?.userlandInitrd;

interface Shells {
  /** The shell at the console's prompt. */
  readonly console: "dash" | "bash";
  /** The shell that is `sh`. */
  readonly sh: "dash" | "bash";
}

/** As Debian has them at first, as Debian's root has them, and as other distributions have them. */
const ROWS: readonly Shells[] = [
  { console: "dash", sh: "dash" },
  { console: "bash", sh: "dash" },
  { console: "bash", sh: "bash" },
];

/** A test of that userland. */
function userland(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  if (initrd) linux(name, fn);
  else Deno.test({ name: `${name} (needs "deno task fixtures")`, ignore: true, fn: () => {} });
}

async function atDebianPrompt({ console, sh }: Shells): Promise<Vm> {
  // Without ASLR programs are translated once, not each time that they start.
  const vm = await atPrompt(`quiet norandmaps shell=${console}`, { initrd });
  await vm.console.type(`ln -sf ${sh} /usr/bin/sh\n`);
  await vm.console.waitFor(/# $/);
  return vm;
}

for (const row of ROWS) {
  const name = `Debian's userland, ${row.console} at the prompt and ${row.sh} for sh`;
  userland(name, async (t) => {
    await using vm = await atDebianPrompt(row);
    const { shell } = vm;
    const step = stepsWith(vm, t);

    await step("the shells are those", async () => {
      const { stdout } = await shell.run("readlink /proc/$$/exe; readlink -f /bin/cat");
      assertEquals(stdout, `/usr/bin/${row.sh}\n/usr/bin/cat\n`);
    });

    await step("a command's streams and code come apart", async () => {
      const result = await shell.tryRun("echo out; echo err >&2; exit 3");
      assertEquals([result.code, result.stdout, result.stderr], [3, "out\n", "err\n"]);
      const error = await assertRejects(() => shell.run("ls /nowhere; false"), ShellError);
      assertStringIncludes(error.message, "ended with code 1");
      assertStringIncludes(error.message, "cannot access '/nowhere'");
    });

    await step("all 256 byte values go in and come out, on both streams", async () => {
      const result = await shell.run("tee /proc/self/fd/2", { stdin: ALL_BYTES });
      assertEquals([result.stdoutBytes, result.stderrBytes], [ALL_BYTES, ALL_BYTES]);
    });

    await step("standard input of any length, read or not", async () => {
      const { stdout } = await shell.run("read first; echo $first; wc -c", { stdin: "1\n".repeat(30_000) });
      assertEquals(stdout, "1\n59998\n");
      assertEquals((await shell.run("echo deaf", { stdin: noise(30_000) })).stdout, "deaf\n");
    });

    await step("files are written and read, to the byte", async () => {
      await shell.writeFile("/tmp/a file's", noise(100_000), { mode: 0o750 });
      assertEquals(await shell.readFile("/tmp/a file's"), noise(100_000));
      assertEquals((await shell.run("stat -c %a /tmp/*file*")).stdout, "750\n");
      await assertRejects(() => shell.readFile("/tmp/none"), ShellError, "No such file");
    });

    await step("a plain command does what it does in a shell", () => assertPlainIsAsInShell(vm));

    await step("environment and working folder", async () => {
      const A = 'it\'s "one" $value \\\nof two lines ü!';
      const { stdout } = await shell.run('printf "%s\\n" "$A"; pwd', { env: { A }, cwd: "/proc/sys" });
      assertEquals(stdout, `${A}\n/proc/sys\n`);
    });

    await step(
      "a command that kills its shell, or its shell's parent, is reported by the signal",
      async () => {
        const killed = await shell.tryRun("echo before; kill -9 $$");
        assertEquals([killed.code, killed.signal, killed.stdout], [137, "SIGKILL", "before\n"]);
        for (const signal of ["INT", "HUP", "PIPE", "TERM"]) {
          assertEquals((await shell.tryRun(`kill -${signal} $$; echo ignored`)).signal, `SIG${signal}`);
        }
        const began = vm.guestTimeNs;
        const orphan = await shell.tryRun("echo before; kill -9 $PPID; sleep 50; echo after >/dev/console");
        assertEquals([orphan.code, orphan.stdout], [137, "before\n"]);
        assert(vm.guestTimeNs - began < 1e9);
      },
    );

    await step(
      "a command that kills every shell it finds is reported, and the shell starts anew",
      async () => {
        const others = "for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p -gt 1 ] && [ $p != $$ ] && " +
          '[ "$(readlink /proc/$p/exe)" = "$(readlink /proc/$$/exe)" ] && kill -9 $p; done; sleep 9';
        await assertRejects(() => shell.run(others), ShellError, "killed the processes that serve vm.shell");
        await vm.console.type("\n");
        await vm.console.waitFor(/# $/);
      },
    );

    await step("a spent budget kills the command", async () => {
      const hanging = shell.run("trap '' TERM INT; echo half; sleep 70; sleep 71", { within: guest("2s") });
      await assertRejects(() => hanging, WaitError, 'stdout so far "half\\n"');
    });

    await step("a command that wants a terminal does not get the protocol's", async () => {
      assertEquals((await shell.tryRun("tty")).stdout, "not a tty\n");
      await assertRejects(() => shell.run("read line </dev/tty"), ShellError, "did it want a terminal?");
    });

    await step("much output on both streams at once", async () => {
      const { stdoutBytes, stderrBytes } = await shell.run(
        "head -c 1000000 /dev/urandom >/tmp/r; cat /tmp/r & cat /tmp/r >&2 & wait; sha256sum /tmp/r",
      );
      assertEquals(stderrBytes.length, 1_000_000);
      assertEquals(stdoutBytes.subarray(0, 1_000_000), stderrBytes);
      const { createHash } = await import("node:crypto");
      const sum = createHash("sha256").update(stderrBytes).digest("hex");
      assertEquals(new TextDecoder().decode(stdoutBytes.subarray(1_000_000)), `${sum}  /tmp/r\n`);
    });

    await step("many commands in a row", async () => {
      for (let i = 0; i < 50; i++) assertEquals((await shell.run(`echo ${i}`)).stdout, `${i}\n`);
    });
  });
}

userland("Debian's userland with a shell at the console's prompt alone", async () => {
  for (const console of ["dash", "bash"]) {
    await using vm = await atPrompt(`quiet shell=${console}`, { initrd, shell: { channel: "console" } });
    const result = await vm.shell.tryRun("echo out; echo err >&2; exit 3", { env: { A: "it's!" } });
    assertEquals([result.code, result.stdout, result.stderr], [3, "out\n", "err\n"]);
    assertEquals((await vm.shell.run('cat; echo "$A" >&2', { stdin: ALL_BYTES })).stdoutBytes, ALL_BYTES);
  }
});
