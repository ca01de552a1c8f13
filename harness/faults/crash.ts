/** What is known of one fault, once its report is complete. */
import type { FaultClass } from "./rule.ts";
import type { CrashFrame } from "./stack.ts";

/** A fault that the guest reported, or that the machine saw. */
export interface Crash {
  /** The rule's name: `panic`, `kasan`, `soft-lockup`, … */
  readonly rule: string;
  /** The rule's family: `panic`, `oops`, `lockdep`, … */
  readonly family: string;
  /** One line in a fixed form, the same for every occurrence: `BUG: KASAN: use-after-free in foo`. */
  readonly title: string;
  /** What it did to the test. */
  readonly class: FaultClass;
  /** Whether the test had said that it would come. */
  readonly expected: boolean;
  /** The lines of the report, as the console showed them, each ended by a newline. */
  readonly report: string;
  /** How many lines that is. */
  readonly lines: number;
  /** Guest time of its heading, in ns. */
  readonly atNs: number;
  /** Instructions retired by then. */
  readonly instructions: number;
  /** Whether other output is mixed into the report, or its end is missing. */
  readonly corrupted: boolean;
  /** The stack frames in the report, in their order. */
  readonly frames: readonly CrashFrame[];
}
