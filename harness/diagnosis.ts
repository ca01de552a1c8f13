/**
 * What a failure can tell of the guest's kernel, read from its memory: where vCPUs stand by name, and the end of its
 * log. A guest that is no Linux, or whose memory is damaged, has none of it, and that is no error.
 */
import type { Kernel } from "./kernel/kernel.ts";
import { KernelInsightError } from "./kernel/kernel_insight_error.ts";
import type { LogEntry } from "./kernel/log.ts";

/** What `look` gives; undefined where the kernel cannot be read. */
export function ifReadable<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof KernelInsightError) return undefined;
    throw error;
  }
}

/** The kernel's log, where it can be read. */
export function readableLog(kernel: Kernel): readonly LogEntry[] | undefined {
  return ifReadable(() => kernel.log());
}

/** A log entry as `dmesg` prints it, without level. */
export function logLine({ timeNs, text }: LogEntry): string {
  return `[${(timeNs / 1e9).toFixed(6).padStart(12)}] ${text}`;
}
