/** The bench's command line. */
import { parseArgs } from "@std/cli";
import { FIGURE_NAMES, type FigureName } from "./figures.ts";

/** What the bench shall do. */
export interface BenchOptions {
  /** Times that each pair runs. */
  readonly runs: number;
  /** The figures asked for. */
  readonly only: readonly FigureName[];
  /** Where the results go, as JSON. */
  readonly output: string;
  /** The bundled command line to measure; undefined for the repository's own, built when stale. */
  readonly cli: string | undefined;
}

/** Runs of each pair unless told otherwise; with fewer the figures are only indicative. */
export const DEFAULT_RUNS = 5;

/** What `--help` prints. */
export const HELP = `Measures Bootwright against QEMU in alternating runs, prints a table, writes JSON.

Usage: deno task bench [OPTIONS]

  --runs N        Runs of each pair; figures are medians (default ${DEFAULT_RUNS})
  --only LIST     Some figures: ${FIGURE_NAMES.join(",")}
  --output FILE   Where the JSON goes (default .cache/bench.json)
  --cli FILE      Another bundled command line to measure (default dist/bootwright.js, built when stale)

Needs "deno task fixtures" once, and qemu-system-riscv64 on the PATH; without QEMU it measures ours alone.
Exit codes: 0 every figure is within its limit; 1 one is not; 2 bad usage; 3 something could not be measured.`;

/** The arguments cannot be understood. */
export class UsageError extends Error {
  override name = "UsageError";
}

/**
 * Understands the arguments; undefined when help was asked for.
 *
 * @throws {UsageError} when they cannot be understood.
 */
export function parseBenchArguments(args: readonly string[]): BenchOptions | undefined {
  const unknown: string[] = [];
  const flags = parseArgs([...args], {
    string: ["runs", "only", "output", "cli"],
    boolean: ["help"],
    alias: { help: "h" },
    default: { runs: String(DEFAULT_RUNS), output: ".cache/bench.json" },
    unknown: (argument: string) => (unknown.push(argument), false),
  });
  if (flags.help) return undefined;
  if (unknown.length > 0) {
    throw new UsageError(`"${unknown[0]}" is not understood; see deno task bench --help.`);
  }
  if (!/^[1-9]\d{0,3}$/.test(flags.runs)) throw new UsageError(`--runs is 1 or more, not "${flags.runs}".`);
  for (const name of ["output", "cli"] as const) {
    if (flags[name] === "") throw new UsageError(`--${name} needs the name of a file.`);
  }
  return {
    runs: Number(flags.runs),
    only: flags.only === undefined ? FIGURE_NAMES : flags.only.split(",").map(figureName),
    output: flags.output,
    cli: flags.cli,
  };
}

function figureName(text: string): FigureName {
  const name = FIGURE_NAMES.find((known) => known === text);
  if (name === undefined) {
    throw new UsageError(`--only knows no figure "${text}"; there is: ${FIGURE_NAMES.join(", ")}.`);
  }
  return name;
}
