/** What a way of running shell commands in a guest is to {@linkcode Shell}. */
import type { Clock } from "../../core/clock.ts";
import { guest, guestNs, type HostDuration, hostMs } from "../budget.ts";
import type { Console } from "../console.ts";
import type { Driver, WaitOptions } from "../driver.ts";
import type { BootwrightError, MachineReport } from "../errors.ts";
import type { VmExit } from "../exit.ts";

/** What the shell needs of the machine it belongs to. */
export interface ShellHost {
  /** Moves the machine. */
  readonly driver: Driver;
  /** The machine's console: where a prompt is. */
  readonly console: Console;
  /** The second serial line, if the board has one; the shell takes it over. */
  readonly line: Console | undefined;
  /** The machine's facts, for errors. */
  report(): MachineReport;
  /** The error of a wait that ended as `exit` says. */
  failure(wanted: string, exit: VmExit, nearestMiss: string | undefined): Promise<BootwrightError>;
  /** Told of every command that has ended. @throws {BootwrightError} when the guest has failed all the same. */
  passed(wanted: string): Promise<void>;
  /** Leaves a report about an error that is about to be thrown, and gives it back. */
  reported(error: BootwrightError): Promise<BootwrightError>;
  /** Told of every command, and of the shell's start. */
  event(kind: "shell" | "note", text: string): void;
}

/** A command as a channel takes it. */
export interface Request {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  readonly stdin: Uint8Array;
  /** Bytes of either stream that are kept. */
  readonly limit: number;
}

/** How a command ended. */
export interface Outcome {
  /** Its exit code; undefined when it did not end by itself. */
  readonly code: number | undefined;
  readonly stdout: Uint8Array<ArrayBuffer>;
  readonly stderr: Uint8Array<ArrayBuffer>;
  /** Why there is no code. */
  readonly failed: Failure | undefined;
}

/** Why a command did not end by itself. */
export type Failure =
  /** The wait ended before. */
  | { readonly kind: "exit"; readonly exit: VmExit }
  /** It printed more than is kept. */
  | { readonly kind: "tooMuch" }
  /** It was stopped by a signal, and was killed then. */
  | { readonly kind: "stopped" }
  /** It killed the shell's own processes. */
  | { readonly kind: "shellKilled" };

/** Runs commands, one at a time. */
export interface Channel {
  /** Sees to it that commands can be run. Undefined when they can be. */
  ready(): Promise<void> | undefined;
  /** Runs a command. Moves the machine before it yields, so that a second wait is refused. */
  run(request: Request, budget: Budget): Promise<Outcome>;
  /** The machine was reset: nothing of what was in the guest is there any more. */
  forget(): void;
}

/** What is left of the time that several waits in a row may take. */
export class Budget {
  /** Guest time in all, in ns. */
  readonly guestNs: number;
  readonly #clock: Clock;
  readonly #endNs: number;
  readonly #endMs: number;

  /** Starts now. */
  constructor(clock: Clock, options: WaitOptions, within = guest("60s")) {
    this.#clock = clock;
    this.guestNs = guestNs(options.within ?? within);
    this.#endNs = clock.nowNs + this.guestNs;
    this.#endMs = options.watchdog === undefined ? Infinity : performance.now() + hostMs(options.watchdog);
  }

  /** What the next wait may take. */
  get options(): WaitOptions {
    const within = { clock: "guest", ns: Math.max(0, this.#endNs - this.#clock.nowNs) } as const;
    if (this.#endMs === Infinity) return { within };
    const watchdog: HostDuration = { clock: "host", ms: Math.max(0, this.#endMs - performance.now()) };
    return { within, watchdog };
  }
}
