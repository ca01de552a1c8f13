/** What `bootwright run` leaves for others: a report, JUnit's XML, and what GitHub shows of a failure. */
import type { BootwrightError, WaitError } from "../errors.ts";
import { describeExit, type VmExit } from "../exit.ts";
import { formatNs } from "../format.ts";
import { describePattern } from "../matching/stream_matcher.ts";
import { collectReport } from "../report/collect.ts";
import { reportToGithub } from "../report/github.ts";
import { type JunitCase, type JunitOutcome, junitXml } from "../report/junit.ts";
import { writeReport } from "../report/write_report.ts";
import type { Vm } from "../vm.ts";
import type { Plan, Step } from "./plan.ts";
import type { Progress } from "./run.ts";

/** A run that is over. */
export interface FinishedRun {
  readonly plan: Plan;
  readonly vm: Vm;
  readonly progress: Progress;
  /** Why it failed, if it did. */
  readonly failure: WaitError | undefined;
  /** How the guest or the wait ended, if either did. */
  readonly exit: VmExit | undefined;
}

/** Writes what the plan asks for. What cannot be written is a warning on stderr. */
export function reportRun(run: FinishedRun): void {
  const { plan, vm, failure, exit } = run;
  if (plan.junit !== undefined) Deno.writeTextFileSync(plan.junit, junitOfRun(run));
  let page: string | undefined;
  if (plan.report !== undefined) {
    const data = collectReport(vm, failure, {
      title: titleOf(plan),
      ...(exit && { exit }),
    });
    const result = writeReport(plan.report, data);
    page = result.page;
    console.error(`bootwright: ${result.warning ?? `the report is ${page}`}`);
  }
  if (!failure) return;
  const warning = reportToGithub({
    title: titleOf(plan),
    message: failure.message,
    facts: factsOf(vm, exit),
    lastLines: failure.report.lastLines,
    ...(failure.report.reproduce !== undefined && { command: failure.report.reproduce }),
    ...(page !== undefined && { report: page }),
  });
  if (warning) console.error(`bootwright: ${warning}`);
}

/** Writes JUnit's XML of a run for which no machine could be made. */
export function reportNoMachine(plan: Plan, error: BootwrightError): void {
  const xml = junitXml({
    name: titleOf(plan),
    cases: [{ name: "run", durationNs: 0, outcome: outcomeOf(error) }],
    properties: {},
    output: "",
  });
  Deno.writeTextFileSync(plan.junit!, xml);
}

/** A case for each `--expect`, and one for the run; the one that failed is the one to blame. */
function junitOfRun({ plan, vm, progress, failure, exit }: FinishedRun): string {
  const cases: JunitCase[] = [];
  let endNs = 0;
  let matched = 0;
  let blamed = false;
  plan.steps.forEach((step, i) => {
    if (!("expect" in step)) return;
    const match = progress.matches[matched];
    const failed = failure !== undefined && i === progress.step;
    const atNs = match?.guestTimeNs ?? (failed ? vm.guestTimeNs : endNs);
    let outcome: JunitOutcome = { kind: "passed" };
    if (failed) [blamed, outcome] = [true, outcomeOf(failure)];
    else if (match) matched++;
    else outcome = { kind: "skipped", message: "the run failed before" };
    cases.push({ name: stepName(step, cases.length), durationNs: atNs - endNs, outcome });
    endNs = atNs;
  });
  let outcome: JunitOutcome = { kind: "passed" };
  if (blamed) outcome = { kind: "skipped", message: "an expectation failed" };
  else if (failure) outcome = outcomeOf(failure);
  cases.push({ name: "run", durationNs: vm.guestTimeNs - endNs, outcome });
  return junitXml({
    name: titleOf(plan),
    cases,
    properties: factsOf(vm, exit),
    output: vm.console.lastLines(1_000).join("\n"),
  });
}

function outcomeOf(error: BootwrightError): JunitOutcome {
  const [message] = error.message.split("\n", 1);
  return {
    kind: error.verdict === "guest" ? "failure" : "error",
    message,
    type: error.verdict,
    text: error.message,
  };
}

function stepName(step: Step & { expect: RegExp }, index: number): string {
  return `${index + 1}. expect ${describePattern(step.expect)}`;
}

function titleOf({ boot: { arch, kernel } }: Plan): string {
  return `bootwright run: ${arch}, ${String(kernel).split("/").at(-1)}`;
}

function factsOf(vm: Vm, exit: VmExit | undefined): Record<string, string> {
  return {
    "arch": vm.arch,
    "engine": vm.engine.name,
    "deterministic": vm.engine.deterministic ? "yes" : "no",
    "guest time": formatNs(vm.guestTimeNs),
    "instructions": String(vm.instructions),
    "ended": exit ? describeExit(exit) : "the guest still ran",
  };
}
