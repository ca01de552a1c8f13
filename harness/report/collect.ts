/** A report's data from a machine that stands still. What only some machines have is added by the caller. */
import type { Frame } from "../backtrace/backtrace.ts";
import { BootwrightError, WaitError } from "../errors.ts";
import { describeExit } from "../exit.ts";
import { GuestCrashError } from "../faults/guest_crash_error.ts";
import type { Vm } from "../vm.ts";
import type { ReportData, ReportFault, ReportFrame } from "./report_data.ts";

/** What a report says beyond the machine's own facts. */
export type ReportExtras = Pick<ReportData, "title"> & Partial<Omit<ReportData, "title">>;

/** The data of a report about a machine, and about the error that its test got, if any. */
export function collectReport(vm: Vm, error: Error | undefined, extras: ReportExtras): ReportData {
  const { reproduce, cpus } = vm.report();
  const kernelLog = vm.readableLog();
  // A crash that a text tells of is no end of the machine, but of the wait.
  const exit = error instanceof WaitError ? error.exit : vm.exit;
  const ended = vm.exit ? describeExit(vm.exit) : "the guest still ran";
  return {
    verdict: error === undefined ? "passed" : error instanceof BootwrightError ? error.verdict : "usage",
    message: error?.message ?? `Everything went as asked; ${ended}.`,
    arch: vm.arch,
    engine: vm.engine.name,
    deterministic: vm.engine.deterministic,
    guestTimeNs: vm.guestTimeNs,
    instructions: vm.instructions,
    ...(exit && { exit }),
    ...(reproduce !== undefined && { command: reproduce }),
    cpus: cpus.map(({ frames, ...position }) => ({
      ...position,
      registers: vm.cpu(position.index).registers,
      ...(frames && { backtrace: frames.map(reportFrame) }),
    })),
    ...(kernelLog && { kernelLog }),
    consoles: Array.from({ length: vm.serialCount }, (_, line) => {
      const console = vm.serial(line);
      return {
        line,
        name: line === 0 ? "Console" : `Serial ${line}`,
        bytes: console.bytes,
        droppedBytes: console.droppedBytes,
        recording: console.recording(),
      };
    }).filter(({ line, bytes }) => line === 0 || bytes.length > 0),
    faults: faultsOf(vm, error),
    timeline: vm.timeline.events,
    droppedEvents: vm.timeline.dropped,
    statistics: vm.statistics,
    ...(error && { error: { message: error.message, ...(error.stack && { stack: error.stack }) } }),
    ...extras,
  };
}

/** The crash that ended the test first, its addresses as symbols; then the others, those expected left out. */
function faultsOf(vm: Vm, error: Error | undefined): ReportFault[] {
  const ended = error instanceof GuestCrashError ? error : undefined;
  const others = vm.faults.all.filter((crash) => crash !== ended?.crash && !crash.expected);
  return [
    ...(ended ? [{ title: ended.crash.title, report: ended.crashReport, atNs: ended.crash.atNs }] : []),
    ...others.map(({ title, report, atNs }) => ({ title, report, atNs })),
  ];
}

function reportFrame({ pc, symbol, offset = 0, file, line }: Frame): ReportFrame {
  return {
    pc,
    ...(symbol !== undefined && { symbol: `${symbol}+0x${offset.toString(16)}` }),
    ...(file !== undefined && { location: `${file}:${line}` }),
  };
}
