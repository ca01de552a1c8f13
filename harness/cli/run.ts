/** `bootwright run`: boots a machine, follows its console, does the steps of the plan, reports. */
import { boot } from "../boot.ts";
import { host } from "../budget.ts";
import { EXIT_CODES } from "./exit_codes.ts";
import type { ConsoleHit } from "../console.ts";
import { BootwrightError, InputError, WaitError } from "../errors.ts";
import type { VmExit } from "../exit.ts";
import { describePattern } from "../matching/stream_matcher.ts";
import { withoutWorkflowCommands } from "../report/github.ts";
import type { Vm } from "../vm.ts";
import { parsePlan, type Plan } from "./plan.ts";
import { StatusLine } from "./status_line.ts";

/** What `--json` writes. */
export interface RunResult {
  /** How the guest's life or the wait ended; null when all was found and the guest still ran. */
  readonly exit: VmExit | null;
  readonly engine: string;
  readonly deterministic: boolean;
  readonly instructions: number;
  readonly guestTimeNs: number;
  /** Wall time since the process started, in ms. */
  readonly hostMs: number;
  readonly matches: readonly RunMatch[];
  /** Of everything the console printed, in hexadecimal. */
  readonly consoleSha256: string;
  /** Of guest RAM at the end; with `--digest` only. */
  readonly ramSha256?: string;
}

/** A match of an `--expect`. */
export interface RunMatch {
  readonly pattern: string;
  readonly text: string;
  readonly groups: readonly string[];
  readonly guestTimeNs: number;
  readonly instructions: number;
}

/** Runs the command; returns the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const plan = parsePlan(args);
  if (!plan) {
    console.log((await import("./help.ts")).usage("run"));
    return EXIT_CODES.success;
  }
  if (plan.json !== undefined) prepareFile("--json", plan.json);
  if (plan.junit !== undefined) prepareFile("--junit", plan.junit);
  await using vm = await bootOrTell(plan);
  if (vm.engine.notice) console.error(`bootwright: ${vm.engine.notice}`);
  await using gdb = plan.gdb === undefined ? undefined : await vm.gdb({ port: plan.gdb });
  const hash = plan.json === undefined ? undefined : (await import("node:crypto")).createHash("sha256");
  const status = new StatusLine(() => vm);
  vm.console.onOutput = (bytes) => {
    status.beforeOutput(bytes);
    writeAll(bytes);
    hash?.update(bytes);
  };
  if (gdb) {
    const { hostname, port } = gdb.address;
    console.error(`bootwright: waiting for gdb; there, say: target remote ${hostname}:${port}`);
    await gdb.attached;
  }
  const progress: Progress = { matches: [], step: 0 };
  const { matches } = progress;
  let failure: WaitError | undefined;
  let exit: VmExit | undefined;
  const withCommands = withoutWorkflowCommands();
  try {
    exit = await follow(vm, plan, progress, status);
  } catch (error) {
    if (!(error instanceof WaitError)) {
      withCommands();
      throw error;
    }
    failure = error;
    exit = error.exit;
  } finally {
    vm.console.flush();
    status.close();
  }
  if (failure) console.error(`bootwright: ${failure.message}`);
  withCommands();
  if (plan.json !== undefined) {
    const result: RunResult = {
      exit: exit ?? null,
      engine: vm.engine.name,
      deterministic: vm.engine.deterministic,
      instructions: vm.instructions,
      guestTimeNs: vm.guestTimeNs,
      hostMs: Math.round(performance.now()),
      matches,
      consoleSha256: hash!.digest("hex"),
      ...(plan.digest && { ramSha256: await vm.memory.sha256() }),
    };
    Deno.writeTextFileSync(plan.json, JSON.stringify(result, null, 2) + "\n");
  }
  if (plan.junit !== undefined || plan.report !== undefined || failure) {
    (await import("./run_report.ts")).reportRun({ plan, vm, progress, failure, exit });
  }
  return failure ? EXIT_CODES[failure.verdict] : EXIT_CODES.success;
}

/** How far a run has come. */
export interface Progress {
  readonly matches: RunMatch[];
  /** The step of the plan that is under way; one past the last when the power-off is. */
  step: number;
}

/** A machine for the plan; what prevents it is told in JUnit's XML as well, where that is wanted. */
async function bootOrTell(plan: Plan): Promise<Vm> {
  try {
    return await boot({ ...definedOnly(plan.boot), watchdog: plan.watchdog, report: false });
  } catch (error) {
    if (plan.junit !== undefined && error instanceof BootwrightError) {
      (await import("./run_report.ts")).reportNoMachine(plan, error);
    }
    throw error;
  }
}

/** Does the plan's steps. Returns the guest's exit, if it came to one. */
async function follow(
  vm: Vm,
  plan: Plan,
  progress: Progress,
  status: StatusLine,
): Promise<VmExit | undefined> {
  const deadline = performance.now() + plan.watchdog.ms;
  const limits = () => {
    const left = Math.max(0, deadline - performance.now());
    return { within: plan.within, watchdog: { ...host("0s"), ms: left } };
  };
  for (const step of plan.steps) {
    if ("send" in step) {
      status.state = "typing";
      await vm.console.type(step.send, limits());
    } else {
      status.state = `waiting for ${describePattern(step.expect)}`;
      progress.matches.push(asMatch(await vm.console.waitFor(step.expect, limits())));
    }
    progress.step++;
  }
  if (plan.steps.some((step) => "expect" in step)) {
    // Whoever asked for the words of a panic got what they wanted.
    vm.faults.pardon();
    return vm.exit;
  }
  status.state = "waiting for power-off";
  return await vm.waitForExit({ ...limits(), kind: "poweroff" });
}

function asMatch(hit: ConsoleHit): RunMatch {
  const { text, groups, guestTimeNs, instructions } = hit;
  const pattern = hit.pattern instanceof RegExp ? hit.pattern.source : hit.pattern;
  return { pattern, text, groups, guestTimeNs, instructions };
}

/** Finds out before the run, not after it, that the results could not be written. */
function prepareFile(option: string, path: string): void {
  try {
    Deno.openSync(path, { write: true, create: true }).close();
  } catch (cause) {
    throw new InputError(
      `${option} ${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.`,
      { cause },
    );
  }
}

/** Writes to stdout, all of it. A reader that has gone away ends the output, not the run. */
function writeAll(bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

function definedOnly<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
