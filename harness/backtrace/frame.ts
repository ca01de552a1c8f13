/** A backtrace as data and as text. It stands apart from how one is made, so that errors can show one. */
import { type CodePlace, formatPlace } from "../symbols/symbolizer.ts";

/** One frame of a backtrace. */
export interface Frame extends Partial<CodePlace> {
  /** The innermost frame's program counter, or where the call made from this one returns to. */
  readonly pc: bigint;
  /** Stack pointer, or the nearest value known to lie in this frame. */
  readonly sp: bigint;
  /** Whose code it is. */
  readonly mode: "kernel" | "user";
  /** Whether `pc` is where a call returns to; else the vCPU stands there, or was interrupted there. */
  readonly called: boolean;
}

/** A backtrace as lines for a report: `#0 do_idle+0x1c/0x200 kernel/sched/idle.c:263`. */
export function formatBacktrace(frames: readonly Frame[]): string[] {
  return frames.map(({ pc, mode, symbol, offset, size, file, line }, i) => {
    const where = symbol === undefined
      ? `0x${pc.toString(16)}`
      : formatPlace({ symbol, offset: offset ?? 0, size: size ?? 0, file, line });
    return `#${i} ${where}${mode === "user" ? " (user)" : ""}`;
  });
}
