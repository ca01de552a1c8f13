/** The results of a test suite that ran inside of a guest, as a tree. */
import type { KtapDirective } from "./ktap_line.ts";

/**
 * How a test ended. "crashed": a suite whose end never came, because the kernel died or the output stopped;
 * "missing": a test that was announced and of which nothing was heard.
 */
export type KtapStatus = "passed" | "failed" | "skipped" | "todo" | "crashed" | "missing";

/** One test, or a suite of them. */
export interface KtapResult {
  /** Its description; empty for the root, which is the whole output. */
  readonly name: string;
  /** Whether nothing is wrong: it passed, was skipped, or may fail. */
  readonly ok: boolean;
  /** How it ended. */
  readonly status: KtapStatus;
  /** The directive of its result line. */
  readonly directive?: KtapDirective;
  /** What the result line says after its `#`. */
  readonly reason?: string;
  /** What it said about itself, and what is wrong with its output. Of very much, the beginning and the end. */
  readonly diagnostics: readonly string[];
  /** Its subtests. */
  readonly children: readonly KtapResult[];
  /** Guest time of its result line in ns: printk's, or that of the console. */
  readonly timeNs?: number;
}

/** How many tests (not suites) ended how. */
export type KtapTotals = Readonly<Record<KtapStatus, number>>;

/** Counts the tests of a tree without its root. A suite that crashed counts as well, beside its tests. */
export function countKtap(tree: KtapResult): KtapTotals {
  const totals = { passed: 0, failed: 0, skipped: 0, todo: 0, crashed: 0, missing: 0 };
  const visit = (result: KtapResult) => {
    if (result.children.length === 0 || result.status === "crashed") totals[result.status]++;
    result.children.forEach(visit);
  };
  tree.children.forEach(visit);
  return totals;
}

/** `12 passed, 1 failed, 2 skipped`. */
export function summarizeKtap(tree: KtapResult): string {
  const counts = Object.entries(countKtap(tree)).filter(([, count]) => count > 0);
  return counts.map(([status, count]) => `${count} ${status}`).join(", ") || "no tests";
}
