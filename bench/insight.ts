/** What it costs to look into a guest's kernel: the first symbol, and a log of 1,000 lines. */
import { join } from "@std/path";
import type { DebianGuest } from "../fixtures/debian.ts";
import { PERMISSIONS } from "./emulators.ts";
import { median } from "./statistics.ts";

const RUNS = 3;

/** Milliseconds of the first `kernel.symbol()` on a fresh machine of 512 MiB: the kernel is looked for and found. */
export async function firstSymbolMs(debian: DebianGuest): Promise<number> {
  return await medianMs("symbol", debian);
}

/** Milliseconds of the first `kernel.log()` of 1,000 lines and more, of a kernel that was found before. */
export async function logMs(debian: DebianGuest): Promise<number> {
  return await medianMs("log", debian);
}

/** The median of runs, each in a process of its own: nothing is compiled or found yet. */
async function medianMs(what: "symbol" | "log", { kernel, initrd }: DebianGuest): Promise<number> {
  const script = join(import.meta.dirname ?? "bench", "insight_look.ts");
  const args = ["run", ...PERMISSIONS, script, what, kernel, initrd];
  const runs: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
    runs.push(Number(new TextDecoder().decode(stdout)));
  }
  return median(runs);
}
