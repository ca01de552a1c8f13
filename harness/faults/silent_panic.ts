/**
 * Notices the panic of a kernel that no console shows: it was given none, dies before it has one, or prints it
 * elsewhere. Such a kernel spins for ever, and a wait would spend its whole budget on that, minutes of a host's time.
 *
 * The one place where it says so is its log in memory. Reading that costs more than a boot may be slowed down by, so
 * it is done only when it may tell something: when the guest has printed nothing for a second of its time and was in
 * its kernel all the same at the second's end, and more and more rarely while that goes on. Where guest time is real
 * time a second of a slow host holds little of a boot, and there the first look comes later.
 */
import { formatLog, type LogEntry } from "../kernel/log.ts";
import { unseenLog } from "../kernel/unseen_log.ts";

/** What is known of the machine. */
export interface WatchedMachine {
  /** Bytes that the guest has sent on all of its serial lines so far. */
  sentBytes(): number;
  /** The console's last lines. */
  lastLines(): readonly string[];
  /** Whether a vCPU executes something that is not a program. */
  inKernel(): boolean;
  /** The kernel's log; undefined where it cannot be read. */
  log(): readonly LogEntry[] | undefined;
  /** Takes the lines of the log that the console has not shown, of a kernel that has panicked. */
  panicked(lines: readonly string[]): void;
}

/** Seconds of guest time between looks, at most. */
const MAX_PAUSE = 8;
const PANIC = "Kernel panic - not syncing: ";
/** The facility of what the kernel itself has logged. */
const KERNEL = 0;

/** The watch over one machine. */
export class SilentPanic {
  readonly #machine: WatchedMachine;
  #sent: number | undefined;
  /** Seconds in the kernel until the next look. */
  #left: number;
  #pause: number;

  /**
   * Made with the machine; looks at nothing yet.
   *
   * @param firstPause Seconds in the kernel until the first look.
   */
  constructor(machine: WatchedMachine, private readonly firstPause = 1) {
    this.#machine = machine;
    this.#left = this.#pause = firstPause;
  }

  /** Called at every second of guest time. */
  second(): void {
    const sent = this.#machine.sentBytes();
    if (sent !== this.#sent) {
      this.#sent = sent;
      this.#left = this.#pause = this.firstPause;
      return;
    }
    if (!this.#machine.inKernel() || --this.#left > 0) return;
    this.#left = this.#pause = Math.min(2 * this.#pause, MAX_PAUSE);
    this.look();
  }

  /** Looks whether the kernel has panicked. */
  look(): void {
    const log = this.#machine.log() ?? [];
    if (!log.some(({ facility, text }) => facility === KERNEL && text.startsWith(PANIC))) return;
    const lines = formatLog(log).trimEnd().split("\n");
    this.#machine.panicked(unseenLog(lines, this.#machine.lastLines()));
  }
}
