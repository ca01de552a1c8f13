/**
 * Boots Debian once with waits and all crash rules, and prints the part of the time that watching took: of the
 * profiler's samples, those where what runs belongs to the harness, whether the guest's output called it or the
 * driver. Arguments: kernel, initrd.
 */
import { Session } from "node:inspector/promises";
import { boot, guest } from "../mod.ts";

const [kernel, initrd] = Deno.args;
const SAMPLE_MICROSECONDS = 100;
const HARNESS = new URL("../harness/", import.meta.url).href;
const MACHINE = new URL("../core/machine.ts", import.meta.url).href;

/** A function called from another, in Chrome's profiles. */
interface Call {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

/** Whose time it is in each node: the harness's, unless it only waits for the machine that it runs. */
function watchers(calls: readonly Call[]): Set<number> {
  const byId = new Map(calls.map((call) => [call.id, call]));
  const found = new Set<number>();
  const visit = (call: Call, isCaller: boolean) => {
    const { functionName, url } = call.callFrame;
    const isWatcher = url.startsWith(HARNESS) || isCaller && !(url === MACHINE && functionName === "run");
    if (isWatcher) found.add(call.id);
    for (const id of call.children ?? []) visit(byId.get(id)!, isWatcher);
  };
  visit(calls[0], false);
  return found;
}

await using vm = await boot({ arch: "riscv64", kernel, initrd, append: "console=ttyS0 halt" });
const profiler = new Session();
profiler.connect();
await profiler.post("Profiler.enable");
await profiler.post("Profiler.setSamplingInterval", { interval: SAMPLE_MICROSECONDS });
await profiler.post("Profiler.start");
await vm.console.waitFor(/Linux version (\S+)/);
await vm.console.waitFor([/Freeing unused kernel image/, "no such line", /neither (this|that)/]);
await vm.console.waitFor(/BOOT-OK (\w+)/, { within: guest("30s") });
await vm.waitForExit({ kind: "poweroff" });
const { profile } = await profiler.post("Profiler.stop");
const watching = watchers(profile.nodes);
const { samples } = profile as unknown as { samples: readonly number[] };
console.log(samples.filter((id) => watching.has(id)).length / samples.length);
