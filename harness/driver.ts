/**
 * Moves a machine, and only while somebody awaits it. The machine runs in slices of some milliseconds of
 * host time with a turn of the event loop between them, so that timers, signals and output go on. How the
 * slices fall changes nothing the guest can see.
 */
import type { Engine } from "../accel/engine.ts";
import type { Board } from "../core/boards/board.ts";
import type { Machine, ParallelRunner, Runner } from "../core/machine.ts";
import { guest, type GuestDuration, guestNs, host, type HostDuration, hostMs } from "./budget.ts";
import { formatNs } from "./format.ts";
import { InputError } from "./errors.ts";
import type { VmExit } from "./exit.ts";

/** How long a wait may take, on either clock. */
export interface WaitOptions {
  /** Guest time. @default guest("60s") */
  readonly within?: GuestDuration;
  /** Wall time, for this wait alone. @default the machine's `watchdog` */
  readonly watchdog?: HostDuration;
}

/** What to do when the guest resets itself. */
export type ResetPolicy = "exit" | "reboot";

/** Somebody who may keep the machine still while it is awaited, and says how it moves: gdb. */
export interface Debugger {
  /** What runs vCPUs meanwhile. */
  readonly runner: Runner | ParallelRunner;
  /**
   * Asked before each slice, and before a wait ends that is not done, with the reason: a promise for the moment
   * when the wait may go on, or undefined where it may at once.
   */
  hold(ending: VmExit | undefined): Promise<void> | undefined;
  /** Told after each slice. */
  moved(): void;
  /** The machine is being closed: lets go of it, and goes. */
  close(): Promise<void>;
}

/** Reboots after which `onReset: "reboot"` takes the guest to be resetting in a loop. */
export const MAX_REBOOTS = 16;

/**
 * Milliseconds between two turns of the event loop. A turn costs some tenths of one: whatever it touches the guest has
 * driven out of the processor's caches.
 */
const SLICE_MS = 64;
/** The same for engines that must stop every vCPU for it, which costs the guest what its processor has cached. */
const PARALLEL_SLICE_MS = 50;
/** Slices of a budget at least, so that a short one's end can tell where the guest was meanwhile. */
const SLICES = 32;
const SECOND_NS = 1e9;

/** Runs one machine. */
export class Driver {
  /** Called when a wait begins; may throw. */
  onWait: () => void = () => {};
  /** Called after every slice. */
  onSlice: () => void = () => {};
  /** Called at every whole second of guest time that a wait comes to. */
  onSecond: () => void = () => {};
  /** Called when the guest's own reset starts it over. */
  onReboot: () => void = () => {};
  /**
   * Has the last word, whenever the machine stops, on whether a wait that is not done ends: given why it
   * would end anyway, says why it does.
   */
  judge: (ending: VmExit | undefined) => VmExit | undefined = (ending) => ending;
  /** Who debugs the machine, if anybody does. */
  debugger: Debugger | undefined;
  readonly machine: Machine;
  #running = false;
  #closed = false;
  #lastStatistics: Readonly<Record<string, number>> | undefined;
  #reboots = 0;
  readonly #sliceMs: number;
  #idle: Promise<void> = Promise.resolve();
  readonly #watchdog: HostDuration;

  constructor(
    readonly board: Board,
    readonly engine: Engine,
    private readonly onReset: ResetPolicy,
    watchdog: HostDuration = host("5m"),
  ) {
    this.machine = board.machine;
    this.#sliceMs = "runMachine" in engine ? PARALLEL_SLICE_MS : SLICE_MS;
    hostMs(watchdog);
    this.#watchdog = watchdog;
  }

  /**
   * Asked before a wait changes anything.
   *
   * @param options The wait's.
   * @throws {InputError} while another wait is under way, after the machine was closed, and for what is no budget.
   */
  assertIdle(options: WaitOptions = {}): void {
    this.assertOpen();
    if (options.within !== undefined) guestNs(options.within);
    if (options.watchdog !== undefined) hostMs(options.watchdog);
    if (this.#running) {
      throw new InputError("Another wait on this machine is under way; await it before starting the next.");
    }
  }

