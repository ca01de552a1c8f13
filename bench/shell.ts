/**
 * Boots a guest in a fresh process, starts `vm.shell` and warms it up, and prints as JSON what its commands
 * cost in wall time: a round trip of "true" (median, ms) and output (MB/s).
 * Arguments: architecture, kernel, initrd, kernel command line.
 */
import { type Arch, boot, guest } from "../mod.ts";
import { median } from "./statistics.ts";

/** The kernel still works in the background for a while after it has booted. */
const SETTLE = guest("3s");
const WARM_UP = 300;
const ROUND_TRIPS = 200;
const OUTPUT_MB = 4;

/** What is printed. */
export interface ShellCosts {
  /** Wall time of `shell.run("true")`, in ms: the median. */
  readonly roundTripMs: number;
  /** Megabytes (10⁶ bytes) of a command's output per second of wall time. */
  readonly outputMBps: number;
}

/** Measures. */
export async function shellCosts(
  arch: Arch,
  kernel: string,
  initrd: string,
  append: string,
): Promise<ShellCosts> {
  await using vm = await boot({ arch, kernel, initrd, append, memory: "512M" });
  await vm.console.waitFor(/# $/, { within: guest("1h") });
  await vm.run({ for: SETTLE });
  const timed = async (command: string): Promise<number> => {
    const start = performance.now();
    await vm.shell.run(command);
    return performance.now() - start;
  };
  for (let i = 0; i < WARM_UP; i++) await timed("true");
  const trips: number[] = [];
  for (let i = 0; i < ROUND_TRIPS; i++) trips.push(await timed("true"));
  const outputMs = await timed(`head -c ${OUTPUT_MB}000000 /dev/zero`);
  return { roundTripMs: median(trips), outputMBps: OUTPUT_MB / outputMs * 1000 };
}

if (import.meta.main) {
  const [arch, kernel, initrd, append] = Deno.args;
  console.log(JSON.stringify(await shellCosts(arch as Arch, kernel, initrd, append)));
}
