import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ktap, KtapError } from "../../../harness/ktap/steps.ts";
import { guest, WaitError } from "../../../mod.ts";
import { tiny } from "../_tiny.ts";
import { Notes } from "./_notes.ts";
import { KSELFTEST, KUNIT } from "./_outputs.ts";

Deno.test("a suite that passes is steps of this very test", async (t) => {
  await using vm = await tiny("suite");
  const tree = await ktap(t, vm.console, { within: guest("1s") });
  assertEquals(tree.children.map(({ name }) => name), ["list", "rbtree"]);
});

Deno.test("the machine stops when the last result's line has ended", async () => {
  await using vm = await tiny("suite");
  const tree = await ktap(new Notes(), vm.console, { within: guest("1s") });
  assertEquals(vm.console.lastLines(1), ["[    0.001300] ok 2 rbtree"]);
  assertEquals(vm.console.text.at(-1), "\n");
  assertEquals(tree.children[1].timeNs, 1_300_000);
  // What was read is consumed: the next wait looks on from there.
  await vm.console.waitFor("after the suite");
});

Deno.test("what was printed before is read as well, from where the last wait ended", async () => {
  await using vm = await tiny("suite");
  await vm.console.waitFor("KTAP");
  await vm.waitForExit();
  const tree = await ktap(new Notes(), vm.console);
  assertEquals(tree.children.length, 2);
});

Deno.test("steps fail as their tests did, and say what was printed", async () => {
  const notes = new Notes();
  await assertRejects(() => ktap(notes, KUNIT), KtapError, "the test suite failed");
  assertEquals(notes.lines, [
    "example ... FAILED",
    "  adds ... ok",
    "  divides ... FAILED",
    "  sorts ... ok",
    "    one ... ok",
    "    two # skipped: unsupported ... ignored",
    "empty # skipped: no tests run ... ignored",
  ]);
  assertEquals(notes.errors[1], "divides failed\n  divides: EXPECTATION FAILED at lib/example_test.c:25");
});

Deno.test("lines come from anything that gives lines", async () => {
  const lines = async function* () {
    for (const line of KSELFTEST.split("\n")) yield await Promise.resolve(line);
  };
  const error = await assertRejects(() => ktap(new Notes(), lines()), KtapError);
  assertStringIncludes(error.message, "1 passed, 2 failed, 2 skipped, 1 todo");
});

Deno.test("a guest that ends early leaves a crashed suite, and the wait's own error", async () => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("echo ready\n");
  await vm.console.type("KTAP version 1\n1..2\nok 1 lives\nquit\n");
  const notes = new Notes();
  const error = await assertRejects(() => ktap(notes, vm.console), WaitError);
  assertStringIncludes(error.message, "last result of a test suite (KTAP), but the guest powered off");
  assertEquals(notes.lines, ["lives ... ok", "test 2 ... FAILED"]);
});

Deno.test("a suite without a plan ends with the line named", async () => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("echo ready\n");
  await vm.console.type("TAP version 13\nok 1 a\nok 2 b\n# done\n");
  const tree = await ktap(new Notes(), vm.console, { until: /^# done$/ });
  assertEquals(tree.children.length, 2);
});

Deno.test("an unfinished suite is given up when the budget is spent", async () => {
  await using vm = await tiny("echo");
  await vm.console.type("KTAP version 1\n1..2\nok 1 a\n");
  await assertRejects(() => ktap(new Notes(), vm.console, { within: guest("5ms") }), WaitError);
});

Deno.test("Deno shows failing guest tests as failed steps", async () => {
  const folder = await Deno.makeTempDir();
  const root = join(import.meta.dirname!, "../../..");
  const file = join(folder, "guest_test.ts");
  await Deno.writeTextFile(
    file,
    `import { ktap } from ${JSON.stringify(join(root, "harness/ktap/steps.ts"))};
     Deno.test("guest", async (t) => void await ktap(t, ${JSON.stringify(KUNIT)}));`,
  );
  const args = ["test", "--no-check", "--config", join(root, "deno.json"), "--junit-path=junit.xml", file];
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const output = new TextDecoder().decode(stdout);
  assertEquals(code, 1);
  assertStringIncludes(output, "EXPECTATION FAILED at lib/example_test.c:25");
  assertStringIncludes(await Deno.readTextFile(join(folder, "junit.xml")), "divides");
  await Deno.remove(folder, { recursive: true });
});
