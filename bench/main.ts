/**
 * `deno task bench`: measures Bootwright against QEMU, which runs the same guests with the same memory. Pairs
 * run alternately (ours, QEMU, ours, QEMU…), so that both sides see the same host, whatever else it does.
 */
import { dirname } from "@std/path";
import type { ArchitectureName } from "../fixtures/architectures.ts";
import { type DebianGuest, debianGuest } from "../fixtures/debian.ts";
import { type BenchOptions, DEFAULT_RUNS, HELP, parseBenchArguments, UsageError } from "./arguments.ts";
import { bootwright, freshBundle, qemu, qemuVersion } from "./emulators.ts";
import { FIGURES, measured, type MeasuredFigure, type Pair } from "./figures.ts";
import { counterTable, figureTable, type MeasuredProgram, measuredPrograms, programTable } from "./report.ts";
import { engineStatistics, type ScenarioName, SCENARIOS } from "./scenarios.ts";

const ARCH: ArchitectureName = "riscv64";

/** What the bench writes as JSON. */
export interface BenchResult {
  /** When it was written, in ISO 8601. */
  readonly date: string;
  /** What it ran on. */
  readonly host: {
    readonly cpu: string;
    readonly cores: number;
    readonly deno: string;
    readonly qemu?: string;
  };
  readonly runs: number;
  readonly figures: readonly MeasuredFigure[];
  readonly programs?: readonly MeasuredProgram[];
  /** The engine's counters after a Debian boot. */
  readonly statistics?: Readonly<Record<string, number>>;
}

/** Runs the bench; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parseBenchArguments(args);
    if (options === undefined) {
      console.log(HELP);
      return 0;
    }
    const result = await bench(options);
    console.log(describe(result));
    await Deno.mkdir(dirname(options.output), { recursive: true });
    await Deno.writeTextFile(options.output, JSON.stringify(result, null, 2) + "\n");
    return result.figures.some(({ mustMet }) => mustMet === false) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(`bench: ${error.message}`);
    return error instanceof UsageError ? 2 : 3;
  }
}

async function bench(options: BenchOptions): Promise<BenchResult> {
  const needed = new Set(options.only.map((name) => FIGURES[name].scenario));
  const version = await qemuVersion(ARCH);
  const bundle = options.cli ?? await freshBundle();
  const pairs = new Map<ScenarioName, Pair[]>();
  for (const name of needed) {
    pairs.set(name, await runPairs(name, options.runs, bundle, version !== undefined));
  }
  const programs = pairs.get("programs");
  const statistics = pairs.get("statistics");
  return {
    date: new Date().toISOString(),
    host: {
      cpu: cpuModel(),
      cores: navigator.hardwareConcurrency,
      deno: Deno.version.deno,
      ...(version !== undefined && { qemu: version }),
    },
    runs: options.runs,
    figures: options.only.map((name) => measured(name, pairs.get(FIGURES[name].scenario)!)),
    ...(programs && { programs: measuredPrograms(programs) }),
    ...(statistics && { statistics: engineStatistics(statistics.at(-1)!.ours) }),
  };
}

/** Runs a scenario's pairs, ours first. */
async function runPairs(
  name: ScenarioName,
  runs: number,
  bundle: string,
  withQemu: boolean,
): Promise<Pair[]> {
  const scenario = SCENARIOS[name];
  const ours = bootwright(bundle);
  const pairs: Pair[] = [];
  const total = runs * scenario.repeat;
  for (let i = 0; i < total; i++) {
    console.error(`${scenario.title}, ${i + 1} of ${total}`);
    pairs.push({
      ours: await scenario.run(ours, fetchedGuest),
      ...(withQemu && !scenario.oursOnly && { theirs: await scenario.run(qemu, fetchedGuest) }),
    });
  }
  return pairs;
}

function fetchedGuest(): DebianGuest {
  const guest = debianGuest(ARCH);
  if (guest === undefined) {
    throw new Error("There is no Debian guest yet; run deno task fixtures, or take --only start,tiny.");
  }
  return guest;
}

function describe({ host, runs, figures, programs, statistics }: BenchResult): string {
  const parts = [
    `Bootwright (Deno ${host.deno}) against ${host.qemu ?? "nothing: there is no QEMU on the PATH"}; ` +
    `${host.cpu}, ${host.cores} cores; ${runs} runs each` +
    (runs < DEFAULT_RUNS ? ` (fewer than ${DEFAULT_RUNS}: indicative only)` : ""),
    figureTable(figures),
  ];
  if (programs) parts.push(programTable(programs));
  if (statistics) parts.push(counterTable(statistics));
  return parts.join("\n\n");
}

function cpuModel(): string {
  const [, model] = /^model name\s*:\s*(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo")) ?? [];
  return model ?? Deno.build.arch;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
