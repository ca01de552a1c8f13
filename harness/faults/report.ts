/**
 * Collects a fault's report line by line, and knows when it is whole. Bounded: a guest may print for ever.
 */
import type { Crash } from "./crash.ts";
import type { Expectation } from "./expectation.ts";
import type { LinePart } from "./printk.ts";
import type { FaultClass } from "./rule.ts";
import type { Hit } from "./scanner.ts";
import { type CrashFrame, functionAtFault, parseFrame, parseLockSite, plainName } from "./stack.ts";
import { fillTitle } from "./title.ts";

/** Lines of a report. */
export const MAX_REPORT_LINES = 400;
/** Characters of a report. */
export const MAX_REPORT_LENGTH = 64 * 1024;
/** Guest time without output after which a report whose end is to come is taken to be whole. */
const OPEN_QUIET_NS = 200_000_000;
/** The same after its end: more would have followed at once, such as the panic that an oops ends in. */
const ENDED_QUIET_NS = 10_000_000;

/** Where a call trace begins; riscv prints one after the last registers without saying so. */
const CALL_TRACE = /^(?:\s{0,4}Call [Tt]race:|status: [0-9a-f]{16} badaddr: )/;
/** What call traces consist of; anything else ends one. */
const IN_TRACE =
  /^(?:$|[\s<]|\[<[0-9a-f]{8}|(?:RIP|RSP|RAX|RDX|RBP|R1\d|Code|ORIG_RAX): ?|R\d\d: ?|Call [Tt]race)/;

/** Families whose reports come by way of an exception or interrupt, and show the place it came from. */
const BY_EXCEPTION = ["oops", "bug", "lockup", "memory", "warning", "hardware"];

/** Where and when a fault was noticed. */
export interface ReportStart {
  /** What it does to the test. */
  readonly class: FaultClass;
  /** Guest time in ns. */
  readonly atNs: number;
  /** Instructions retired. */
  readonly instructions: number;
  /** Expectations in scope. */
  readonly expectations: readonly Expectation[];
  /** Lines before the heading that belong to it. */
  readonly lead: readonly LinePart[];
  /** Whether every line of the kernel has a prefix, so that one without is somebody else's. */
  readonly prefixed: boolean;
}

/** A report that is being collected. */
export class OpenReport {
  /** Whether its end has come; what follows is kept until the guest falls silent. */
  ended = false;
  /** Whether nothing can be added. */
  full = false;
  /** Whether its end was one that nothing of interest can follow. */
  final = false;
  readonly #lines: string[] = [];
  #length = 0;
  readonly #frames: CrashFrame[] = [];
  #lockSite: string | undefined;
  #inTrace = false;
  #mixed = false;
  readonly #caller: string | undefined;

  /** @param heading The part of a line that `hit` matched. */
  constructor(readonly hit: Hit, readonly start: ReportStart, heading: LinePart) {
    this.#caller = heading.caller;
    for (const part of start.lead) this.#keep(part);
    this.#keep(heading);
    this.ended = hit.rule.end.kind === "line";
  }

  /** Guest time without output after which the report is whole, in ns. */
  get quietNs(): number {
    return this.ended ? ENDED_QUIET_NS : OPEN_QUIET_NS;
  }

  /** Takes a further line. */
  add(part: LinePart): void {
    if (this.full) return;
    const { end } = this.hit.rule;
    const isForeign = this.start.prefixed && part.timeS === undefined;
    if (isForeign && part.text.trim() !== "") this.#mixed = true;
    if (!this.ended && end.kind === "trace" && this.#leavesTrace(part)) {
      this.ended = true;
      // Further lines are of interest only behind what ends the wait.
      if (this.start.class !== "fatal") return;
    }
    this.#keep(part);
    if (!this.ended && !isForeign && end.kind === "mark" && end.mark.test(part.message)) {
      this.ended = true;
      this.final = end.final ?? false;
    }
  }

  /** The title as far as it can be known. */
  title(): string {
    const { rule, match } = this.hit;
    const fromTop = BY_EXCEPTION.includes(rule.family) && rule.id !== "hung-task";
    const at = this.#lockSite === undefined
      ? functionAtFault(this.#frames, fromTop)
      : plainName(this.#lockSite);
    return fillTitle(rule.title, match, at);
  }

  /** The fault, with what was collected. */
  finish(): Crash {
    const { rule } = this.hit;
    const title = this.title();
    return {
      rule: rule.id,
      family: rule.family,
      title,
      class: this.start.class,
      expected: this.start.expectations.some((expectation) => expectation.take(rule, title)),
      report: this.#lines.map((line) => `${line}\n`).join(""),
      lines: this.#lines.length,
      atNs: this.start.atNs,
      instructions: this.start.instructions,
      corrupted: this.#mixed || this.full,
      frames: this.#frames,
    };
  }

  #leavesTrace(part: LinePart): boolean {
    // Other processors and user programs may speak in between.
    if (part.caller !== this.#caller || (this.start.prefixed && part.timeS === undefined)) return false;
    const wasInTrace = this.#inTrace;
    this.#inTrace = CALL_TRACE.test(part.message) || (wasInTrace && IN_TRACE.test(part.message));
    return wasInTrace && !this.#inTrace;
  }

  #keep(part: LinePart): void {
    this.#lines.push(part.text);
    this.#length += part.text.length + 1;
    const frame = parseFrame(part.message);
    if (frame) this.#frames.push(frame);
    if (this.hit.rule.family === "lockdep") this.#lockSite ??= parseLockSite(part.message);
    this.full = this.#lines.length >= MAX_REPORT_LINES || this.#length >= MAX_REPORT_LENGTH;
  }
}
