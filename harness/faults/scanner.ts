/**
 * Finds the rule that a message falls under. Rules are asked by how their messages begin, so that a line that begins
 * like none costs a look at its first character: a boot's thousands of lines compile and run no expression at all.
 */
import type { CrashRule } from "./rule.ts";

/** A rule that matched. */
export interface Hit {
  /** The rule. */
  readonly rule: CrashRule;
  /** What its groups captured. */
  readonly match: RegExpExecArray;
}

/** Text that messages of a rule have. */
interface Sign {
  readonly text: string;
  /** Which rule, by its place in the order. */
  readonly rule: number;
}

/** Matches messages against rules. */
export class Scanner {
  readonly #rules: readonly CrashRule[];
  /** Beginnings by the code of their first character. */
  readonly #begins: (Sign[] | undefined)[] = [];
  /** Texts that may be anywhere. */
  readonly #holds: Sign[] = [];

  /** @param rules In the order in which they are asked. */
  constructor(rules: readonly CrashRule[]) {
    this.#rules = rules;
    rules.forEach(({ begins, holds }, rule) => {
      for (const text of begins) (this.#begins[text.charCodeAt(0)] ??= []).push({ text, rule });
      if (holds !== undefined) this.#holds.push({ text: holds, rule });
    });
  }

  /** The first rule that matches, if any. */
  scan(message: string): Hit | undefined {
    const candidates: number[] = [];
    for (const { text, rule } of this.#begins[message.charCodeAt(0)] ?? NONE) {
      if (message.startsWith(text)) candidates.push(rule);
    }
    for (const { text, rule } of this.#holds) if (message.includes(text)) candidates.push(rule);
    if (candidates.length > 1) candidates.sort((a, b) => a - b);
    for (const index of candidates) {
      const rule = this.#rules[index];
      const match = rule.expression.exec(message);
      if (match && !rule.except.some(({ expression }) => expression.test(message))) return { rule, match };
    }
    return undefined;
  }
}

const NONE: readonly Sign[] = [];
