/** The bench programs' times, read off the markers they print on the console: see `fixtures/programs.ts`. */
import { type ProgramKind, type ProgramName, PROGRAMS } from "../fixtures/programs.ts";
import { ObservationError, type TimedLine } from "./observe.ts";
import { geometricMean } from "./statistics.ts";

/** One run of one program, as the console showed it. */
export interface ProgramRun {
  /** Host time between the arrival of its two markers, in ms. */
  readonly ms: number;
  /** Of what it computed. */
  readonly checksum: string;
}

/**
 * The runs that a console's lines tell of, by the program's name.
 *
 * @throws {ObservationError} when a program that began did not end.
 */
export function programRuns(lines: readonly TimedLine[]): Map<string, ProgramRun> {
  const begun = new Map<string, number>();
  const runs = new Map<string, ProgramRun>();
  for (const { text, ms } of lines) {
    const [word, name, checksum] = text.split(" ");
    if (word === "BENCH-START") begun.set(name, ms);
    if (word === "BENCH-END") {
      runs.set(name, { ms: ms - (begun.get(name) ?? NaN), checksum });
      begun.delete(name);
    }
  }
  for (const name of begun.keys()) throw new ObservationError(`The bench program ${name} did not end.`);
  return runs;
}

/** The names of the programs of one kind. */
export function programsOf(kind: ProgramKind): ProgramName[] {
  return (Object.keys(PROGRAMS) as ProgramName[]).filter((name) => PROGRAMS[name] === kind);
}

/**
 * The time that some programs took together, in ms.
 *
 * @throws {ObservationError} when one of them did not run.
 */
export function totalMs(lines: readonly TimedLine[], names: readonly ProgramName[]): number {
  const runs = programRuns(lines);
  return names.reduce((sum, name) => sum + runOf(runs, name).ms, 0);
}

/**
 * How many times faster than theirs our runs of some programs were: the geometric mean.
 *
 * @throws {ObservationError} when a program did not run, or computed different things on the two sides.
 */
export function speedup(
  ours: readonly TimedLine[],
  theirs: readonly TimedLine[],
  names: readonly ProgramName[],
): number {
  const [ourRuns, theirRuns] = [programRuns(ours), programRuns(theirs)];
  return geometricMean(names.map((name) => {
    const [our, their] = [runOf(ourRuns, name), runOf(theirRuns, name)];
    if (our.checksum !== their.checksum) {
      throw new ObservationError(`${name}: our checksum ${our.checksum} is not theirs, ${their.checksum}.`);
    }
    return their.ms / our.ms;
  }));
}

function runOf(runs: ReadonlyMap<string, ProgramRun>, name: ProgramName): ProgramRun {
  const run = runs.get(name);
  if (run === undefined) throw new ObservationError(`The bench program ${name} did not run.`);
  return run;
}
