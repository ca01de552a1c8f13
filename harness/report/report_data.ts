/**
 * What a report is made from: plain data about a machine that stands still. Whatever of it comes from the
 * guest (console, log, symbols, faults) is untrusted text or bytes.
 */
import type { CpuPosition, Verdict } from "../errors.ts";
import type { VmExit } from "../exit.ts";
import type { OutputMark } from "../recording.ts";
import type { TimelineEvent } from "../timeline.ts";

/** How the run ended: well, or whose fault it was that it did not. */
export type ReportVerdict = "passed" | Verdict;

/** Where one vCPU stands, and how it came there. */
export interface ReportCpu extends CpuPosition {
  /** What `pc` is in: `do_idle+0x2c`. */
  readonly symbol?: string;
  /** Every register worth showing, in the ISA's order. */
  readonly registers: Readonly<Record<string, bigint>>;
  /** The innermost frame first. */
  readonly backtrace?: readonly ReportFrame[];
}

/** One frame of a backtrace. */
export interface ReportFrame {
  /** Return address, or the program counter. */
  readonly pc: bigint;
  /** `do_idle+0x2c`. */
  readonly symbol?: string;
  /** `kernel/sched/idle.c:325`. */
  readonly location?: string;
}

/** What one serial line printed. */
export interface ReportConsole {
  /** The line's number. */
  readonly line: number;
  /** "Console", "Serial 1". */
  readonly name: string;
  /** What was printed, as the guest sent it. */
  readonly bytes: Uint8Array;
  /** Bytes printed before those. @default 0 */
  readonly droppedBytes?: number;
  /** When it was printed; offsets count from the first byte ever printed. */
  readonly recording: readonly OutputMark[];
  /** The terminal's width. @default 80 */
  readonly columns?: number;
  /** The terminal's height. @default 24 */
  readonly rows?: number;
}

/** A line of the kernel's log. */
export interface ReportLogEntry {
  /** Guest time in ns. */
  readonly timeNs: number;
  /** Syslog level, 0 (emergency) to 7 (debug). */
  readonly level: number;
  /** Without prefix and line end. */
  readonly text: string;
}

/** A crash of the guest's kernel. */
export interface ReportFault {
  /** In a few words. */
  readonly title: string;
  /** The kernel's whole report, addresses as symbols. */
  readonly report: string;
  /** Guest time in ns. */
  readonly atNs: number;
}

/** A command that a shell ran. */
export interface ReportShellCommand {
  /** As given. */
  readonly command: string;
  /** Its exit code; undefined where it did not end. */
  readonly code?: number;
  /** Guest time at its start in ns. */
  readonly atNs: number;
  /** Guest time it took in ns. */
  readonly durationNs?: number;
  /** What it printed. */
  readonly stdout?: string;
  /** What it complained. */
  readonly stderr?: string;
}

/** Everything a report shows. */
export interface ReportData {
  /** What ran: the test's name, or the kernel's. */
  readonly title: string;
  /** How it ended. */
  readonly verdict: ReportVerdict;
  /** Why: one sentence, then details in further lines. */
  readonly message: string;
  /** Guest architecture. */
  readonly arch: string;
  /** What executed the guest. */
  readonly engine: string;
  /** Whether the same inputs give the same run. */
  readonly deterministic: boolean;
  /** Guest time in ns. */
  readonly guestTimeNs: number;
  /** Instructions retired by all vCPUs. */
  readonly instructions: number;
  /** Why the machine or the wait ended; undefined while the guest still ran. */
  readonly exit?: VmExit;
  /** The command that does it again. */
  readonly command?: string;
  /** Where every vCPU stands. */
  readonly cpus: readonly ReportCpu[];
  /** What the serial lines printed. */
  readonly consoles: readonly ReportConsole[];
  /** The kernel's log, read from guest memory. */
  readonly kernelLog?: readonly ReportLogEntry[];
  /** What happened. */
  readonly timeline: readonly TimelineEvent[];
  /** Events forgotten because there were too many. @default 0 */
  readonly droppedEvents?: number;
  /** Crashes of the guest's kernel, the first one first. */
  readonly faults?: readonly ReportFault[];
  /** What `vm.shell` ran. */
  readonly shell?: readonly ReportShellCommand[];
  /** The engine's counters. */
  readonly statistics?: Readonly<Record<string, number>>;
  /** The error that the test got. */
  readonly error?: { readonly message: string; readonly stack?: string };
}
