import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { kernelPath } from "../../fixtures/kernels.ts";

const CLI = join(import.meta.dirname!, "../../harness/cli.ts");
const hasScript = await exists("/usr/bin/script");

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Runs the command line on a terminal, as script(1) provides one, and gives what it showed. */
async function onTerminal(redirection: string, ...args: string[]): Promise<string> {
  const run = [Deno.execPath(), "run", "--quiet", "--allow-read", CLI, "run", "--arch", "riscv64", ...args];
  const { stdout } = await new Deno.Command("script", {
    args: ["-qefc", `${run.map((word) => `'${word}'`).join(" ")} ${redirection}`, "/dev/null"],
    env: { SHELL: "/bin/sh" },
    stdin: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

const spin = [
  "--engine",
  "interpreter",
  "--memory",
  "16M",
  "--within",
  "20ms",
  "--kernel",
  kernelPath("spin"),
];

Deno.test({
  name: "on a terminal a status line shows guest time, speed and state, and is gone at the end" +
    (hasScript ? "" : " (needs script)"),
  ignore: !hasScript,
  fn: async () => {
    const shown = await onTerminal("", ...spin);
    assertMatch(shown, /guest \d+\.\d+ ms · \d+ M instructions\/s · waiting for power-off/);
    const [beforeError] = shown.split("bootwright: ");
    assertEquals(beforeError.endsWith("\r\x1b[K"), true);
  },
});

Deno.test({
  name: "the status line never touches stdout" + (hasScript ? "" : " (needs script)"),
  ignore: !hasScript,
  fn: async () => {
    const file = await Deno.makeTempFile();
    const shown = await onTerminal(`>${file}`, ...spin);
    assertMatch(shown, /guest /);
    assertEquals(await Deno.readTextFile(file), "spinning\n");
    await Deno.remove(file);
  },
});
