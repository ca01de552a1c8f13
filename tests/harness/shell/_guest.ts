/** What the shell's tests share: Debian's kernel with busybox, booted to the prompt of its console. */
import { assertEquals } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { debianGuest } from "../../../fixtures/debian.ts";
import { boot, type BootOptions, guest, type Vm } from "../../../mod.ts";

const debian = debianGuest("riscv64");
const missing = !debian ? 'needs "deno task fixtures"' : await translatorObstacle() && "needs the translator";

/** A test that needs the fetched guest; skipped by name without. */
export function linux(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name: missing ? `${name} (${missing})` : name, ignore: missing !== undefined, fn });
}

/** Boots to the console's prompt. */
export async function atPrompt(append = "quiet", options: Partial<BootOptions> = {}): Promise<Vm> {
  const { kernel, initrd } = debian!;
  const vm = await boot({
    arch: "riscv64",
    kernel,
    initrd,
    append: `console=ttyS0 ${append}`,
    memory: "256M",
    report: false,
    ...options,
  });
  await vm.console.waitFor(/# $/, { within: guest("30s") });
  return vm;
}

/** Types a command at the console, and waits for the next prompt. */
export async function atConsole(vm: Vm, command: string): Promise<void> {
  await vm.console.type(`${command}\necho DO''NE\n`);
  await vm.console.waitFor(/^DONE\r\n.*# $/);
}

/** Makes steps of a test, after each of which the shell must work as before. */
export function stepsWith(
  { shell }: Vm,
  t: Deno.TestContext,
): (name: string, fn: () => Promise<void>) => Promise<boolean> {
  return (name, fn) =>
    t.step({
      name,
      fn: async () => {
        await fn();
        const next = await shell.run("echo next; echo too >&2");
        assertEquals([next.stdout, next.stderr], ["next\n", "too\n"]);
      },
      sanitizeOps: false,
    });
}

/** Bytes without a pattern, the same every time. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Every byte value, in order. */
export const ALL_BYTES: Uint8Array<ArrayBuffer> = Uint8Array.from({ length: 256 }, (_, i) => i);

/** Files of the PATH in all states that a shell distinguishes, and programs that end in all manners. */
const PROGRAMS: Readonly<Record<string, readonly [text: string, mode?: number]>> = {
  "not-executable": ["#!/bin/sh\necho yes\n", 0o644],
  "no-interpreter": ["#!/nowhere/sh\n"],
  "no-interpreter-named": ['echo "$0:" "$@"; set | grep -c "^bwt="; exit 4\n'],
  "not-a-program": ["\x7fELF, or not\n"],
  "nothing": [""],
  "dies-of-segv": ["#!/bin/sh\necho first\nkill -SEGV $$\n"],
  "dies-of-int": ["#!/bin/sh\nkill -INT $$\n"],
  "kills-itself": ["#!/bin/sh\nkill -9 $$\n"],
  "shows-signals": ["#!/bin/sh\ngrep '^Sig[PBC]' /proc/self/status\nulimit -a\numask\n"],
  "shows-files": ["#!/bin/sh\ncd /proc/self/fd\nfor i in *; do echo $i; done\n"],
  "shows-group": [
    "#!/bin/sh\nread -r p n s pp g r </proc/$$/stat\n[ $g != $p ] && [ $g != ${r%% *} ] && echo ok\n",
  ],
  "shows-words": ['#!/bin/sh\nfor a; do echo "<$a>"; done\ncat\n'],
  "goes-on": ["#!/bin/sh\nsleep 0.05 &\necho now\n"],
};

/** Commands that are plain words, most of them; what may become of them if they are run without a shell. */
const PLAIN = [
  ...["true", "true --help", "false", "echo -n one two", "echo -e a+b", "pwd", "pwd -x", "uname -m"],
  ...["ls /proc/sys", "cat /none", "ls -Q", "sleep -x", "test a b c d", "readlink /proc/self/fd/0", "env"],
  ...["cat /proc/self/limits", "grep SigBlk /proc/self/status", "sh -c exit", "setsid true", "tty"],
  ...["nosuch", "nosuch with arguments", "nosuch/path", "-x", "+e", "--", "-c ls", "%1", "12", "1 2", "@ a"],
  ...["exit 3", "if", "done", "set", "kill", "type true", "command -v true", "umask", "jobs", "export"],
  ...["m x", "r", "w", "f 1", "z", "echo if done exit", "a-folder", "a-dangling-link"],
  ...Object.keys(PROGRAMS),
  "shows-words a=b c:d %1 @x ,y + - -- = done",
];

/** Whether what is run without a shell of its own does what it would do in one. */
export async function assertPlainIsAsInShell({ shell }: Vm): Promise<void> {
  const path = (await shell.run('echo "${PATH%%:*}"')).stdout.trim();
  for (const [name, [text, mode = 0o755]] of Object.entries(PROGRAMS)) {
    await shell.writeFile(`${path}/${name}`, text, { mode });
  }
  await shell.run(`mkdir ${path}/a-folder; ln -s nowhere ${path}/a-dangling-link`);
  const outcome = async (command: string) => {
    const { code, stdout, stderr } = await shell.tryRun(command);
    // bash's own variable can come first or last, it quotes what it cannot parse, and has another name for itself in a
    // function; busybox' shells count themselves.
    return {
      code,
      stdout: stdout.replace(/^(?:export )?(_|SHLVL|PPID|BASH_EXECUTION_STRING)=.*\n/gm, ""),
      stderr: stderr.replace(/^(.*: `) /m, "$1").replace(/^main: /, "sh: "),
    };
  };
  // A space changes nothing but that it takes a shell.
  for (const command of PLAIN) assertEquals(await outcome(command), await outcome(` ${command}`), command);
  await shell.run(`cd ${path}; rm -r ${Object.keys(PROGRAMS).join(" ")} a-folder a-dangling-link`);
}
