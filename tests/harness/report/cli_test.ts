/** `bootwright run --report DIR --junit FILE`, and what it does on GitHub Actions. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { kernelPath } from "../../../fixtures/kernels.ts";

const CLI = join(import.meta.dirname!, "../../../harness/cli.ts");

async function run(
  kernel: Parameters<typeof kernelPath>[0],
  args: string[],
  env: Record<string, string> = {},
) {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--quiet", "--allow-read", "--allow-write", "--allow-env", CLI, "run"],
      ...["--arch", "riscv64", "--memory", "16M", "--engine", "interpreter", "--kernel", kernelPath(kernel)],
      ...args,
    ],
    env: { NO_COLOR: "1", GITHUB_ACTIONS: "", ...env },
  });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

async function inFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "bootwright-cli-report-" });
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("--report leaves a report of a run that failed, and of one that passed", () =>
  inFolder(async (folder) => {
    const failed = await run("timer", [
      "--expect",
      "tick 3",
      "--expect",
      "tock",
      "--report",
      `${folder}/failed`,
    ]);
    assertEquals(failed.code, 1);
    assertStringIncludes(failed.stderr, `the report is ${folder}/failed/report.html`);
    const machine = JSON.parse(await Deno.readTextFile(`${folder}/failed/machine.json`));
    assertEquals([machine.verdict, machine.exit.kind], ["guest", "poweroff"]);
    assertEquals(await Deno.readTextFile(`${folder}/failed/console.log`), failed.stdout);
    const passed = await run("hello", ["--report", `${folder}/passed`]);
    assertEquals(passed.code, 0);
    assertStringIncludes(await Deno.readTextFile(`${folder}/passed/report.html`), "Everything went as asked");
  }));

Deno.test("a report that cannot be written changes no verdict, and a warning says so", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    for (const [kernel, code] of [["hello", 0], ["fault", 1]] as const) {
      const { code: got, stderr } = await run(kernel, ["--report", `${folder}/file`]);
      assertEquals(got, code);
      assertMatch(stderr, /bootwright: The report in .*file could not be written: /);
    }
  }));

Deno.test("--junit has a case for each expectation and one for the run", () =>
  inFolder(async (folder) => {
    const file = `${folder}/junit.xml`;
    const cases = async (kernel: Parameters<typeof kernelPath>[0], ...args: string[]) => {
      await run(kernel, [...args, "--junit", file]);
      const xml = await Deno.readTextFile(file);
      return Array.from(
        xml.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|><(\w+))/g),
        ([, name, kind = "passed"]) => `${name}: ${kind}`,
      );
    };
    assertEquals(await cases("hello"), ["run: passed"]);
    assertEquals(await cases("timer", "--expect", "tick 1", "--expect", "tick 1", "--expect", "done"), [
      "1. expect /tick 1/: passed",
      "2. expect /tick 1/: failure",
      "3. expect /done/: skipped",
      "run: skipped",
    ]);
    assertEquals(await cases("fault"), ["run: failure"]);
    assertEquals(await cases("spin", "--watchdog", "100ms", "--expect", "x"), [
      "1. expect /x/: error",
      "run: skipped",
    ]);
    assertEquals(await cases("spin", "--send", "x", "--within", "1ms", "--expect", "y"), [
      "1. expect /y/: skipped",
      "run: failure",
    ]);
    assertEquals(await cases("hello", "--initrd", "no/such/file"), ["run: error"]);
    const { code, stderr } = await run("hello", ["--junit", `${folder}/no/such/folder`]);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "--junit");
  }));

Deno.test("on GitHub Actions a guest cannot give commands, and a failure is annotated and summed up", () =>
  inFolder(async (folder) => {
    const summary = `${folder}/summary.md`;
    await Deno.writeTextFile(summary, "");
    const env = { GITHUB_ACTIONS: "true", GITHUB_STEP_SUMMARY: summary };
    const { stdout, stderr } = await run("fault", [], env);
    assert(!stdout.includes("::"));
    const [first, ...rest] = stderr.trimEnd().split("\n");
    const token = /^::stop-commands::([0-9a-f-]{36})$/.exec(first)?.[1];
    assert(token !== undefined, first);
    assertEquals(rest.at(-2), `::${token}::`);
    assertMatch(
      rest.at(-1)!,
      /^::error title=bootwright run%3A riscv64%2C fault.elf::Waited for the guest to end/,
    );
    assertStringIncludes(await Deno.readTextFile(summary), "The console's last lines");
    const passed = await run("hello", [], env);
    assertMatch(passed.stderr, /^::stop-commands::(\S+)\n::\1::\n$/);
  }));
