/** What the bench prints: the table of figures, the programs one by one, the engine's counters. */
import { PROGRAM_NAMES, type ProgramName } from "../fixtures/programs.ts";
import type { MeasuredFigure, Pair } from "./figures.ts";
import { programRuns, speedup } from "./programs.ts";
import { median } from "./statistics.ts";
import { formatFigure, formatTable } from "./table.ts";

/** The table of figures. */
export function figureTable(figures: readonly MeasuredFigure[]): string {
  const headings = ["figure", "ours", "QEMU", "ratio min", "median", "max", "must", "aim", "pass?"];
  return formatTable(
    headings,
    figures.map((figure) => {
      const { title, unit, ours, qemu, ratio, judged, limit, must, aim } = figure;
      const amount = (values: readonly number[]) =>
        values.length === 0 ? "-" : `${formatFigure(median(values))} ${unit}`;
      const bound = (value: number) =>
        `${limit === "atMost" ? "≤" : "≥"} ${value}${judged === "ours" ? ` ${unit}` : ""}`;
      return [
        ...[title, amount(ours), amount(qemu)],
        ...[ratio?.min, ratio?.median, ratio?.max].map((value) => formatFigure(value ?? NaN)),
        ...[bound(must), bound(aim), verdict(figure)],
      ];
    }),
  );
}

function verdict({ mustMet, aimMet }: MeasuredFigure): string {
  if (mustMet === undefined) return "-";
  if (!mustMet) return "NO";
  return aimMet ? "yes, aim too" : "yes";
}

/** The times of one bench program; arrays have one element per pair. */
export interface MeasuredProgram {
  readonly name: ProgramName;
  readonly oursMs: readonly number[];
  readonly qemuMs: readonly number[];
  /** QEMU's time / ours. */
  readonly ratios: readonly number[];
}

/** The bench programs one by one. */
export function measuredPrograms(pairs: readonly Pair[]): MeasuredProgram[] {
  const compared = pairs.filter((pair): pair is Required<Pair> => pair.theirs !== undefined);
  return PROGRAM_NAMES.map((name) => ({
    name,
    oursMs: pairs.map(({ ours }) => programRuns(ours.lines).get(name)?.ms ?? NaN),
    qemuMs: compared.map(({ theirs }) => programRuns(theirs.lines).get(name)?.ms ?? NaN),
    ratios: compared.map(({ ours, theirs }) => speedup(ours.lines, theirs.lines, [name])),
  }));
}

/** Their table. */
export function programTable(programs: readonly MeasuredProgram[]): string {
  return formatTable(
    ["program", "ours", "QEMU", "QEMU / ours"],
    programs.map(({ name, oursMs, qemuMs, ratios }) => [
      name,
      ...[oursMs, qemuMs].map((ms) => ms.length === 0 ? "-" : `${formatFigure(median(ms))} ms`),
      formatFigure(median(ratios)),
    ]),
  );
}

/** Counters that are said in words of their own. */
const COUNTERS: Readonly<Record<string, string>> = {
  instructions: "instructions retired",
  tlbFills: "TLB fills",
  jumpCacheMisses: "jump-cache misses",
  cellMisses: "jumps to other pages looked up",
  exitsTlbFill: "exits to TypeScript: TLB fill",
  exitsLookup: "exits to TypeScript: no block known",
};

/** The engine's counters, in words: "exitsLink" is "exits to TypeScript: link". */
export function counterTable(statistics: Readonly<Record<string, number>>): string {
  const words = (name: string) =>
    COUNTERS[name] ??
      name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
        .replace(/^exits /, "exits to TypeScript: ");
  const count = (value: number) => Number.isInteger(value) ? value.toLocaleString("en") : formatFigure(value);
  return formatTable(
    ["Debian boot", "count"],
    Object.entries(statistics).map(([name, value]) => [words(name), count(value)]),
  );
}
