/** A guest's test results as steps of a Deno test: from text, from lines as they come, or from a console. */
import type { WaitOptions } from "../driver.ts";
import { BootwrightError } from "../errors.ts";
import { shorten } from "../format.ts";
import { KtapParser } from "./parser.ts";
import { type KtapResult, summarizeKtap } from "./result.ts";

/** Something that runs a machine line by line: a console. */
export interface LineSource {
  /** Runs the machine until `take` says that a line was the last one wanted. */
  readLines(
    wanted: string,
    take: (line: string, atNs: number | undefined) => boolean,
    options?: WaitOptions,
  ): Promise<void>;
}

/** Where test results come from. */
export type KtapSource = string | Iterable<string> | AsyncIterable<string> | LineSource;

/** What {@linkcode ktap} may be asked. The budget is for a console's output alone. */
export interface KtapOptions extends WaitOptions {
  /**
   * The line that ends the results on a console, for suites that announce no plan.
   *
   * @default the result line that makes the plan complete
   */
  readonly until?: string | RegExp;
}

/** The part of `Deno.TestContext` that is needed. */
export interface StepContext {
  /** Runs a step of the test. */
  step(definition: {
    name: string;
    ignore?: boolean;
    fn: (context: StepContext) => void | Promise<void>;
  }): Promise<boolean>;
}

/** A test inside of the guest did not pass; the message says what it printed about itself. */
export class KtapError extends BootwrightError {
  /** The name of the class. */
  override name = "KtapError";
  /** The guest's fault. */
  readonly verdict = "guest";

  /** Made for a result that is not ok. @param result The test. */
  constructor(readonly result: KtapResult) {
    const { name, status, directive, reason, diagnostics } = result;
    const why = [directive, reason].filter(Boolean).join(" ");
    super(
      [`${name || "the test suite"} ${VERDICTS[status]}${why && ` (${why})`}`, ...diagnostics].join("\n  "),
    );
    // Where the harness made this error says nothing about the guest.
    this.stack = `${this.name}: ${this.message}`;
  }
}

const VERDICTS: Readonly<Record<KtapResult["status"], string>> = {
  passed: "passed",
  failed: "failed",
  skipped: "was skipped",
  todo: "may fail",
  crashed: "crashed",
  missing: "is missing",
};

/**
 * Makes the results of a guest's test suite (KTAP or TAP: kselftest, KUnit) steps of this test, each suite
 * with its tests as steps of its own. A console runs until the last announced result has come, and stops on
 * that line's end.
 *
 * @example
 * ```ts
 * import { boot, ktap } from "@bootwright/bootwright";
 *
 * Deno.test("the guest's own tests pass", async (t) => {
 *   await using vm = await boot({ arch: "riscv64", kernel: "suite.elf" });
 *   await ktap(t, vm.console);
 * });
 * ```
 * @returns the results.
 * @throws {KtapError} when the suite as a whole is not ok. Tests that are not make their steps fail.
 * @throws {BootwrightError} what ended the wait on a console, once the results before it are reported.
 */
export async function ktap(
  t: StepContext,
  source: KtapSource,
  options: KtapOptions = {},
): Promise<KtapResult> {
  const { tree, error } = await readKtap(source, options);
  await reportKtap(t, tree);
  if (error) throw error;
  if (!tree.ok) throw new KtapError({ ...tree, diagnostics: [summarizeKtap(tree), ...tree.diagnostics] });
  return tree;
}

/** Reads results. What ended a console before its last result is returned beside what came until then. */
export async function readKtap(
  source: KtapSource,
  options: KtapOptions = {},
): Promise<{ tree: KtapResult; error?: BootwrightError }> {
  const parser = new KtapParser();
  if (typeof source === "string") {
    for (const line of source.split(/\r*\n/)) parser.line(line);
  } else if ("readLines" in source) {
    const { until } = options;
    const ends = (line: string) =>
      typeof until === "string" ? line.includes(until) : until?.exec(line) != null;
    const take = (line: string, atNs: number | undefined): boolean => {
      parser.line(line, atNs);
      return until === undefined ? parser.complete : ends(line);
    };
    try {
      await source.readLines("the last result of a test suite (KTAP)", take, options);
    } catch (error) {
      if (!(error instanceof BootwrightError) || error.verdict === "usage") throw error;
      return { tree: parser.end(), error };
    }
  } else {
    for await (const line of source) parser.line(line);
  }
  return { tree: parser.end() };
}

/** Makes the children of a result steps of a test. A step fails as its test did, and shows what it printed. */
export async function reportKtap(t: StepContext, tree: KtapResult): Promise<void> {
  for (const child of tree.children) {
    await t.step({
      name: stepName(child),
      ignore: child.status === "skipped",
      fn: async (step) => {
        await reportKtap(step, child);
        // A suite that is not ok because of its tests shows them, and says so.
        if (!child.ok) throw new KtapError(child);
      },
    });
  }
}

function stepName({ name, status, reason }: KtapResult): string {
  const note = status === "skipped" || status === "todo" ? ` # ${status}${reason ? `: ${reason}` : ""}` : "";
  // deno-lint-ignore no-control-regex -- a guest may put anything into a name
  return shorten(`${name}${note}`.replace(/[\x00-\x1f\x7f-\x9f]+/g, " ").trim() || "unnamed test", 200);
}
