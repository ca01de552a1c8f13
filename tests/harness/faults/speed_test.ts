import { assert } from "@std/assert";
import { CRASH_RULES } from "../../../harness/faults/rules.ts";
import { LOG_FIXTURES } from "./_logs.ts";
import { Watch } from "./_watch.ts";

/** What the issue asks for; measured it is more than ten times as much. */
const BYTES_PER_SECOND = 5e6;

Deno.test("console output is matched against 40 rules at 5 MB/s and more", () => {
  assert(CRASH_RULES.length >= 40);
  const lines: string[] = [];
  // A boot's ordinary lines, and one report in a hundred.
  for (let i = 0; i < 60_000; i++) {
    const time = `[${(1 + i / 1000).toFixed(6).padStart(12)}]`;
    if (i % 3 === 0) {
      lines.push(`${time} virtio_net virtio${i % 7}: Assigned random MAC address 52:54:00:12:34:${i % 90}`);
    } else if (i % 3 === 1) {
      lines.push(`${time} systemd[1]: Starting modprobe@efi_pstore.service - Load Kernel Module ${i}`);
    } else lines.push(`ok ${i} - selftests: net: the quick brown fox jumps over the lazy dog # time=${i}ms`);
    if (i % 100 === 0) {
      const { log } = LOG_FIXTURES[(i / 100) % LOG_FIXTURES.length];
      lines.push(...log.split("\n").map((line) => line.replace(/^\[ *\d+\.\d{6}\]/, time)));
    }
  }
  const bytes = lines.reduce((sum, line) => sum + line.length + 1, 0);
  const measure = () => {
    const watch = new Watch().boot();
    const start = performance.now();
    for (const line of lines) {
      watch.atNs += 1e6;
      watch.faults.line(line);
    }
    const seconds = (performance.now() - start) / 1000;
    assert(watch.faults.all.length > 10);
    return bytes / seconds;
  };
  measure();
  const rate = Math.max(measure(), measure());
  assert(rate > BYTES_PER_SECOND, `${(rate / 1e6).toFixed(1)} MB/s`);
});
