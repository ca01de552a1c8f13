import { assertEquals } from "@std/assert";
import { guest } from "../../mod.ts";
import { Timeline } from "../../harness/timeline.ts";
import { tiny } from "./_tiny.ts";

Deno.test("the timeline tells what the test did and what came of it, in guest time", async () => {
  await using vm = await tiny("echo");
  await vm.console.waitFor("ready");
  await vm.console.type("quit\n");
  await vm.waitForExit({ kind: "poweroff" });
  const kinds = vm.timeline.events.map(({ kind, line }) => line === undefined ? kind : `${kind} ${line}`);
  assertEquals(kinds, ["wait 0", "match 0", "type 0", "exit"]);
  const times = vm.timeline.events.map(({ atNs }) => atNs);
  assertEquals(times, times.toSorted((a, b) => a - b));
  assertEquals(times.at(-1), vm.guestTimeNs);
});

Deno.test("a wait that failed is on it", async () => {
  await using vm = await tiny("spin");
  await vm.console.waitFor("never", { within: guest("1ms") }).catch(() => {});
  assertEquals(vm.timeline.events.at(-1)?.kind, "miss");
});

Deno.test("a test that waits for ever is remembered within bounds: how it began, and the latest", () => {
  let now = 0;
  const timeline = new Timeline(() => ({ atNs: now, instructions: now }));
  for (; now < 25_000; now++) timeline.add("note", `${now}`);
  assertEquals(timeline.events.length + timeline.dropped, 25_000);
  assertEquals([timeline.events[0].text, timeline.events.at(-1)?.text], ["0", "24999"]);
});
