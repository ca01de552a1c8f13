/** What it costs to watch a booting guest: waits and crash rules. */
import { join } from "@std/path";
import type { DebianGuest } from "../fixtures/debian.ts";
import { PERMISSIONS } from "./emulators.ts";

const PAIRS = 5;

/**
 * Processor time of a boot with waits and all crash rules over that of one without, each boot in a process of its own.
 * The least of several counts: whatever else a host does adds to a boot's time, by more than what is measured here.
 */
export async function watchingRatio(debian: DebianGuest): Promise<number> {
  const watched: number[] = [], unwatched: number[] = [];
  for (let i = 0; i < PAIRS; i++) {
    watched.push(await cpuSeconds("watched", debian));
    unwatched.push(await cpuSeconds("unwatched", debian));
  }
  return Math.min(...watched) / Math.min(...unwatched);
}

async function cpuSeconds(how: "watched" | "unwatched", { kernel, initrd }: DebianGuest): Promise<number> {
  const script = join(import.meta.dirname ?? "bench", "watching_boot.ts");
  const args = ["run", ...PERMISSIONS, script, how, kernel, initrd];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout));
}
