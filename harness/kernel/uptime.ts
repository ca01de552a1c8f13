/** How long a Linux guest has been up, by its own count of timer ticks. */
import { KernelInsightError } from "./kernel_insight_error.ts";
import type { KernelTypes } from "./types.ts";

/** The count begins so many seconds before it overflows 32 bits (`include/linux/jiffies.h`, INITIAL_JIFFIES). */
const SECONDS_TO_OVERFLOW = 300;
const SECOND_NS = 1e9;

/** Seconds since the kernel started, as of its last tick. */
export function readUptime(types: KernelTypes): number {
  const jiffies = types.variable("jiffies_64").value() as bigint;
  // The clock source that counts ticks tells how long one is: mult / 2^shift ns.
  const clock = types.at("clocksource_jiffies", "struct clocksource");
  const tickNs = clock.get("mult").number() / 2 ** clock.get("shift").number();
  if (!(tickNs >= 1 && tickNs <= SECOND_NS)) {
    throw new KernelInsightError(
      "The kernel does not tell how long its timer's ticks are; vm.guestTimeNs does.",
    );
  }
  const hz = Math.round(SECOND_NS / tickNs);
  const initial = BigInt.asUintN(32, BigInt(-SECONDS_TO_OVERFLOW * hz));
  return Math.max(0, Number(BigInt.asIntN(64, jiffies - initial)) / hz);
}
