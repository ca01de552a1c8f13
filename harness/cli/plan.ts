/** `bootwright run`'s arguments as a plan: what machine to boot, and what shall happen then. */
import type { EngineChoice } from "../../accel/select.ts";
import type { Arch } from "../boards.ts";
import type { BootOptions } from "../boot.ts";
import { guest, type GuestDuration, host, type HostDuration } from "../budget.ts";
import { InputError } from "../errors.ts";
import type { FaultPolicy } from "../faults/faults.ts";
import { unescapeText } from "../escapes.ts";
import { type OptionTable, parseArguments } from "./arguments.ts";

/** One thing that shall happen. */
export type Step = { readonly expect: RegExp } | { readonly send: string };

/** What `bootwright run` shall do. */
export interface Plan {
  readonly boot: BootOptions;
  readonly steps: readonly Step[];
  readonly within: GuestDuration;
  readonly watchdog: HostDuration;
  /** The file for the results, if any. */
  readonly json: string | undefined;
  readonly digest: boolean;
  /** The folder for a report, if any. */
  readonly report: string | undefined;
  /** The file for JUnit's XML, if any. */
  readonly junit: string | undefined;
  /** The port to wait for gdb at, if any. */
  readonly gdb: number | undefined;
}

const OPTIONS: OptionTable = {
  arch: "ARCH",
  kernel: "FILE",
  initrd: "FILE",
  firmware: "FILE",
  append: "TEXT",
  memory: "SIZE",
  cpus: "N",
  "cpu-mode": "MODE",
  "cpu-model": "MODEL",
  engine: "ENGINE",
  expect: "RE",
  send: "TEXT",
  fault: "NAME=CLASS",
  within: "TIME",
  watchdog: "TIME",
  json: "FILE",
  digest: "",
  report: "DIR",
  junit: "FILE",
  gdb: "PORT",
  help: "",
};

/**
 * Understands the arguments; undefined when help was asked for.
 *
 * @throws {InputError} when they cannot be understood.
 */
export function parsePlan(args: readonly string[]): Plan | undefined {
  const given = parseArguments("run", args, OPTIONS);
  if (given.some(({ name }) => name === "help")) return undefined;
  const value = new Map(given.map((option) => [option.name, option.value]));
  const required = (name: string, example: string): string => {
    const text = value.get(name);
    if (!text) throw new InputError(`--${name} is missing; give it as in --${name} ${example}.`);
    return text;
  };
  const steps: Step[] = [];
  for (const { name, value } of given) {
    if (name === "expect") steps.push({ expect: expression(value) });
    if (name === "send") steps.push({ send: unescapeText(value) });
  }
  const faults = given.filter(({ name }) => name === "fault").map(({ value }) => faultClass(value));
  const cpus = value.get("cpus");
  if (cpus !== undefined && !/^\d+$/.test(cpus)) throw new InputError(`--cpus is a number, not "${cpus}".`);
  const gdb = value.get("gdb");
  if (gdb !== undefined && !/^\d+$/.test(gdb)) throw new InputError(`--gdb is a port, not "${gdb}".`);
  // boot() checks what these name, and suggests.
  const arch = required("arch", "riscv64") as Arch;
  const engine = value.get("engine") as EngineChoice | undefined;
  const cpuMode = value.get("cpu-mode") as BootOptions["cpuMode"];
  const cpuModel = value.get("cpu-model") as BootOptions["cpuModel"];
  return {
    boot: {
      arch,
      kernel: required("kernel", "Image"),
      initrd: value.get("initrd"),
      firmware: value.get("firmware"),
      append: value.get("append"),
      memory: value.get("memory"),
      cpus: cpus === undefined ? undefined : Number(cpus),
      cpuMode,
      cpuModel,
      engine,
      ...(faults.length > 0 && { faults: Object.fromEntries(faults) }),
    },
    steps,
    within: guest(value.get("within") ?? "60s"),
    // Whoever debugs takes their time.
    watchdog: host(value.get("watchdog") ?? (gdb === undefined ? "5m" : "24h")),
    json: value.get("json"),
    digest: value.has("digest"),
    report: value.get("report"),
    junit: value.get("junit"),
    gdb: gdb === undefined ? undefined : Number(gdb),
  };
}

/** boot() checks the names, and suggests. */
function faultClass(text: string): [string, FaultPolicy] {
  const parts = text.split("=");
  if (parts.length !== 2) {
    throw new InputError(`--fault is written NAME=CLASS, as in --fault warning=fatal, not "${text}".`);
  }
  return parts as [string, FaultPolicy];
}

function expression(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^Invalid regular expression: /, "") : cause;
    throw new InputError(`--expect '${source}' is no regular expression: ${why}.`, { cause });
  }
}
