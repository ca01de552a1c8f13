/** Faults that a test provokes: while they are expected they end no wait, and missing ones are an error. */
import { BootwrightError, InputError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import type { CrashRule } from "./rule.ts";

/** A rule's name, a family's name, or an expression that the title must match. */
export type FaultPattern = string | RegExp;

/** What {@linkcode Faults.expect} may be told. */
export interface ExpectOptions {
  /** Whether the scope may also end without such a fault. @default false */
  readonly optional?: boolean;
}

/** A fault that was announced by `faults.expect` has not come. */
export class ExpectedFaultError extends BootwrightError {
  /** The name of the class. */
  override name = "ExpectedFaultError";
  /** The guest's fault. */
  readonly verdict = "guest";

  /** Made at the end of a scope. @param what What was expected, in words. */
  constructor(readonly what: string) {
    super(
      `Expected a fault (${what}), but none came while it was expected; ` +
        "pass { optional: true } if it need not come.",
    );
  }
}

/** One `faults.expect`, while it is in scope. */
export class Expectation {
  /** Whether such a fault came. */
  met = false;
  /** What is expected, in words. */
  readonly what: string;

  /** Made by `faults.expect`. @throws {InputError} for a name that is neither a rule's nor a family's. */
  constructor(readonly pattern: FaultPattern, readonly optional: boolean, rules: readonly CrashRule[]) {
    this.what = typeof pattern === "string" ? pattern : String(pattern);
    if (typeof pattern === "string") assertKnown(pattern, rules);
    else if (!(pattern instanceof RegExp)) {
      throw new InputError("faults.expect wants a rule's name, a family's name, or a RegExp for the title.");
    }
  }

  /** Whether a fault of this rule and title is what is expected; remembers that it came. */
  take(rule: CrashRule, title: string): boolean {
    const accepted = typeof this.pattern === "string"
      ? this.pattern === rule.id || this.pattern === rule.family
      : new RegExp(this.pattern.source, this.pattern.flags.replace(/[gy]/g, "")).test(title);
    this.met ||= accepted;
    return accepted;
  }
}

/** Refuses unknown names. @throws {InputError} for one that is neither a rule's nor a family's. */
export function assertKnown(name: string, rules: readonly CrashRule[]): void {
  const names = [...new Set(rules.flatMap(({ id, family }) => [id, family]))];
  if (names.includes(name)) return;
  throw new InputError(
    `There is no crash rule or family "${name}".${didYouMean(name, names)} docs/crash-rules.md lists them.`,
  );
}
