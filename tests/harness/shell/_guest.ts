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

/** Commands that are plain words, most of them; what may become of them if they are run without a shell. */
const PLAIN = [
  ...[
    "true",
    "false",
    "pwd",
    "echo -n one two",
    "echo -e a+b",
    "uname -m",
    "ls /proc/sys",
    "cat /none",
    "ls -Q",
  ],
  ...["nosuch", "nosuch with arguments", "exit 3", "if", "done", "set", "kill", "test a b c d", "type true"],
  ...[
    "m x",
    "r",
    "w",
    "f 1",
    "z",
    "command -v true",
    "readlink /proc/self/fd/0",
    "sleep -x",
    "umask",
    "jobs",
  ],
  ...[
    "env",
    "cat /proc/self/limits",
    "grep SigBlk /proc/self/status",
    "true --help",
    "nosuch/path",
    "export",
  ],
];

/** Whether what is run without a shell of its own does what it would do in one. */
export async function assertPlainIsAsInShell({ shell }: Vm): Promise<void> {
  const outcome = async (command: string) => {
    const { code, stdout, stderr } = await shell.tryRun(command);
    // Variables that tell of the shell that tells them.
    return {
      code,
      stdout: stdout.replace(/^(?:export )?(_|SHLVL|PPID|BASH_EXECUTION_STRING)=.*\n/gm, ""),
      stderr,
    };
  };
  for (const command of PLAIN) {
    assertEquals(await outcome(command), await outcome(`sh -c '${command}'`), command);
  }
}
