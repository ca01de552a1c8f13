/** What happened to a machine as the page shows it: waits with how they ended, in the order of guest time. */
import { describeExit } from "../exit.ts";
import { escapeText } from "../escapes.ts";
import { shorten } from "../format.ts";
import type { TimelineKind } from "../timeline.ts";
import { visible } from "./console_view.ts";
import type { OutputMark } from "../recording.ts";
import type { ReportData, ReportFault, ReportShellCommand } from "./report_data.ts";

/** An event for the page. */
export interface EventView {
  /** What kind of thing. */
  readonly kind: TimelineKind;
  /** Guest time of its beginning in ns, where it took some. */
  readonly from?: number;
  /** Guest time of its end, or of all of it. */
  readonly at: number;
  /** In words. */
  readonly text: string;
  /** What was found or came of it. */
  readonly result?: string;
  /** What the console's line that it is about holds, where that is not the result. */
  readonly find?: string;
  /** The serial line it happened on. */
  readonly line?: number;
}

const MAX_TEXT = 400;

/** The events of a report, and what its timeline does not tell by itself. */
export function eventViews(data: ReportData): EventView[] {
  const events: EventView[] = [];
  let wait: EventView | undefined;
  const close = () => {
    if (wait) events.push(wait);
    wait = undefined;
  };
  for (const { kind, atNs, text, line } of data.timeline) {
    const event: EventView = { kind, at: atNs, text: clean(text), ...(line !== undefined && { line }) };
    if (kind === "wait") {
      close();
      wait = event;
    } else if (wait && kind === "match") {
      events.push({ ...event, from: wait.at, text: wait.text, result: event.text });
      wait = undefined;
    } else if (wait && kind === "miss") {
      events.push({ ...event, from: wait.at, ...(wait.line !== undefined && { line: wait.line }) });
      wait = undefined;
    } else {
      events.push(event);
    }
  }
  close();
  // The timeline has the moment a wait ended for a fault; faults have their own.
  if (data.faults?.length) replace(events, "fault", data.faults.map(faultView));
  if (data.shell?.length) replace(events, "shell", data.shell.map(shellView));
  const { exit } = data;
  const ended = exit && !["guestBudget", "hostWatchdog", "unwanted", "panic"].includes(exit.kind);
  if (ended && !events.some(({ kind }) => kind === "exit")) {
    events.push({ kind: "exit", at: data.guestTimeNs, text: clean(describeExit(exit)) });
  }
  return events.sort((a, b) => a.at - b.at);
}

function replace(events: EventView[], kind: TimelineKind, better: readonly EventView[]): void {
  events.splice(0, events.length, ...events.filter((event) => event.kind !== kind), ...better);
}

function faultView({ title, report, atNs }: ReportFault): EventView {
  const [first] = report.trimStart().split("\n", 1);
  return { kind: "fault", at: atNs, text: clean(title), find: clean(first.trim()) };
}

function shellView(
  { command, code, atNs, durationNs }: ReportShellCommand,
): EventView {
  const result = code === undefined ? "did not end" : `exit code ${code}`;
  return { kind: "shell", from: atNs, at: atNs + (durationNs ?? 0), text: clean(command), result };
}

function clean(text: string): string {
  // deno-lint-ignore no-control-regex -- they are what it looks for
  return visible(shorten(text, MAX_TEXT).replace(/[\x00-\x1f\x7f]/g, escapeText));
}

/**
 * How much a console printed over time: bytes in each of `buckets` equal parts of the guest time until `endNs`,
 * as far as its recording tells.
 */
export function activity(
  recording: readonly OutputMark[],
  bytes: number,
  endNs: number,
  buckets: number,
): number[] {
  const counts = new Array<number>(buckets).fill(0);
  for (let i = 0; i < recording.length; i++) {
    const { atNs, offset } = recording[i];
    const next = recording[i + 1]?.offset ?? bytes;
    const bucket = Math.min(buckets - 1, Math.floor(atNs / endNs * buckets));
    if (next > offset && bucket >= 0) counts[bucket] += next - offset;
  }
  return counts;
}
