/** gdb's `monitor` commands: what gdb has no command of its own for. */
import type { Machine } from "../../core/machine.ts";
import { formatNs } from "../format.ts";
import { didYouMean } from "../suggest.ts";
import type { DebugMemory } from "./memory.ts";
import type { RunControl } from "./run_control.ts";

/** What commands act on. */
export interface MonitorContext {
  readonly machine: Machine;
  readonly control: RunControl;
  readonly memory: DebugMemory;
  /** Number of the vCPU that gdb looks at. */
  readonly cpu: number;
}

/** One command. */
export interface MonitorCommand {
  /** What `monitor help` says of it. */
  readonly summary: string;
  /** Does it; returns what gdb prints. `words` are those after the command's name. */
  run(context: MonitorContext, words: readonly string[]): string;
}

const USER_SUMMARY_WIDTH = 18;

/** Name → command. A name may have two words. */
export const MONITOR_COMMANDS: Readonly<Record<string, MonitorCommand>> = {
  help: {
    summary: "this list",
    run: () => usage(MONITOR_COMMANDS),
  },
  "info registers": {
    summary: "every register of the current vCPU, system registers too",
    run: ({ machine, cpu }) => {
      const vcpu = machine.vcpus[cpu];
      const rows = vcpu.registers().map(({ name }) => `${name.padEnd(14)} ${hex(vcpu.register(name)!)}`);
      return lines([`vCPU ${cpu}, ${vcpu.mode} mode`, ...rows]);
    },
  },
  "info cpus": {
    summary: "where every vCPU stands",
    run: ({ machine }) =>
      lines(machine.vcpus.map((vcpu) => {
        const doing = vcpu.stopped ? "stopped" : vcpu.waiting ? "waiting" : "running";
        return `vCPU ${vcpu.index}: pc ${hex(vcpu.register("pc")!)}, ${vcpu.mode} mode, ${doing}`;
      })),
  },
  "info time": {
    summary: "guest time",
    run: ({ machine }) => lines([`${formatNs(machine.clock.nowNs)} (${machine.clock.nowNs} ns)`]),
  },
  "info instructions": {
    summary: "instructions retired by all vCPUs",
    run: ({ machine }) => lines([`${machine.clock.instructions}`]),
  },
  phys: {
    summary: "on: addresses are physical; off: virtual, by the current vCPU's page tables",
    run: ({ memory }, [word]) => {
      if (word === "on" || word === "off") memory.physical = word === "on";
      else if (word !== undefined) return `phys is "on" or "off", not "${word}".\n`;
      return `Memory is read by ${memory.physical ? "physical" : "virtual"} address.\n`;
    },
  },
  reset: {
    summary: "press reset, and stop at the first instruction",
    run: ({ control }) => {
      control.reset();
      return "The machine was reset. gdb does not know: say `maintenance flush register-cache`.\n";
    },
  },
};

/** Runs what was typed after `monitor`; returns what gdb prints. */
export function runMonitor(
  line: string,
  context: MonitorContext,
  commands: Readonly<Record<string, MonitorCommand>> = MONITOR_COMMANDS,
): string {
  const words = line.trim().split(/\s+/);
  for (const count of [2, 1]) {
    const name = words.slice(0, count).join(" ");
    if (Object.hasOwn(commands, name)) return commands[name].run(context, words.slice(count));
  }
  const meant = didYouMean(words.join(" "), Object.keys(commands));
  return `There is no monitor command "${words.join(" ").slice(0, 80)}".${meant} See monitor help.\n`;
}

function usage(commands: Readonly<Record<string, MonitorCommand>>): string {
  const rows = Object.entries(commands).map(([name, { summary }]) =>
    `monitor ${name.padEnd(USER_SUMMARY_WIDTH)} ${summary}`
  );
  return lines(rows);
}

function lines(rows: readonly string[]): string {
  return rows.map((row) => `${row}\n`).join("");
}

function hex(value: bigint): string {
  return `0x${value.toString(16).padStart(16, "0")}`;
}
