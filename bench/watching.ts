/** What it costs to watch a booting guest: waits and crash rules. */
import { join } from "@std/path";
import type { DebianGuest } from "../fixtures/debian.ts";
import { median } from "./statistics.ts";

const RUNS = 5;

/**
 * The time of a boot with waits and all crash rules over that of the same boot without what they took, each boot in a
 * process of its own. Two boots, one with and one without, differ by several times what is measured here, also by
 * turns in one process: by where their memory happens to lie.
 */
export async function watchingRatio(debian: DebianGuest): Promise<number> {
  const shares: number[] = [];
  for (let i = 0; i < RUNS; i++) shares.push(await watchingShare(debian));
  return 1 / (1 - median(shares));
}

async function watchingShare({ kernel, initrd }: DebianGuest): Promise<number> {
  const script = join(import.meta.dirname ?? "bench", "watching_boot.ts");
  const args = ["run", "--allow-all", script, kernel, initrd];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout));
}
