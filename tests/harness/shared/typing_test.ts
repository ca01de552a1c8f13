import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { WaitError } from "../../../mod.ts";
import { amount, aWhile, sharedTest } from "./_rows.ts";

sharedTest("typing is paced by the guest and drops no character", async (_, tiny) => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("ready");
  const text = Array.from({ length: amount(100) }, (_, i) => `line ${i} of the text\n`).join("");
  await vm.console.type(text);
  await vm.console.type("quit\n");
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text.replaceAll("\r", ""), `echo ready\n${text}quit\nbye\n`);
});

sharedTest("typing into a guest that does not read fails and says how much it left", async (row, tiny) => {
  await using vm = await tiny("spin");
  const error = await assertRejects(() => vm.console.type("hello", { within: aWhile(row) }), WaitError);
  assertStringIncludes(error.message, "5 bytes are unread");
});

sharedTest("lines are sent with their end, and keys are pressed", async (_, tiny) => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("ready\n");
  await vm.console.sendLine("hello");
  await vm.console.press("x");
  await vm.console.press("enter");
  await vm.console.sendLine("quit");
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text, "echo ready\nhello\nx\nquit\nbye\n");
});

sharedTest("a dialogue waits and answers in turn", async (_, tiny) => {
  await using vm = await tiny("echo");
  const hits = await vm.console.dialogue([
    { expect: "ready", send: "name?\n" },
    { expect: [/nom\?/, /name\?/], send: "quit\n" },
    { expect: /b(y)e/ },
  ]);
  assertEquals(hits.map((hit) => [hit.text, hit.index]), [["ready", 0], ["name?", 1], ["bye", 0]]);
});

sharedTest("colours do not hide a match, and are kept in the bytes", async (_, tiny) => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("ready\n");
  await vm.console.type("\x1b[1;31mFAI\x1b[0mLED: \x1b]0;title\x07unit\n");
  const hit = await vm.console.waitFor(/FAILED: (\w+)$/);
  assertEquals(hit.groups, ["unit"]);
  assertEquals(vm.console.text.includes("\x1b"), false);
  assertStringIncludes(new TextDecoder().decode(vm.console.bytes), "\x1b[1;31mFAI\x1b[0mLED");
});

sharedTest("reports are short, whatever was typed and printed", async (row, tiny) => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("ready");
  await vm.console.type("x".repeat(5_000) + "\n");
  const within = aWhile(row);
  const error = await assertRejects(() => vm.console.waitFor("nothing like it", { within }), WaitError);
  assert(error.message.length < 4000);
  assert(error.report.reproduce?.endsWith(" …"));
});
