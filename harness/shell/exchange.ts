/**
 * One command's conversation on the second serial line: sorts what comes by stream, and decides when the other
 * stream shall follow. See `protocol.ts`.
 */
import { ByteSink } from "./byte_sink.ts";
import type { Mark } from "./frames.ts";
import { MARK } from "./protocol.ts";

/** Reports of a runner that is gone until it must have left no end in either pipe: each had its turn twice. */
const SURELY_GONE = 4;
/** Reports of a runner that is stopped until nobody seems to let it go on. */
const SURELY_STOPPED = 2;
/** Polls without an answer, nor anything else, until the server must be gone: about 5 s of guest time. */
const SURELY_DEAF = 11;

/** A command's streams. */
export type StreamName = "stdout" | "stderr";

/** One stream of a command. */
interface Stream {
  readonly sink: ByteSink;
  /** Whether what comes is the command's. */
  open: boolean;
  ended: boolean;
}

/** Bytes of one stream after which the other gets its turn. */
const TURN_BYTES = 1 << 20;
/** Guest time of silence after which the other stream gets its turn: at first, and at most. */
const POLL_NS = 10e6;
const MAX_POLL_NS = 1e9;

/** The state of one command. */
export class Exchange {
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** The exit code, once stdout has ended. */
  code = 0;
  /** Whether the last command's processes have the pipes: nothing was run. */
  leftover = false;
  /** Pieces acknowledged. */
  pieces = 0;
  /** What happened to the command's runner or to the server, if something did. */
  lost: "gone" | "stopped" | "deaf" | undefined;
  #unanswered = 0;
  #gone = 0;
  #stopped = 0;
  readonly #change: (to: StreamName, check: boolean) => void;
  #current: StreamName | undefined;
  #changing = false;
  #bytes = 0;
  #bytesAtChange = 0;
  #bytesAtPoll = 0;
  #pollNs = POLL_NS;

  /**
   * @param limit Bytes of either stream that are kept.
   * @param current The stream that follows now; undefined where the command begins anew.
   * @param change Called with the stream that shall follow, and whether the guest shall look if the command's
   * runner still lives.
   */
  constructor(
    limit: number,
    current: StreamName | undefined,
    change: (to: StreamName, check: boolean) => void,
  ) {
    const open = current !== undefined;
    this.stdout = { sink: new ByteSink(limit), open, ended: false };
    this.stderr = { sink: new ByteSink(limit), open, ended: false };
    this.#current = current;
    this.#change = change;
  }

  /** Whether there is nothing more to come. */
  get over(): boolean {
    return this.leftover || (this.stdout.ended && this.stderr.ended);
  }

  /** Whether more came than is kept. */
  get overflowed(): boolean {
    return this.stdout.sink.overflowed || this.stderr.sink.overflowed;
  }

  /** The stream that follows now; undefined while that is not known, or a change is under way. */
  get current(): StreamName | undefined {
    return this.#changing ? undefined : this.#current;
  }

  /** Takes a byte that is no mark. */
  data(byte: number): void {
    if (this.#current === undefined) return;
    const { open, ended, sink } = this[this.#current];
    this.#bytes++;
    if (open && !ended) sink.add(byte);
  }

  /** Takes a mark of this command. Returns whether it is one that a command has. */
  mark({ letter, number }: Mark): boolean {
    switch (letter) {
      case MARK.piece:
        this.pieces = number;
        return true;
      case MARK.leftover:
        this.leftover = true;
        return true;
      case MARK.stdoutBegins:
        this.stdout.open = true;
        return true;
      case MARK.stderrBegins:
        this.stderr.open = true;
        return true;
      case MARK.stdoutFollows:
        this.#changed("stdout");
        return true;
      case MARK.stderrFollows:
        this.#changed("stderr");
        return true;
      case MARK.runnerGone:
        if (++this.#gone === SURELY_GONE) this.lost = "gone";
        return true;
      case MARK.runnerStopped:
        if (++this.#stopped === SURELY_STOPPED) this.lost = "stopped";
        return true;
      case MARK.stdoutEnds:
        this.code = number;
        this.#ended("stdout");
        return true;
      case MARK.stderrEnds:
        this.#ended("stderr");
        return true;
    }
    return false;
  }

  /** Lets the other stream follow if this one has been silent since the last call, or has had its turn. */
  poll(): void {
    const silent = this.#bytes === this.#bytesAtPoll;
    this.#bytesAtPoll = this.#bytes;
    this.#pollNs = silent ? Math.min(2 * this.#pollNs, MAX_POLL_NS) : POLL_NS;
    // What the line still has to send comes before the answer, and where time is real, that takes some.
    if (!silent) this.#unanswered = 0;
    else if (this.#changing && ++this.#unanswered === SURELY_DEAF) this.lost = "deaf";
    const hadItsTurn = this.#bytes - this.#bytesAtChange >= TURN_BYTES;
    if (silent || hadItsTurn) this.#changeOver(true);
  }

  /** Guest time until the next {@linkcode Exchange.poll}, in ns. */
  get pollNs(): number {
    return this.#pollNs;
  }

  #changed(to: StreamName): void {
    this.#current = to;
    this.#changing = false;
    this.#unanswered = 0;
    this.#bytesAtChange = this.#bytes;
    this.#seeToTheOther();
  }

  #ended(stream: StreamName): void {
    this[stream].ended = true;
    this.#seeToTheOther();
  }

  /** When what follows has ended and the other has not, the other shall follow. */
  #seeToTheOther(): void {
    if (this.#current !== undefined && this[this.#current].ended) this.#changeOver(false);
  }

  #changeOver(check: boolean): void {
    if (this.#current === undefined || this.#changing || this.over) return;
    this.#changing = true;
    this.#change(this.#current === "stderr" ? "stdout" : "stderr", check);
  }
}
