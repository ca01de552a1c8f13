/** What happened to a machine, in guest time: what its test did, and what came of it. For reports. */

/** What kind of thing happened. */
export type TimelineKind =
  | "boot"
  | "wait"
  | "match"
  | "miss"
  | "type"
  | "shell"
  | "fault"
  | "reset"
  | "exit"
  | "note";

/** One thing that happened. */
export interface TimelineEvent {
  /** What kind of thing. */
  readonly kind: TimelineKind;
  /** Guest time in ns. */
  readonly atNs: number;
  /** Instructions retired by then. */
  readonly instructions: number;
  /** In words. */
  readonly text: string;
  /** The serial line it happened on, if it did on one. */
  readonly line?: number;
}

/** Events kept; of more, the oldest but the first few are forgotten. */
const MAX_EVENTS = 10_000;
const KEPT_FROM_START = 100;

/** The record of one machine. */
export class Timeline {
  /** Events forgotten because there were too many. */
  dropped = 0;
  readonly #events: TimelineEvent[] = [];
  readonly #now: () => { atNs: number; instructions: number };

  /** Made with the machine. @param now Tells the machine's time. */
  constructor(now: () => { atNs: number; instructions: number }) {
    this.#now = now;
  }

  /** All events kept, in order. */
  get events(): readonly TimelineEvent[] {
    return this.#events;
  }

  /** Adds an event at the machine's present time. */
  add(kind: TimelineKind, text: string, line?: number): void {
    if (this.#events.length === MAX_EVENTS) {
      this.#events.splice(KEPT_FROM_START, MAX_EVENTS / 2);
      this.dropped += MAX_EVENTS / 2;
    }
    this.#events.push({ kind, ...this.#now(), text, ...(line !== undefined && { line }) });
  }
}
