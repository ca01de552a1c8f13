/** The harness's errors. Each names its verdict, so that a runner can tell whose fault it was. */
import { formatBacktrace, type Frame } from "./backtrace/frame.ts";
import { describeExit, type VmExit } from "./exit.ts";
import { formatMoment } from "./format.ts";
import { unseenLog } from "./kernel/unseen_log.ts";

/**
 * Whose fault an error is: the caller's (`usage`), the guest's (`guest`), the host's (`host`), or nobody's
 * because wall time ran out (`watchdog`).
 */
export type Verdict = "usage" | "guest" | "host" | "watchdog";

/** What every error of the harness is. */
export abstract class BootwrightError extends Error {
  /** Whose fault it is. */
  abstract readonly verdict: Verdict;
}

/** An option, image or argument that cannot be used; the message says which and what would do. */
export class InputError extends BootwrightError {
  /** The name of the class. */
  override name = "InputError";
  /** The caller's fault. */
  readonly verdict = "usage";
}

/** The host lacks something: memory, a permission, a processor the engine knows. */
export class HostError extends BootwrightError {
  /** The name of the class. */
  override name = "HostError";
  /** The host's fault. */
  readonly verdict = "host";
}

/** Where one vCPU stands. */
export interface CpuPosition {
  /** Which one. */
  readonly index: number;
  /** Program counter. */
  readonly pc: bigint;
  /** Privilege mode, in words. */
  readonly mode: string;
  /** What it is doing. */
  readonly state: "running" | "waiting" | "stopped";
  /** What the program counter is in, where the kernel's symbols tell: `do_idle+0x2c/0x200`. */
  readonly symbol?: string;
  /** How it came there, the innermost frame first, where that can be told. */
  readonly frames?: readonly Frame[];
}

/** The facts of a machine at the moment something failed. */
export interface MachineReport {
  /** Guest time in ns. */
  readonly guestTimeNs: number;
  /** Instructions retired by all vCPUs. */
  readonly instructions: number;
  /** Where every vCPU stands. */
  readonly cpus: readonly CpuPosition[];
  /** The last lines of the console. */
  readonly lastLines: readonly string[];
  /** The end of the kernel's log as read from its memory, as `dmesg` prints it; undefined where there is none. */
  readonly kernelLog?: readonly string[];
  /** Where a guest that was busy spent the wait's time, as lines of a histogram. */
  readonly hotSpots?: readonly string[];
  /** Why the symbols that the test gave are of no use: they are of another build, say. */
  readonly symbolsNotice?: string;
  /** A command that shows the same, where the machine was made from files. */
  readonly reproduce: string | undefined;
}

/** A wait did not end as the test wanted. */
export class WaitError extends BootwrightError {
  /** The name of the class. */
  override name = "WaitError";
  /** The guest's fault, unless the watchdog struck. */
  readonly verdict: Verdict;

  /**
   * Made by the wait that failed.
   *
   * @param wanted What was waited for, in words.
   * @param exit Why the wait ended instead.
   * @param nearestMiss The console line most like what was wanted, if any is.
   * @param report The machine's facts.
   */
  constructor(
    readonly wanted: string,
    readonly exit: VmExit,
    readonly nearestMiss: string | undefined,
    readonly report: MachineReport,
  ) {
    super(waitMessage(wanted, exit, nearestMiss, report));
    this.verdict = exit.kind === "hostWatchdog" ? "watchdog" : "guest";
  }
}

function waitMessage(
  wanted: string,
  exit: VmExit,
  nearest: string | undefined,
  report: MachineReport,
): string {
  const lines = [
    `Waited for ${wanted}, but ${describeExit(exit)}.`,
    ...(nearest === undefined ? [] : [`  nearest miss: ${nearest}`]),
    `  ${formatMoment(report.guestTimeNs, report.instructions)}`,
    ...report.cpus.flatMap(positionLines),
  ];
  const busy = exit.kind === "guestBudget" || exit.kind === "hostWatchdog" ? report.hotSpots ?? [] : [];
  if (busy.length > 0) lines.push("  where it was busy:", ...busy.map((line) => `  | ${line}`));
  if (report.lastLines.length > 0) {
    lines.push(`  last console lines:`, ...report.lastLines.map((line) => `  | ${line}`));
  } else {
    lines.push("  the console is empty");
  }
  const unseen = unseenLog(report.kernelLog ?? [], report.lastLines).slice(-MAX_LOG_LINES);
  if (unseen.length > 0) lines.push("  the end of the kernel's log:", ...unseen.map((line) => `  | ${line}`));
  if (report.symbolsNotice) lines.push(`  symbols: ${report.symbolsNotice}`);
  if (report.reproduce) lines.push(`  reproduce: ${report.reproduce}`);
  return lines.join("\n");
}

/** Frames of a backtrace in a message. */
const MAX_FRAMES = 12;

function positionLines({ index, pc, symbol, mode, state, frames = [] }: CpuPosition): string[] {
  const calls = formatBacktrace(frames.slice(0, MAX_FRAMES)).slice(1);
  return [
    `  cpu ${index}: pc 0x${pc.toString(16)}${symbol ? ` (${symbol})` : ""}, ${mode} mode, ${state}`,
    ...calls.map((line) => `    ${line}`),
  ];
}

/** Lines of the kernel's log in a message. */
const MAX_LOG_LINES = 15;
