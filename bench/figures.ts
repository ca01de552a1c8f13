/** The figures of the table: where each comes from, and what it must be. */
import type { Observation } from "./observe.ts";
import { programsOf, speedup, totalMs } from "./programs.ts";
import { engineStatistics, harnessFigure, type HarnessPart, type ScenarioName } from "./scenarios.ts";
import { type Spread, spread } from "./statistics.ts";

/** A figure's name, for `--only`. */
export type FigureName =
  | ("boot" | "integer" | "float" | "start" | "rss" | "translation" | "tiny")
  | HarnessPart;

/** One row of the table. */
export interface Figure {
  readonly title: string;
  /** What is run for it. */
  readonly scenario: ScenarioName;
  /** Of {@linkcode Figure.value}. */
  readonly unit: string;
  /** What one run gave. */
  value(run: Observation): number;
  /** A pair of runs compared. @default ours / QEMU's */
  ratio?(ours: Observation, theirs: Observation): number;
  /** What is judged: the ratio, or our own value. */
  readonly judged: "ratio" | "ours";
  /** Which way is good. */
  readonly limit: "atMost" | "atLeast";
  readonly must: number;
  readonly aim: number;
}

const INTEGER = programsOf("integer"), FLOAT = programsOf("float");
const MIB = 1 << 20;

/** All figures, in the order in which they are reported. */
export const FIGURES: Readonly<Record<FigureName, Figure>> = {
  boot: {
    title: "Debian boot: process start to BOOT-OK (ours / QEMU)",
    scenario: "boot",
    unit: "s",
    value: (run) => run.endMs / 1000,
    judged: "ratio",
    limit: "atMost",
    must: 0.6,
    aim: 0.35,
  },
  integer: {
    title: "integer programs in Linux (QEMU / ours)",
    scenario: "programs",
    unit: "s",
    value: (run) => totalMs(run.lines, INTEGER) / 1000,
    ratio: (ours, theirs) => speedup(ours.lines, theirs.lines, INTEGER),
    judged: "ratio",
    limit: "atLeast",
    must: 2.5,
    aim: 4,
  },
  float: {
    title: "floating-point programs in Linux (QEMU / ours)",
    scenario: "programs",
    unit: "s",
    value: (run) => totalMs(run.lines, FLOAT) / 1000,
    ratio: (ours, theirs) => speedup(ours.lines, theirs.lines, FLOAT),
    judged: "ratio",
    limit: "atLeast",
    must: 6,
    aim: 12,
  },
  start: {
    title: "process start to the tiny guest's first output",
    scenario: "tiny",
    unit: "ms",
    value: (run) => run.firstByteMs,
    judged: "ours",
    limit: "atMost",
    must: 150,
    aim: 60,
  },
  rss: {
    title: "peak RSS of the Debian boot (ours / QEMU)",
    scenario: "boot",
    unit: "MiB",
    value: (run) => run.peakRssBytes / MIB,
    judged: "ratio",
    limit: "atMost",
    must: 1,
    aim: 0.5,
  },
  translation: {
    title: "translation per guest instruction, cold",
    scenario: "statistics",
    unit: "ns",
    value: (run) => {
      const { translationMs, instructionsTranslated } = engineStatistics(run);
      return translationMs * 1e6 / instructionsTranslated;
    },
    judged: "ours",
    limit: "atMost",
    must: 1000,
    aim: 300,
  },
  tiny: {
    title: "tiny guest: process start to its end (ours / QEMU)",
    scenario: "tiny",
    unit: "ms",
    value: (run) => run.endMs,
    judged: "ratio",
    limit: "atMost",
    must: 2,
    aim: 0.8,
  },
  watching: {
    title: "boot with waits and all crash rules (time, with / without)",
    scenario: "watching",
    unit: "times",
    value: (run) => harnessFigure(run, "watching"),
    judged: "ours",
    limit: "atMost",
    must: 1.02,
    aim: 1,
  },
  matching: {
    title: "console output matched against all crash rules",
    scenario: "matching",
    unit: "MB/s",
    value: (run) => harnessFigure(run, "matching"),
    judged: "ours",
    limit: "atLeast",
    must: 5,
    aim: 50,
  },
  shell: {
    title: 'shell.run("true") on a warm machine',
    scenario: "shell",
    unit: "ms",
    value: (run) => harnessFigure(run, "shell"),
    judged: "ours",
    limit: "atMost",
    must: 5,
    aim: 2,
  },
  symbol: {
    title: "first kernel.symbol() on a fresh machine",
    scenario: "symbol",
    unit: "ms",
    value: (run) => harnessFigure(run, "symbol"),
    judged: "ours",
    limit: "atMost",
    must: 150,
    aim: 40,
  },
  log: {
    title: "kernel.log() of 1,000 lines",
    scenario: "log",
    unit: "ms",
    value: (run) => harnessFigure(run, "log"),
    judged: "ours",
    limit: "atMost",
    must: 20,
    aim: 5,
  },
};

/** Every {@linkcode FigureName}, in that order. */
export const FIGURE_NAMES: readonly FigureName[] = Object.keys(FIGURES) as FigureName[];

/** Two runs that were made one after the other; `theirs` is missing without QEMU. */
export interface Pair {
  readonly ours: Observation;
  readonly theirs?: Observation;
}

/** A figure as measured. Arrays have one element per pair. */
export interface MeasuredFigure {
  readonly name: FigureName;
  readonly title: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly qemu: readonly number[];
  readonly ratios: readonly number[];
  readonly ratio: Spread | undefined;
  readonly judged: "ratio" | "ours";
  readonly limit: "atMost" | "atLeast";
  readonly must: number;
  readonly aim: number;
  /** Whether the judged median is within `must` and `aim`; undefined where there is nothing to compare with. */
  readonly mustMet: boolean | undefined;
  readonly aimMet: boolean | undefined;
}

/** Evaluates a figure. */
export function measured(name: FigureName, pairs: readonly Pair[]): MeasuredFigure {
  const { title, unit, value, ratio, judged, limit, must, aim } = FIGURES[name];
  const compared = pairs.filter((pair): pair is Required<Pair> => pair.theirs !== undefined);
  const ours = pairs.map((pair) => value(pair.ours));
  const qemu = compared.map((pair) => value(pair.theirs));
  const ratios = compared.map((pair) =>
    ratio ? ratio(pair.ours, pair.theirs) : value(pair.ours) / value(pair.theirs)
  );
  const judge = spread(judged === "ours" ? ours : ratios)?.median;
  const meets = (bound: number) =>
    judge === undefined ? undefined : limit === "atMost" ? judge <= bound : judge >= bound;
  return {
    ...{ name, title, unit, ours, qemu, ratios, ratio: spread(ratios), judged, limit, must, aim },
    mustMet: meets(must),
    aimMet: meets(aim),
  };
}
