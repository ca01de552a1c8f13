/** What it costs to watch a guest: waits and crash rules, on a boot and on a flood of output. */
import { join } from "@std/path";
import type { DebianGuest } from "../fixtures/debian.ts";
import { Faults } from "../harness/faults/faults.ts";
import { StreamMatcher } from "../harness/matching/stream_matcher.ts";
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

/** MB/s at which console output passes one wait's pattern and all crash rules. */
export function matchingRate(): number {
  const lines: string[] = [];
  for (let i = 0; i < 100_000; i++) {
    const time = `[${(1 + i / 1000).toFixed(6).padStart(12)}]`;
    lines.push(
      i % 2 === 0
        ? `${time} virtio_net virtio${i % 7}: Assigned random MAC address 52:54:00:12:34:${i % 90}`
        : `ok ${i} - selftests: net: the quick brown fox jumps over the lazy dog # time=${i}ms`,
    );
  }
  const bytes = lines.reduce((sum, line) => sum + line.length + 1, 0);
  const pass = () => {
    let atNs = 0;
    const faults = new Faults({
      now: () => ({ atNs, instructions: atNs }),
      stop: () => {},
      armQuiet: () => {},
      symbolize: (text) => text,
    });
    const matcher = new StreamMatcher([/login: $/, "BOOT-OK"]);
    const start = performance.now();
    for (const line of lines) {
      atNs += 1e6;
      for (let i = 0; i < line.length; i++) matcher.feed(line.charCodeAt(i));
      matcher.feed(10);
      faults.line(line);
    }
    return bytes / 1000 / (performance.now() - start);
  };
  pass();
  return median([pass(), pass(), pass()]);
}
