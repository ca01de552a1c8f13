/** Of what was printed, the line most like what was waited for: the first thing one looks for by hand. */
import type { Pattern } from "./stream_matcher.ts";

const MAX_LINES = 2000;
const MAX_LINE = 400;
/** Share of pairs of letters in common below which a line is no near miss. */
const LIKE_ENOUGH = 0.45;

/** The line most like any of the patterns; undefined when none is like it at all. */
export function nearestMiss(patterns: readonly Pattern[], text: string): string | undefined {
  const lines = text.slice(-MAX_LINES * 100).split(/\r*\n/).slice(-MAX_LINES);
  let best: string | undefined;
  let bestLikeness = LIKE_ENOUGH;
  for (const pattern of patterns) {
    const wanted = pairs(literalText(pattern));
    if (wanted.size === 0) continue;
    for (const line of lines) {
      const found = pairs(line.slice(0, MAX_LINE));
      let common = 0;
      for (const pair of wanted) if (found.has(pair)) common++;
      const likeness = common / wanted.size;
      if (likeness > bestLikeness) [best, bestLikeness] = [line.slice(0, MAX_LINE), likeness];
    }
  }
  return best;
}

/** What of a pattern stands for itself. */
function literalText(pattern: Pattern): string {
  if (typeof pattern === "string") return pattern;
  return pattern.source.replace(/\\[a-zA-Z]|[\\^$.*+?()[\]{}|]/g, " ");
}

function pairs(text: string): Set<string> {
  const result = new Set<string>();
  const folded = text.toLowerCase();
  for (let i = 0; i + 1 < folded.length; i++) {
    const pair = folded.slice(i, i + 2);
    if (!pair.includes(" ")) result.add(pair);
  }
  return result;
}
