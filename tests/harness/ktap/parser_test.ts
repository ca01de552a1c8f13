import { assert, assertEquals } from "@std/assert";
import { parseKtap } from "../../../harness/ktap/parser.ts";
import { KtapParser } from "../../../harness/ktap/parser.ts";
import { countKtap, type KtapResult, summarizeKtap } from "../../../harness/ktap/result.ts";
import { KSELFTEST, KUNIT, TAP12, TAP14 } from "./_outputs.ts";

/** `status name`, indented, of everything below the root. */
function outline(tree: KtapResult, depth = 0): string[] {
  return tree.children.flatMap((child) => [
    `${"  ".repeat(depth)}${child.status} ${child.name}`,
    ...outline(child, depth + 1),
  ]);
}

/** The result at the end of a path of names. */
function at(tree: KtapResult, ...path: string[]): KtapResult {
  return path.reduce((node, name) => node.children.find((child) => child.name === name)!, tree);
}

Deno.test("KUnit's suites, parameters and printk prefixes become a tree with times", () => {
  const tree = parseKtap(KUNIT);
  assertEquals(outline(tree), [
    "failed example",
    "  passed adds",
    "  failed divides",
    "  passed sorts",
    "    passed one",
    "    skipped two",
    "skipped empty",
  ]);
  assertEquals(tree.status, "failed");
  assertEquals(at(tree, "example", "divides").timeNs, 700_000_000);
  assertEquals(at(tree, "example", "divides").diagnostics, [
    "divides: EXPECTATION FAILED at lib/example_test.c:25",
  ]);
  assertEquals(at(tree, "empty").reason, "no tests run");
  assertEquals(at(tree, "example", "sorts", "two").reason, "unsupported");
  assertEquals(summarizeKtap(tree), "2 passed, 1 failed, 2 skipped");
});

Deno.test("kselftest's commented-out TAP becomes subtests, and its plain lines diagnostics", () => {
  const tree = parseKtap(KSELFTEST);
  assertEquals(outline(tree), [
    "failed selftests: net: reuseport",
    "  passed bind",
    "  failed connect",
    "  skipped listen",
    "skipped selftests: net: tls.sh",
    "failed selftests: net: slow.sh",
    "todo selftests: net: known",
  ]);
  assertEquals(at(tree, "selftests: net: reuseport", "bind").diagnostics, ["opening a socket"]);
  assertEquals(at(tree, "selftests: net: reuseport", "connect").diagnostics, ["connection refused"]);
  const { directive, reason } = at(tree, "selftests: net: slow.sh");
  assertEquals([directive, reason], ["TIMEOUT", "45 seconds"]);
  assertEquals(at(tree, "selftests: net: reuseport").reason, "exit=1");
});

Deno.test("TAP 14: names before the subtest, YAML after the result, escapes, plan at the end", () => {
  const tree = parseKtap(TAP14);
  assertEquals(outline(tree), [
    "failed parser.tap",
    "  passed reads # and \\",
    "  failed writes",
    "todo later",
    "todo soon",
  ]);
  assertEquals(at(tree, "parser.tap", "writes").diagnostics, ['message: "disk full"', "  at: line 3"]);
});

Deno.test("TAP 12: no version line, no numbers, diagnostics after the failure they explain", () => {
  const tree = parseKtap(TAP12);
  assertEquals(outline(tree), ["passed loads", "failed adds", "skipped no network"]);
  assertEquals(at(tree, "adds").diagnostics, ["  Failed test 'adds'", "  at t/add.t line 7."]);
});

Deno.test("a suite whose kernel died is crashed, its open tests are missing, and the last messages shown", () => {
  const lines = KUNIT.split("\n");
  const died = [...lines.slice(0, 10), "[    0.61] Kernel panic - not syncing: Fatal exception"];
  const tree = parseKtap(died);
  assertEquals(tree.status, "crashed");
  assertEquals(outline(tree), [
    "crashed example",
    "  passed adds",
    "  missing tests 2 to 3",
    "missing test 2",
  ]);
  assert(at(tree, "example").diagnostics.some((line) => line.includes("Kernel panic")));
  assertEquals(countKtap(tree), { passed: 1, failed: 0, skipped: 0, todo: 0, crashed: 1, missing: 2 });
});