  /** Whether the machine is there. */
  get isOpen(): boolean {
    return !this.#closed;
  }

  /** @throws {InputError} after the machine was closed. */
  assertOpen(): void {
    if (this.#closed) throw new InputError("This machine was closed; boot another one.");
  }

  /**
   * Runs the machine until `done()`, which is asked whenever the machine stops.
   *
   * @param judge In place of {@linkcode Driver.judge}.
   * @returns undefined when done, else why not.
   */
  advance(
    done: () => boolean,
    options: WaitOptions,
    judge: Driver["judge"] = (ending) => this.judge(ending),
  ): Promise<VmExit | undefined> {
    this.assertIdle();
    this.onWait();
    const within = options.within ?? guest("60s");
    const limitNs = this.machine.clock.nowNs + guestNs(within);
    const watchdogMs = hostMs(options.watchdog ?? this.#watchdog);
    const result = this.#advance(done, within, limitNs, watchdogMs, judge);
    this.#idle = result.then(() => {}, () => {});
    return result;
  }

  /** Makes the wait under way ask whether it is done, at the next instruction boundary. */
  stop(): void {
    this.machine.requestStop();
  }

  /** Starts over, by the board's reset button. */
  reset(): void {
    this.machine.exit = undefined;
    this.board.reset();
  }

  /** New input: a machine that could never progress now may. */
  revive(): void {
    if (this.machine.exit?.kind === "hang") this.machine.exit = undefined;
  }

  /** The engine's counters; of a machine that was closed, the last ones. */
  get statistics(): Readonly<Record<string, number>> {
    return this.#lastStatistics ?? this.engine.statistics();
  }

  /** Ends the wait under way, if any, and frees machine and engine. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.debugger?.close();
    await this.#idle;
    this.#lastStatistics = this.engine.statistics();
    this.engine.dispose();
    this.machine.dispose();
  }

  async #advance(
    done: () => boolean,
    within: GuestDuration,
    limitNs: number,
    watchdogMs: number,
    judge: Driver["judge"],
  ): Promise<VmExit | undefined> {
    const { machine } = this;
    const sliceNs = Math.max(1, Math.ceil(within.ns / SLICES));
    let deadline = performance.now() + watchdogMs;
    this.#running = true;
    // Nothing moves before the caller has its promise: whether a second wait is one too many must not depend
    // on how quickly the first is over.
    await undefined;
    try {
      while (!done()) {
        this.assertOpen();
        if (machine.exit?.kind === "reset" && this.onReset === "reboot" && this.#reboots < MAX_REBOOTS) {
          this.#reboots++;
          this.reset();
          this.onReboot();
        }
        const now = performance.now();
        const ended = judge(
          machine.exit ?? (
            machine.clock.nowNs >= limitNs
              ? budgetSpent(within)
              : now >= deadline
              ? watchdogStruck(watchdogMs)
              : undefined
          ),
        );
        const held = this.debugger?.hold(ended);
        if (held) {
          await held;
          deadline += performance.now() - now;
          continue;
        }
        if (ended) return ended;
        const { nowNs } = machine.clock;
        const secondNs = (Math.floor(nowNs / SECOND_NS) + 1) * SECOND_NS;
        machine.run(
          this.debugger?.runner ?? this.engine,
          Math.min(limitNs, secondNs, nowNs + sliceNs),
          Math.min(now + this.#sliceMs, deadline),
        );
        this.onSlice();
        if (machine.clock.nowNs >= secondNs) this.onSecond();
        this.debugger?.moved();
        if (!done() && !machine.exit) await new Promise<void>((resolve) => setImmediate(resolve));
      }
      return undefined;
    } finally {
      this.#running = false;
    }
  }
}

function budgetSpent(within: GuestDuration): VmExit {
  return { kind: "guestBudget", detail: `${formatNs(within.ns)} of guest time went by` };
}

function watchdogStruck(watchdogMs: number): VmExit {
  return {
    kind: "hostWatchdog",
    detail: `the host's watchdog struck after ${formatNs(watchdogMs * 1e6)} of wall time; ` +
      "the host may be too slow or too busy for this guest",
  };
}
