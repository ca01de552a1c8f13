/**
 * Watches what a guest prints for signs that it has failed, so that a wait ends at once and says why instead of
 * spending its budget. The machine feeds it console lines; tests use `expect`, `policy` and `all`.
 *
 * A heading opens a report; reports are collected side by side until each is whole. The first fatal one that
 * was not expected ends the wait, once no fatal report is open any more: an oops mostly ends in a panic, and
 * both are wanted. What is "collected" fails the wait that would have succeeded otherwise.
 */
import { InputError, type MachineReport } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { BootClock } from "./boot_clock.ts";
import type { Crash } from "./crash.ts";
import {
  assertKnown,
  Expectation,
  ExpectedFaultError,
  type ExpectOptions,
  type FaultPattern,
} from "./expectation.ts";
import { type CrashFacts, GuestCrashError } from "./guest_crash_error.ts";
import { type LinePart, splitLine } from "./printk.ts";
import { OpenReport } from "./report.ts";
import type { CrashRule, FaultClass } from "./rule.ts";
import { CRASH_RULES } from "./rules.ts";
import type { FaultEvent } from "./rules/machine.ts";
import { type Hit, Scanner } from "./scanner.ts";

/** What the machine gives the faults it has watched. */
export interface FaultHost {
  /** The present guest time in ns, and the instructions retired. */
  now(): { readonly atNs: number; readonly instructions: number };
  /** Ends the wait under way: `crash` has what to end it with. */
  stop(): void;
  /** Asks for a call of `quiet()` after so much guest time without output; replaces an earlier request. */
  armQuiet(ns: number): void;
  /** A report's text with its bare addresses named, as far as symbols are known. */
  symbolize(text: string): string;
  /** The console's last line, while it is unfinished. */
  unfinished?(): string;
}

/** What a policy can make of a rule. `ignore` leaves no record. */
export type FaultPolicy = FaultClass | "ignore";

/** What a machine's faults can be told at its making. */
export interface FaultOptions {
  /** Classes other than the table's, by rule or family. @default the table's */
  readonly policy?: Readonly<Record<string, FaultPolicy>>;
}

/** Faults kept in `all`; later ones are counted only. */
const MAX_FAULTS = 200;
const POLICIES: readonly FaultPolicy[] = ["fatal", "collect", "note", "ignore"];
/** The kernel announces that it will start another one: by kexec, or to save what is left of it when it has panicked. */
const KEXEC = /^(?:kexec_core: )?Starting (?:new kernel|crashdump kernel\.\.\.)$/;
/** Lines that belong to the heading after them. */
const LEAD = /^(?:-+\[ cut here \]-+|={20,})$/;

const ALL = new Scanner(CRASH_RULES);
const BY_ANYBODY = new Scanner(CRASH_RULES.filter(({ source }) => source === "console"));
const BY_ID = new Map(CRASH_RULES.map((rule) => [rule.id, rule]));

/** The faults of one machine. */
export class Faults {
  readonly #host: FaultHost;
  readonly #policy = new Map<string, FaultPolicy>();
  readonly #all: Crash[] = [];
  #dropped = 0;
  readonly #open: OpenReport[] = [];
  #expectations: Expectation[] = [];
  /** Expectations out of scope whose fault's first line is not finished yet. */
  #lingering: Expectation[] = [];
  #unmet: ExpectedFaultError | undefined;
  #waitFailed = false;
  #pardoned = false;
  #fatal: Crash | undefined;
  #collected: Crash[] = [];
  #clock: BootClock;
  #panicked = false;
  readonly #banners = new Set<string>();
  #lead: LinePart[] = [];
  #armedNs = 0;

  /** Faults are made by the machine they belong to. */
  constructor(host: FaultHost, options: FaultOptions = {}) {
    this.#host = host;
    this.#clock = new BootClock(host.now().atNs);
    if (options.policy) this.policy(options.policy);
  }

  /** Every fault so far whose report is whole, expected and merely noted ones too; the first 200. */
  get all(): readonly Crash[] {
    return this.#all;
  }

  /** How many faults came after `all` was full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The fatal fault to end the wait with; undefined while there is none, or its report is still growing. */
  get crash(): Crash | undefined {
    return this.#open.some((report) => report.start.class === "fatal") ? undefined : this.#fatal;
  }

  /** Faults that do not end a wait but fail it: those that no wait has failed for yet. */
  get collected(): readonly Crash[] {
    return this.#collected;
  }

