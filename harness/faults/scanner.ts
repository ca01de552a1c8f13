/**
 * Finds the rule that a message falls under. One combined expression of all rules' beginnings looks first, so
 * that a line without any costs one match; only then are the rules themselves asked, in their order.
 */
import type { CrashRule } from "./rule.ts";

/** A rule that matched. */
export interface Hit {
  /** The rule. */
  readonly rule: CrashRule;
  /** What its groups captured. */
  readonly match: RegExpExecArray;
}

/** Matches messages against rules. */
export class Scanner {
  readonly #prefilter: RegExp;
  readonly #rules: readonly CrashRule[];

  /** @param rules In the order in which they are asked. */
  constructor(rules: readonly CrashRule[]) {
    this.#rules = rules.filter(({ begins, holds }) => begins.length > 0 || holds !== undefined);
    const begins = this.#rules.flatMap((rule) => rule.begins.map(escape));
    const holds = this.#rules.flatMap((rule) => rule.holds === undefined ? [] : [escape(rule.holds)]);
    const alternatives = begins.length > 0 ? [`^(?:${begins.join("|")})`, ...holds] : holds;
    this.#prefilter = new RegExp(alternatives.length > 0 ? alternatives.join("|") : "^(?!)");
  }

  /** The first rule that matches, if any. */
  scan(message: string): Hit | undefined {
    if (!this.#prefilter.test(message)) return undefined;
    for (const rule of this.#rules) {
      const match = rule.expression.exec(message);
      if (match && !rule.except.some(({ expression }) => expression.test(message))) return { rule, match };
    }
    return undefined;
  }
}

function escape(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