Deno.test("output that stops inside of the last suite is a crash too", () => {
  const tree = parseKtap("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 a\n");
  assertEquals([tree.status, ...outline(tree)], ["crashed", "crashed test 1", "  passed a"]);
});

Deno.test("results that were announced and did not come make a suite fail that says ok", () => {
  const tree = parseKtap("KTAP version 1\n1..1\n  KTAP version 1\n  1..2\n  ok 1 a\nok 1 suite\n");
  assertEquals([tree.status, ...outline(tree)], [
    "failed",
    "failed suite",
    "  passed a",
    "  missing test 2",
  ]);
  const more = parseKtap("KTAP version 1\n1..1\nok 1 a\nok 2 b\n");
  assertEquals(more.ok, false);
});

Deno.test("the directives: what may fail is ok, what timed out or broke is not", () => {
  const status = (line: string) => parseKtap(`KTAP version 1\n1..1\n${line}`).children[0].status;
  assertEquals(status("not ok 1 a # TODO"), "todo");
  assertEquals(status("not ok 1 a # XFAIL known"), "todo");
  assertEquals(status("not ok 1 a # SKIP"), "skipped");
  assertEquals(status("ok 1 a # TIMEOUT"), "failed");
  assertEquals(status("ok 1 a # ERROR no memory"), "failed");
  assertEquals(status("ok 1 a#b"), "passed");
  assertEquals(status("not ok 1 a # todolist"), "todo");
  assertEquals(status("not ok 1 a # just a remark"), "failed");
});

Deno.test("bailing out ends the suite and fails it", () => {
  const parser = new KtapParser();
  for (const line of ["TAP version 13", "1..3", "ok 1 a", "Bail out! no disk"]) parser.line(line);
  assertEquals(parser.complete, true);
  const tree = parser.end();
  assertEquals([tree.status, tree.diagnostics[0]], ["failed", "Bail out! no disk"]);
});

Deno.test("an output without results is missing, one with an empty plan is skipped", () => {
  assertEquals(parseKtap("Linux version 6.12\nok then\nok\n").status, "missing");
  const skipped = parseKtap("TAP version 13\n1..0 # SKIP not on this machine\n");
  assertEquals([skipped.status, skipped.reason], ["skipped", "not on this machine"]);
});

Deno.test("a kernel message in the middle of a line is no part of the test's name", () => {
  const tree = parseKtap("TAP version 13\n1..1\nok 1 opens[   12.345678] random: crng init done\n");
  assertEquals(tree.children[0].name, "opens");
});

Deno.test("suites of modules loaded in turn are one tree", () => {
  const suite = (name: string) =>
    `KTAP version 1\n1..1\n    KTAP version 1\n    1..1\n    ok 1 t\nok 1 ${name}\n`;
  const tree = parseKtap(suite("one") + suite("two"));
  assertEquals([tree.ok, ...outline(tree)], [true, "passed one", "  passed t", "passed two", "  passed t"]);
  const died = parseKtap("KTAP version 1\n1..2\nok 1 a\n" + suite("two"));
  assertEquals([died.ok, outline(died)[1]], [false, "missing test 2"]);
});

Deno.test("completeness comes with the last result of the outermost plan", () => {
  const parser = new KtapParser();
  const complete = KUNIT.trimEnd().split("\n").map((line) => (parser.line(line), parser.complete));
  assertEquals(complete.indexOf(true), complete.length - 2);
});

Deno.test("hostile output takes bounded memory and time", () => {
  const lines = function* () {
    yield "KTAP version 1";
    yield "1..999999999";
    for (let i = 0; i < 200; i++) yield `${"  ".repeat(i)}KTAP version 1`;
    for (let i = 0; i < 300_000; i++) yield `# ${"x".repeat(20)}`;
    for (let i = 0; i < 150_000; i++) yield `not ok ${i} ${"# ".repeat(30)}`;
    yield `ok 1 ${"\\".repeat(100_000)}`;
    yield "ok 99999999999999999999 a";
  };
  const tree = parseKtap(lines());
  assertEquals(tree.ok, false);
  const diagnostics = (node: KtapResult): number =>
    Math.max(node.diagnostics.length, ...node.children.map(diagnostics));
  assert(diagnostics(tree) <= 400, `${diagnostics(tree)}`);
  assert(JSON.stringify(tree).length < 30e6);
});
