/** `machine.json`: the facts of a report for programs. Numbers of 64 bits are hexadecimal strings. */
import type { TimelineEvent } from "../timeline.ts";
import type { VmExit } from "../exit.ts";
import type { ReportData, ReportVerdict } from "./report_data.ts";

/** The schema of `machine.json`. Fields may be added; a change of meaning changes `version`. */
export interface MachineJson {
  /** 1. */
  readonly version: 1;
  /** What ran. */
  readonly title: string;
  /** How it ended, or whose fault it was. */
  readonly verdict: ReportVerdict;
  /** Why. */
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
  /** Why the machine or the wait ended; null while the guest still ran. */
  readonly exit: VmExit | null;
  /** The command that does it again, where there is one. */
  readonly command: string | null;
  /** The vCPUs. */
  readonly cpus: readonly MachineJsonCpu[];
  /** The serial lines: their names and how many bytes they printed. */
  readonly consoles: readonly { readonly line: number; readonly name: string; readonly bytes: number }[];
  /** Crashes of the guest's kernel. */
  readonly faults: readonly { readonly title: string; readonly report: string; readonly atNs: number }[];
  /** What happened, in guest time. */
  readonly timeline: readonly TimelineEvent[];
  /** The engine's counters. */
  readonly statistics: Readonly<Record<string, number>>;
}

/** A vCPU of {@linkcode MachineJson}. */
export interface MachineJsonCpu {
  /** Its number. */
  readonly index: number;
  /** Program counter: `"0xffffffff80001234"`. */
  readonly pc: string;
  /** What that is in, where it is known. */
  readonly symbol: string | null;
  /** Privilege mode. */
  readonly mode: string;
  /** "running", "waiting" or "stopped". */
  readonly state: string;
  /** Registers by name, hexadecimal. */
  readonly registers: Readonly<Record<string, string>>;
  /** The innermost frame first; empty where it is not known. */
  readonly backtrace: readonly {
    readonly pc: string;
    readonly symbol: string | null;
    readonly location: string | null;
  }[];
}

/** The contents of `machine.json`. */
export function machineJson(data: ReportData): MachineJson {
  return {
    version: 1,
    title: data.title,
    verdict: data.verdict,
    message: data.message,
    arch: data.arch,
    engine: data.engine,
    deterministic: data.deterministic,
    guestTimeNs: data.guestTimeNs,
    instructions: data.instructions,
    exit: data.exit ?? null,
    command: data.command ?? null,
    cpus: data.cpus.map((cpu) => ({
      index: cpu.index,
      pc: hex(cpu.pc),
      symbol: cpu.symbol ?? null,
      mode: cpu.mode,
      state: cpu.state,
      registers: Object.fromEntries(Object.entries(cpu.registers).map(([name, value]) => [name, hex(value)])),
      backtrace: (cpu.backtrace ?? []).map(({ pc, symbol, location }) => ({
        pc: hex(pc),
        symbol: symbol ?? null,
        location: location ?? null,
      })),
    })),
    consoles: data.consoles.map(({ line, name, bytes, droppedBytes = 0 }) => ({
      line,
      name,
      bytes: droppedBytes + bytes.length,
    })),
    faults: (data.faults ?? []).map(({ title, report, atNs }) => ({ title, report, atNs })),
    timeline: data.timeline,
    statistics: data.statistics ?? {},
  };
}

/** `0xffffffff80001234`. */
export function hex(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`;
}
