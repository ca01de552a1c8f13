import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { guest, GuestCrashError, WaitError } from "../../../mod.ts";
import { tiny } from "../_tiny.ts";

function inFolder(test: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = Deno.makeTempDirSync();
    await test(folder).finally(() => Deno.removeSync(folder, { recursive: true }));
  };
}

Deno.test(
  "a failed wait leaves a report, in a folder named after the test's line, and says where",
  inFolder(async (report) => {
    await using vm = await tiny("hello", { report });
    const error = await assertRejects(() => vm.console.waitFor("Goodbye"), WaitError);
    const [folder] = Array.from(Deno.readDirSync(report), ({ name }) => name);
    assertMatch(folder, /^on_failure_test\.ts-\d+$/);
    const names = Array.from(Deno.readDirSync(join(report, folder)), ({ name }) => name).sort();
    assertEquals(names, ["console.cast", "console.log", "machine.json", "report.html", "reproduce.sh"]);
    assertEquals(Deno.readTextFileSync(join(report, folder, "console.log")), "Hello from riscv64\n");
    assertStringIncludes(error.message, `report: ${join(report, folder, "report.html")}`);
  }),
);

Deno.test(
  "a crash leaves one too",
  inFolder(async (report) => {
    await using vm = await tiny("panic", { report });
    await assertRejects(() => vm.run({ for: guest("1s") }), GuestCrashError);
    const [folder] = Array.from(Deno.readDirSync(report), ({ name }) => name);
    const page = Deno.readTextFileSync(join(report, folder, "report.html"));
    assertStringIncludes(page, "sysrq triggered crash");
    assertMatch(page, /<dt>Ended<\/dt>\s*<dd>the guest crashed: kernel panic: sysrq triggered crash<\/dd>/);
  }),
);

Deno.test(
  "a folder that cannot be written changes no verdict: a warning says so",
  inFolder(async (folder) => {
    const report = join(folder, "a file");
    Deno.writeTextFileSync(report, "");
    const warnings: string[] = [];
    const { warn } = console;
    console.warn = (text: string) => void warnings.push(text);
    try {
      await using vm = await tiny("hello", { report });
      const error = await assertRejects(() => vm.console.waitFor("Goodbye"), WaitError);
      assert(!error.message.includes("report:"));
    } finally {
      console.warn = warn;
    }
    assertEquals(warnings.length, 1);
    assertStringIncludes(warnings[0], "could not be written");
  }),
);

Deno.test("report: false leaves none", async () => {
  await using vm = await tiny("hello", { report: false });
  const error = await assertRejects(() => vm.console.waitFor("Goodbye"), WaitError);
  assert(!error.message.includes("report:"));
});

Deno.test(
  "on GitHub, a failure whose report was asked for is annotated at the test's line and summarised",
  inFolder(async (report) => {
    const summary = join(report, "summary.md");
    Deno.writeTextFileSync(summary, "");
    const values = {
      GITHUB_ACTIONS: "true",
      GITHUB_WORKSPACE: join(import.meta.dirname!, "../../.."),
      GITHUB_STEP_SUMMARY: summary,
    };
    const before = Object.keys(values).map((name) => [name, Deno.env.get(name)] as const);
    const lines: string[] = [];
    const { error: print } = console;
    console.error = (text: string) => void lines.push(text);
    try {
      for (const [name, value] of Object.entries(values)) Deno.env.set(name, value);
      await using vm = await tiny("hello", { report });
      await assertRejects(() => vm.console.waitFor("Goodbye"), WaitError);
    } finally {
      console.error = print;
      for (const [name, value] of before) {
        if (value === undefined) Deno.env.delete(name);
        else Deno.env.set(name, value);
      }
    }
    const annotation = lines.find((line) => line.startsWith("::error "))!;
    assertMatch(annotation, /file=tests\/harness\/report\/on_failure_test\.ts,line=\d+/);
    assertStringIncludes(annotation, "Goodbye");
    assertStringIncludes(Deno.readTextFileSync(summary), "Goodbye");
  }),
);
