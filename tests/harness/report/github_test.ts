import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { annotation, stepSummary, SUMMARY_LIMIT, testLine } from "../../../harness/report/github.ts";
import { HOSTILE } from "./_samples.ts";

const ROOT = join(import.meta.dirname!, "../../..");
const FAILURE = {
  title: "boots",
  message: "Waited for x, but y.\n  details",
  facts: { arch: "riscv64" },
  lastLines: ["one", "```", "two"],
  command: "bootwright run",
};

Deno.test("annotations escape data and properties as documented", () => {
  assertEquals(
    annotation({ title: "a: b, 50%", message: "50%\r\nnext: a, b", file: "t,a.ts", line: 7 }),
    "::error file=t%2Ca.ts,line=7,title=a%3A b%2C 50%25::50%25%0D%0Anext: a, b",
  );
  assertEquals(annotation({ title: HOSTILE, message: HOSTILE }).split(/[\r\n]/).length, 1);
});

Deno.test("the test's line is found in the stack, and what a guest printed is not taken for it", () => {
  const stack = [
    "WaitError: Waited",
    "  | at file:///repo/guest_test.ts:1:1",
    "    at Console.waitFor (file:///repo/harness/console.ts:10:5)",
    "    at file:///elsewhere/other_test.ts:3:1",
    "    at async fn (file:///repo/tests/my%20boot_test.ts:42:7)",
  ].join("\n");
  assertEquals(testLine(stack, "/repo"), { file: "tests/my boot_test.ts", line: 42 });
  assertEquals(testLine(stack, undefined), undefined);
  assertEquals(testLine("    at file:///repo/%zz_test.ts:1:1", "/repo"), { file: "%zz_test.ts", line: 1 });
});

Deno.test("in a summary nothing that a guest printed is Markdown or HTML", () => {
  const fenced = stepSummary({ ...FAILURE, report: "report/report.html" });
  assertStringIncludes(fenced, "````text\none\n```\ntwo\n````");
  const hostile = stepSummary({
    title: "# [x](y) @someone `" + HOSTILE,
    message: "| " + HOSTILE,
    facts: { [HOSTILE]: HOSTILE },
    lastLines: [HOSTILE],
    command: HOSTILE,
  });
  const [outside] = hostile.split("```");
  assert(!/[[\]@`]|<(?!\/?(?:details|summary|code))/.test(outside), outside);
  assert(hostile.isWellFormed());
});

async function report(env: Record<string, string>, flags: string[], folder: string) {
  const script = join(folder, "report.ts");
  Deno.writeTextFileSync(
    script,
    `import { reportToGithub } from "${ROOT}/harness/report/github.ts";
     console.log(reportToGithub(${JSON.stringify(FAILURE)}) ?? "no warning");`,
  );
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--no-check", ...flags, script],
    env: { NO_COLOR: "1", GITHUB_WORKSPACE: "/repo", ...env },
  }).output();
  return { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("on GitHub a failure is annotated and summed up; elsewhere, and unless allowed, it is not", async () => {
  const folder = await Deno.makeTempDir();
  const summary = join(folder, "summary.md");
  const on = { GITHUB_ACTIONS: "true", GITHUB_STEP_SUMMARY: summary };
  Deno.writeTextFileSync(summary, "before\n");

  const shown = await report(
    on,
    ["--allow-env", `--allow-read=${folder}`, `--allow-write=${folder}`],
    folder,
  );
  assertEquals(shown.stderr, "::error title=boots::Waited for x, but y.\n");
  assertEquals(Deno.readTextFileSync(summary), `before\n${stepSummary(FAILURE)}`);

  const silent = await report(on, [], folder);
  assertEquals(silent, { stdout: "no warning\n", stderr: "" });
  const elsewhere = await report({ ...on, GITHUB_ACTIONS: "" }, ["--allow-all"], folder);
  assertEquals(elsewhere, { stdout: "no warning\n", stderr: "" });
  assertStringIncludes((await report(on, ["--allow-env"], folder)).stdout, "was not granted");

  Deno.writeFileSync(summary, new Uint8Array(SUMMARY_LIMIT - 100));
  assertStringIncludes((await report(on, ["--allow-all"], folder)).stdout, "is full");
  assertEquals(Deno.statSync(summary).size, SUMMARY_LIMIT - 100);
  await Deno.remove(folder, { recursive: true });
});