  /**
   * Announces a fault that the test provokes. While the result is in scope, such faults end no wait and fail
   * none; they are recorded in `all`. When the scope ends and none came, it throws, except after a failed wait:
   * that error is the one to see, and the missing fault is told by the next wait, if there is one.
   *
   * @example
   * ```ts ignore
   * using _ = vm.faults.expect("panic");
   * await vm.console.type("echo c > /proc/sysrq-trigger\n");
   * await vm.console.waitFor("end Kernel panic");
   * ```
   * @param what A rule (`"no-root"`), a family (`"panic"`) or a RegExp that the title matches.
   * @throws {InputError} for an unknown name.
   */
  expect(what: FaultPattern, options: ExpectOptions = {}): Disposable {
    const expectation = new Expectation(what, options.optional ?? false, CRASH_RULES);
    this.#expectations.push(expectation);
    return { [Symbol.dispose]: () => this.#endExpectation(expectation) };
  }

  /**
   * Changes what faults do: `faults.policy({ warning: "fatal", "hung-task": "ignore" })`. A rule's own entry
   * counts before its family's. Reports that have begun keep their class.
   *
   * @throws {InputError} for an unknown rule, family or class.
   */
  policy(changes: Readonly<Record<string, FaultPolicy>>): void {
    for (const [name, value] of Object.entries(changes)) {
      assertKnown(name, CRASH_RULES);
      if (!POLICIES.includes(value)) {
        throw new InputError(
          `"${value}" is no class of faults; it is one of ${POLICIES.join(", ")}.${
            didYouMean(String(value), POLICIES)
          }`,
        );
      }
    }
    for (const [name, value] of Object.entries(changes)) this.#policy.set(name, value);
  }

  /** Called by the console with each finished line, escape sequences and carriage returns removed. */
  line(text: string): void {
    for (const part of splitLine(text)) this.#take(part);
    if (this.#lingering.length > 0) {
      this.#expectations = this.#expectations.filter((one) => !this.#lingering.includes(one));
      this.#lingering = [];
    }
  }

  /** Called by the machine with what a kernel that has panicked has logged, and no console has shown. */
  unseen(lines: readonly string[]): void {
    if (this.#panicked) return;
    for (const line of lines) {
      for (const part of splitLine(line)) this.#read(part, ALL);
    }
    this.settle();
  }

  /** Called by the machine when nothing was printed for the time that `armQuiet` asked for. */
  quiet(): void {
    this.#close(({ quietNs }) => quietNs <= this.#armedNs);
  }

  /** Called by the machine when it has come to its end: no report grows any more. */
  settle(): void {
    this.#close(() => true);
  }

  /**
   * Called by the machine with what it knows without any text: a fault of the `machine` family, or `"reset"` when
   * somebody has reset it, so that the banners to come are no surprise.
   */
  event(kind: FaultEvent | "reset", detail = ""): void {
    if (kind === "reset") {
      this.settle();
      this.#begin();
      return;
    }
    const text = detail === "" ? kind : `${kind}: ${detail}`;
    const part = { text, message: text, timeS: undefined, caller: undefined };
    const match = Object.assign(["", detail], { index: 0, input: text }) as unknown as RegExpExecArray;
    this.#openReport({ rule: BY_ID.get(kind)!, match }, part);
    this.settle();
  }

  /**
   * What has crashed so far, and what is just about to, is what the caller wanted: it fails nothing any more.
   * The next wait is watched again.
   */
  pardon(): void {
    this.settle();
    this.take(true);
    this.#pardoned = true;
  }

  /** Called by the machine when it is closed: what nobody has failed for yet. */
  leftover(): Crash | undefined {
    if (this.#pardoned) return undefined;
    const unfinished = this.#host.unfinished?.() ?? "";
    if (unfinished !== "") this.line(unfinished);
    this.settle();
    return this.take(true);
  }

  /** Called by the driver when a wait begins. @throws {ExpectedFaultError} that had to make way for another. */
  waitBegins(): void {
    const unmet = this.#unmet;
    this.#unmet = undefined;
    this.#waitFailed = this.#pardoned = false;
    if (unmet) throw unmet;
  }

  /** Called by the driver when a wait fails for whatever reason: that error is in flight. */
  waitFailed(): void {
    this.#waitFailed = true;
  }

  /**
   * Called by the driver at the end of a wait: what the wait has to fail for, each fault once. A fatal one ends
   * any wait; collected ones only a wait that would have succeeded.
   */
  take(succeeded: boolean): Crash | undefined {
    const crash = this.crash ?? (succeeded ? this.#collected[0] : undefined);
    if (!crash) return undefined;
    this.#fatal = undefined;
    this.#collected = [];
    return crash;
  }

  /** The error for a fault, its report's addresses named. */
  error(
    crash: Crash,
    wanted: string,
    machine: MachineReport,
    more: Partial<Pick<CrashFacts, "kernelLog" | "exit">> = {},
  ): GuestCrashError {
    this.#waitFailed = true;
    const others = this.#all.filter((other) => other !== crash && !other.expected);
    return new GuestCrashError(wanted, machine, {
      crash,
      report: this.#host.symbolize(crash.report),
      others,
      kernelLog: more.kernelLog,
      exit: more.exit,
    });
  }

  #take(part: LinePart): void {
    const { atNs } = this.#host.now();
    if (part.timeS === undefined) this.#clock.heard(atNs);
    else {
      const age = this.#clock.judge(part.text, part.timeS, atNs);
      if (age === "echo") return;
      if (age === "restart") this.#restarted(part);
    }
    const byKernel = part.timeS !== undefined || !this.#clock.established;
    this.#read(part, byKernel ? ALL : BY_ANYBODY);
    if (KEXEC.test(part.message)) this.#begin();
  }

  #read(part: LinePart, scanner: Scanner): void {
    const hit = scanner.scan(part.message);
    const isNew = hit !== undefined && this.#isNew(hit);
    for (const report of this.#open) report.add(part);
    if (isNew) this.#openReport(hit, part);
    this.#lead = LEAD.test(part.message) ? [part] : [];
    if (this.#open.length > 0) this.#review();
  }

  /** Whether a heading is a fault that is not known yet. */
  #isNew({ rule, match }: Hit): boolean {
    if (this.#classOf(rule) === "ignore") return false;
    if (rule.partOf.some((id) => this.#open.some((report) => report.hit.rule.id === id))) return false;
    // A kernel panics once; its end mark alone is a heading only where the first line was lost.
    if (rule.id === "panic" && this.#panicked) return false;
    if (rule.reboot && !this.#clock.spoke) {
      const known = this.#banners.has(match[0]);
      this.#banners.add(match[0]);
      return known;
    }
    return true;
  }

  #openReport(hit: Hit, part: LinePart): void {
    const { rule } = hit;
    const known = this.#classOf(rule);
    if (known === "ignore") return;
    if (rule.family === "panic" && rule.class === "fatal" || rule.id === "stack-overflow") {
      this.#panicked = true;
    }
    const { atNs, instructions } = this.#host.now();
    const expectations = [...this.#expectations];
    const prefixed = this.#clock.established && part.timeS !== undefined;
    const report = new OpenReport(
      hit,
      { class: known, atNs, instructions, expectations, lead: this.#lead, prefixed },
      part,
    );
    const title = report.title();
    for (const expectation of expectations) expectation.take(rule, title);
    this.#open.push(report);
  }

  #classOf(rule: CrashRule): FaultPolicy {
    return this.#policy.get(rule.id) ?? this.#policy.get(rule.family) ?? rule.class;
  }

  /** Closes what is whole, and asks to be told of silence for what is not. */
  #review(): void {
    const final = this.#open.some((report) => report.final);
    this.#close((report) => final || report.full || (report.ended && report.start.class !== "fatal"));
  }

  #close(isWhole: (report: OpenReport) => boolean): void {
    for (const report of this.#open.filter(isWhole)) {
      this.#open.splice(this.#open.indexOf(report), 1);
      this.#record(report.finish());
    }
    if (this.#open.length > 0) {
      this.#armedNs = Math.min(...this.#open.map(({ quietNs }) => quietNs));
      this.#host.armQuiet(this.#armedNs);
    }
    if (this.crash) this.#host.stop();
  }

  #record(crash: Crash): void {
    if (this.#all.length < MAX_FAULTS) this.#all.push(crash);
    else this.#dropped++;
    if (crash.expected) return;
    if (crash.class === "fatal") this.#fatal ??= crash;
    else if (crash.class === "collect" && this.#collected.length < MAX_FAULTS) this.#collected.push(crash);
  }

  /** A kernel was told to be new only after some of its records. */
  #restarted(part: LinePart): void {
    this.#begin();
    this.#clock.judge(part.text, part.timeS!, this.#host.now().atNs);
    this.event("second-kernel", `its times start over at ${part.text}`);
  }

  /** A new boot: times, banners and panics start over. */
  #begin(): void {
    this.#clock = new BootClock(this.#host.now().atNs);
    this.#panicked = false;
    this.#banners.clear();
  }

  #endExpectation(expectation: Expectation): void {
    if (!this.#expectations.includes(expectation)) return;
    if (!expectation.met && this.#isBeginning(expectation)) {
      this.#lingering.push(expectation);
      return;
    }
    this.#expectations = this.#expectations.filter((one) => one !== expectation);
    for (const report of this.#open) expectation.take(report.hit.rule, report.title());
    if (expectation.met || expectation.optional) return;
    const error = new ExpectedFaultError(expectation.what);
    if (!this.#waitFailed) throw error;
    this.#unmet ??= error;
  }

  /** Whether the expected fault's first line is on the console, but not finished: waits end within lines. */
  #isBeginning(expectation: Expectation): boolean {
    const parts = splitLine(this.#host.unfinished?.() ?? "");
    const hit = ALL.scan(parts.at(-1)!.message);
    return hit !== undefined && expectation.take(hit.rule, "");
  }
}
