/** What is run to be measured. Several figures may come from one scenario. */
import { join } from "@std/path";
import type { DebianGuest } from "../fixtures/debian.ts";
import { kernelPath } from "../fixtures/kernels.ts";
import { PROGRAM_NAMES } from "../fixtures/programs.ts";
import { type Emulator, type GuestSpec, PERMISSIONS, statisticsBundle } from "./emulators.ts";
import { type Observation, observe, peakRss } from "./observe.ts";

/** A scenario's name. */
export type ScenarioName = "boot" | "programs" | "tiny" | "statistics" | HarnessPart;

/** What `harness_figures.ts` measures, each a figure of its own. */
export type HarnessPart = "watching" | "matching" | "shell" | "symbol" | "log";

/** One scenario. */
export interface Scenario {
  /** For the progress line. */
  readonly title: string;
  /** Runs per run asked for: what is short is repeated more often. */
  readonly repeat: number;
  /** Whether it looks into our own engine, and so has no counterpart in QEMU. */
  readonly oursOnly: boolean;
  /** Runs it once. `debian` is a function because the tiny guest needs no fetched one. */
  run(emulator: Emulator, debian: () => DebianGuest): Promise<Observation>;
}

/** The guest's command line for what is timed: nothing it prints shall cost time. */
const APPEND = "console=ttyS0 quiet";
const BOOTED = "BOOT-OK";
const BOOT_LIMIT_MS = 120_000;
const PROGRAMS_LIMIT_MS = 900_000;

/** All scenarios. */
export const SCENARIOS: Readonly<Record<ScenarioName, Scenario>> = {
  boot: {
    title: "Debian boot",
    repeat: 1,
    oursOnly: false,
    run: (emulator, debian) => {
      const { arch, kernel, initrd } = debian();
      // Waiting for the shell too keeps ours alive while its memory is read at BOOT-OK.
      const guest: GuestSpec = { arch, kernel, initrd, append: APPEND, expect: [BOOTED, "# $"] };
      return observe(emulator.command(guest), { until: BOOTED, memory: peakRss, limitMs: BOOT_LIMIT_MS });
    },
  },
  programs: {
    title: "bench programs",
    repeat: 1,
    oursOnly: false,
    run: (emulator, debian) => {
      const { arch, kernel, benchInitrd: initrd } = debian();
      if (initrd === undefined) {
        throw new Error("The fixtures were made without a cross compiler, so there are no bench programs.");
      }
      const append = [APPEND, ...PROGRAM_NAMES.map((name) => `bench=${name}`), "halt"].join(" ");
      return observe(emulator.command({ arch, kernel, initrd, append }), { limitMs: PROGRAMS_LIMIT_MS });
    },
  },
  tiny: {
    title: "tiny guest",
    repeat: 3,
    oursOnly: false,
    run: (emulator) => {
      const guest: GuestSpec = { arch: "riscv64", kernel: kernelPath("hello") };
      return observe(emulator.command(guest), { limitMs: BOOT_LIMIT_MS });
    },
  },
  statistics: {
    title: "the engine's counters",
    repeat: 1,
    oursOnly: true,
    run: async (_, debian) => {
      const { arch, kernel, initrd } = debian();
      const script = await statisticsBundle();
      const command = [Deno.execPath(), "run", ...PERMISSIONS, script];
      return observe([...command, arch, kernel, initrd, APPEND, BOOTED], { limitMs: BOOT_LIMIT_MS });
    },
  },
  watching: harness("watching", "boots with and without waits and crash rules"),
  matching: harness("matching", "console output against patterns and crash rules"),
  shell: harness("shell", "shell commands"),
  symbol: harness("symbol", "the first look at a kernel"),
  log: harness("log", "the kernel's log"),
};

/** A figure of the harness, measured in a process of its own. */
function harness(part: HarnessPart, title: string): Scenario {
  return {
    title,
    repeat: 1,
    oursOnly: true,
    run: () => {
      const script = join(import.meta.dirname ?? "bench", "harness_figures.ts");
      return observe([Deno.execPath(), "run", "--allow-all", script, part], { limitMs: BOOT_LIMIT_MS });
    },
  };
}

/** What {@linkcode harness} printed. */
export function harnessFigure({ lines }: Observation, part: HarnessPart): number {
  return JSON.parse(lines[0].text)[part];
}

/** The engine's counters that the "statistics" scenario printed. */
export function engineStatistics({ lines }: Observation): Record<string, number> {
  return JSON.parse(lines[0].text);
}
