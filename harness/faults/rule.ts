/**
 * What a crash rule is: one heading that a kernel, a boot loader or an init system prints when things have
 * gone wrong, and how its report goes on. Rules are data; `rules/` has one table per family, and
 * `docs/crash-rules.md` is made from them.
 *
 * An expression is matched against the start of a message: what follows the printk prefix, or the line itself
 * where there is none. It must take linear time on any input: anchored, no two unbounded repetitions that can
 * share characters.
 */

/** Architectures that crash rules know. */
export type CrashArch = "x86_64" | "arm64" | "riscv64";

/** All of them. */
export const CRASH_ARCHES: readonly CrashArch[] = ["x86_64", "arm64", "riscv64"];

/**
 * What a fault does to the test: `fatal` ends the wait under way as soon as the report is whole; `collect` lets
 * it go on and fails it at its end; `note` only keeps the record, in `faults.all`.
 */
export type FaultClass = "fatal" | "collect" | "note";

/** Where a report ends. Every report also ends when the guest falls silent, or grows too long. */
export type ReportEnd =
  /** With its heading. */
  | { readonly kind: "line" }
  /** With a line that this matches; `final` where nothing that matters can follow. */
  | { readonly kind: "mark"; readonly mark: RegExp; readonly final?: boolean }
  /** With the last frame of its call trace. */
  | { readonly kind: "trace" };

/** A line that looks like the rule's and is not; tests hold the rule to it. */
export interface Lookalike {
  /** The line as the console shows it. */
  readonly line: string;
  /** Why it is harmless. */
  readonly why: string;
}

/** An expression that takes a message out of a rule again. */
export interface Exception {
  /** Matched against the message that the rule's own expression matched. */
  readonly expression: RegExp;
  /** Why such a message is harmless. */
  readonly why: string;
}

/** One row of a family's table. */
export interface RuleRow {
  /** Unique name, as `faults.expect` and `faults.policy` take it. */
  readonly id: string;
  /** What happens by default. */
  readonly class: FaultClass;
  /** What has happened, in one sentence, and why the class is as it is where that is not plain. */
  readonly summary: string;
  /** Architectures on which it can happen. @default all */
  readonly arches?: readonly CrashArch[];
  /**
   * Who prints it: the kernel (by printk, so that only lines with its prefix count on a kernel that prints
   * one), or any program on the console.
   *
   * @default "kernel"
   */
  readonly source?: "kernel" | "console";
  /** Texts with one of which every matching message begins: the prefilter. */
  readonly begins: readonly string[];
  /** Text that every matching message holds, for those whose beginning varies; `begins` is empty then. */
  readonly holds?: string;
  /** The heading, anchored. */
  readonly expression: RegExp;
  /**
   * The title: `$1` is a capture group, `@` the function at fault as the report shows it; a part in braces is
   * left out when a placeholder in it is empty, and may give what to try instead after `|`.
   */
  readonly title: string;
  /** Where the report ends. */
  readonly end: ReportEnd;
  /** Rules whose open report this heading continues; it is no fault of its own then. */
  readonly partOf?: readonly string[];
  /** Whether it counts only when the machine was up before: the banner of a boot that nobody asked for. */
  readonly reboot?: boolean;
  /** Messages that match and are harmless. */
  readonly except?: readonly Exception[];
  /** A heading as the console shows it. */
  readonly example: string;
  /** Lines that look like it and must not match. */
  readonly lookalikes: readonly Lookalike[];
}

/** A rule as the scanner uses it. */
export interface CrashRule extends Required<Omit<RuleRow, "holds">> {
  /** The name of its table: `panic`, `oops`, `lockdep`, … */
  readonly family: string;
  /** See {@linkcode RuleRow.holds}. */
  readonly holds: string | undefined;
}

/** A family's rows, complete. */
export function family(name: string, rows: readonly RuleRow[]): readonly CrashRule[] {
  return rows.map((row) => ({
    arches: CRASH_ARCHES,
    source: "kernel",
    holds: undefined,
    partOf: [],
    reboot: false,
    except: [],
    ...row,
    family: name,
  }));
}

/** A report that is its heading. */
export const LINE: ReportEnd = { kind: "line" };
/** A report that ends with its call trace. */
export const TRACE: ReportEnd = { kind: "trace" };
/** Reports of BUG, WARN and oopses: `---[ end trace 0000000000000000 ]---`. */
export const END_TRACE: ReportEnd = { kind: "mark", mark: /^---\[ end trace / };
/** Sanitizers draw a line under their reports. */
export const RULE_OFF: ReportEnd = { kind: "mark", mark: /^={20,}$/ };
