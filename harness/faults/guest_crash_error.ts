/** The error of a wait that a fault in the guest has ended. */
import { type MachineReport, WaitError } from "../errors.ts";
import type { VmExit } from "../exit.ts";
import { formatMoment, formatNs, shorten } from "../format.ts";
import type { Crash } from "./crash.ts";

/** Lines of the report and of the kernel's log that a message shows; the fields have all. */
const MAX_SHOWN = 120;
/** Characters of a line that a message shows. */
const MAX_LINE = 400;

/** What is known of the fault. */
export interface CrashFacts {
  /** The fault. */
  readonly crash: Crash;
  /** Its report, with addresses named. */
  readonly report: string;
  /** Other faults that nobody had expected. */
  readonly others: readonly Crash[];
  /** The kernel's log, where it could be read from memory. */
  readonly kernelLog: readonly string[] | undefined;
  /** How the wait ended. @default by a panic */
  readonly exit?: VmExit;
}

/** A fault in the guest ended the wait. */
export class GuestCrashError extends WaitError {
  /** The name of the class. */
  override name = "GuestCrashError";
  /** The guest's fault. */
  override readonly verdict = "guest";
  /** The fault, its report as the guest printed it. */
  readonly crash: Crash;
  /** The report, with addresses named. */
  readonly crashReport: string;
  /** Other faults that nobody had expected. */
  readonly others: readonly Crash[];
  /** The kernel's log, where it could be read from memory. */
  readonly kernelLog: readonly string[] | undefined;

  /** Made by the wait that failed. */
  constructor(wanted: string, machine: MachineReport, facts: CrashFacts) {
    super(wanted, facts.exit ?? { kind: "panic", detail: facts.crash.title }, undefined, machine);
    this.crash = facts.crash;
    this.crashReport = facts.report;
    this.others = facts.others;
    this.kernelLog = facts.kernelLog;
    this.message = crashMessage(wanted, machine, facts);
  }
}

function crashMessage(wanted: string, machine: MachineReport, facts: CrashFacts): string {
  const { crash, report, others, kernelLog } = facts;
  const mixed = crash.corrupted ? "; other output is mixed into its report, or it was cut off" : "";
  const lines = [
    crash.title,
    `  while waiting for ${wanted} (rule "${crash.rule}", ${crash.class}${mixed})`,
    `  ${formatMoment(crash.atNs, crash.instructions)}`,
    ...quoted("the report", report.split("\n").slice(0, -1)),
    ...others.slice(0, 10).map((other) =>
      `  also: ${other.title} at ${formatNs(other.atNs)} (${other.class})`
    ),
    ...(kernelLog ? quoted("the end of the kernel's log", kernelLog.slice(-30)) : []),
    ...(report === "" ? quoted("last console lines", machine.lastLines) : []),
  ];
  if (machine.symbolsNotice) lines.push(`  symbols: ${machine.symbolsNotice}`);
  if (machine.reproduce) lines.push(`  reproduce: ${machine.reproduce}`);
  lines.push(`  if the test provokes it on purpose: using _ = vm.faults.expect("${crash.family}")`);
  return lines.join("\n");
}

function quoted(title: string, lines: readonly string[]): string[] {
  const shown = lines.slice(0, MAX_SHOWN).map((line) => `  | ${shorten(line, MAX_LINE)}`);
  const rest = lines.length - shown.length;
  return [`  ${title}:`, ...shown, ...(rest > 0 ? [`  | … ${rest} more lines`] : [])];
}
