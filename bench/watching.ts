/** What it costs to watch a booting guest: waits and crash rules. */
import { join } from "@std/path";
import type { DebianGuest } from "../fixtures/debian.ts";
import { PERMISSIONS } from "./emulators.ts";
import { median } from "./statistics.ts";

const PAIRS = 3;

/**
 * Processor time of a boot with waits and all crash rules over that of one without; the median of pairs, each boot
 * in a process of its own.
 */
export async function watchingRatio(debian: DebianGuest): Promise<number> {
  const ratios: number[] = [];
  for (let i = 0; i < PAIRS; i++) {
    ratios.push(await cpuSeconds("watched", debian) / await cpuSeconds("unwatched", debian));
  }
  return median(ratios);
}

async function cpuSeconds(how: "watched" | "unwatched", { kernel, initrd }: DebianGuest): Promise<number> {
  const script = join(import.meta.dirname ?? "bench", "watching_boot.ts");
  const args = ["run", ...PERMISSIONS, script, how, kernel, initrd];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout));
}
