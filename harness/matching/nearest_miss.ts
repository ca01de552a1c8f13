/** Of what was printed, the line most like what was waited for: the first thing one looks for by hand. */
import type { Pattern } from "./stream_matcher.ts";

const MAX_LINES = 2000;
const MAX_LINE = 300;
const MAX_WANTED = 60;
/** Share of the wanted characters a line must have, in order, to be a near miss. */
const LIKE_ENOUGH = 0.6;

/** The line most like any of the patterns; undefined when none is like it at all. */
export function nearestMiss(patterns: readonly Pattern[], text: string): string | undefined {
  const lines = text.slice(-MAX_LINES * 100).split(/\r*\n/).slice(-MAX_LINES);
  let best: string | undefined;
  let bestLikeness = LIKE_ENOUGH;
  for (const pattern of patterns) {
    const wanted = literalText(pattern).toLowerCase().slice(0, MAX_WANTED);
    if (wanted.length < 2) continue;
    for (const line of lines) {
      const likeness = 1 - distanceWithin(wanted, line.slice(0, MAX_LINE).toLowerCase()) / wanted.length;
      if (likeness > bestLikeness) [best, bestLikeness] = [line.slice(0, MAX_LINE), likeness];
    }
  }
  return best;
}

/** What of a pattern stands for itself. */
function literalText(pattern: Pattern): string {
  if (typeof pattern === "string") return pattern;
  const literal = pattern.source.replace(/\[[^\]]*\]|\\[a-zA-Z]|\{[\d,]+\}|[\\^$.*+?()|]/g, " ");
  return literal.replace(/ +/g, " ").trim();
}

/** The least edit distance of `wanted` from any part of `line` (Sellers 1980). */
function distanceWithin(wanted: string, line: string): number {
  let column = Array.from({ length: wanted.length + 1 }, (_, i) => i);
  let least = wanted.length;
  for (let j = 0; j < line.length; j++) {
    const next = [0];
    for (let i = 1; i <= wanted.length; i++) {
      const replaced = column[i - 1] + (wanted[i - 1] === line[j] ? 0 : 1);
      next.push(Math.min(replaced, column[i] + 1, next[i - 1] + 1));
    }
    column = next;
    least = Math.min(least, column[wanted.length]);
  }
  return least;
}
