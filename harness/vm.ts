/**
 * A machine in a test author's hands. It moves only while something of it is awaited; in between, the world
 * stands still and can be looked at.
 */
import type { Timer } from "../core/clock.ts";
import type { MachineExit } from "../core/machine.ts";
import { type Arch, BOARDS } from "./boards.ts";
import { type GuestDuration, guestNs, type HostDuration } from "./budget.ts";
import { formatNs, shorten } from "./format.ts";
import { Console, type ConsoleHost, type ConsoleOptions } from "./console.ts";
import { Cpu } from "./cpu.ts";
import type { Driver, WaitOptions } from "./driver.ts";
import { type BootwrightError, InputError, type MachineReport, WaitError } from "./errors.ts";
import { Diagnosis, type GivenSymbols, logLine } from "./diagnosis.ts";
import type { Frame } from "./backtrace/backtrace.ts";
import { describeExit, type VmExit, type VmExitKind } from "./exit.ts";
import type { GdbOptions, GdbServer } from "./gdb/server.ts";
import type { Crash } from "./faults/crash.ts";
import { type FaultPolicy, Faults } from "./faults/faults.ts";
import { SilentPanic } from "./faults/silent_panic.ts";
import { GuestMemory } from "./guest_memory.ts";
import type { ReportSetting } from "./report/on_failure.ts";
import { Kernel } from "./kernel/kernel.ts";
import type { LogEntry } from "./kernel/log.ts";
import { Keyboard } from "./keyboard.ts";
import { Shell, type ShellOptions } from "./shell/shell.ts";
import { Timeline } from "./timeline.ts";

/** What {@linkcode boot} tells a machine about itself. */
export interface VmFacts {
  /** Guest architecture. */
  readonly arch: Arch;
  /** Why "auto" settled for the interpreter, where it did. */
  readonly notice: string | undefined;
  /** How consoles keep what was printed. */
  readonly console: ConsoleOptions;
  /** The command line that makes the same machine. */
  readonly command: readonly string[] | undefined;
  /** The kernel's symbols, where the test gave a file of them. */
  readonly symbols: GivenSymbols | undefined;
  /** How the shell works. */
  readonly shell: ShellOptions | undefined;
  /** Where reports of failures go. */
  readonly report: ReportSetting;
  /** Classes of faults, where they are not the table's. */
  readonly faults: Readonly<Record<string, FaultPolicy>>;
}

/** The engine of a machine. */
export interface EngineInfo {
  /** "kvm", "dbt" or "interpreter". */
  readonly name: string;
  /** Whether the same inputs give the same run, to the bit. */
  readonly deterministic: boolean;
  /** One sentence when "auto" had to settle for the interpreter. */
  readonly notice: string | undefined;
}

/** What {@linkcode Vm.waitForExit} may be asked. */
export interface ExitOptions extends WaitOptions {
  /** The only kinds of exit that are wanted; any other throws. @default every kind is returned */
  readonly kind?: VmExitKind | readonly VmExitKind[];
}

/** One guest computer. */
export class Vm implements AsyncDisposable {
  /** Guest architecture. */
  readonly arch: Arch;
  /** What executes the guest. */
  readonly engine: EngineInfo;
  /** The console: the first serial line. */
  readonly console: Console;
  /** Guest memory. */
  readonly memory: GuestMemory;
  /** Runs commands in the guest. */
  readonly shell: Shell;
  /** What happened so far. */
  readonly timeline: Timeline;
  /** The guest's crashes: what came, what is expected, and what each kind does to a wait. */
  readonly faults: Faults;
  readonly #driver: Driver;
  readonly #serial: readonly Console[];
  readonly #cpus: readonly Cpu[];
  readonly #keyboard: Keyboard | undefined;
  readonly #command: readonly string[] | undefined;
  readonly #reports: ReportSetting;
  /** What was waited for and typed; undefined once that is too much to show. */
  #steps: string[] | undefined = [];
  readonly #kernel: Kernel;
  readonly #diagnosis: Diagnosis;
  readonly #silentPanic: SilentPanic;
  /** Resets by the test: memory changes without the clock moving. */
  #resets = 0;
  readonly #runEnd: Timer;
  /** Whether a wait has failed: its error says what there is to say. */
  #failed = false;
  /** The end of the machine that its faults have been told of. */
  #toldExit: VmExit | undefined;

  /** Machines are made by {@linkcode boot}. */
  constructor(driver: Driver, facts: VmFacts) {
    const { machine, engine } = driver;
    const assertOpen = () => driver.assertOpen();
    this.#driver = driver;
    this.#runEnd = machine.clock.timer(() => driver.stop());
    this.#command = facts.command;
    this.#reports = facts.report;
    this.arch = facts.arch;
    this.engine = { name: engine.name, deterministic: engine.deterministic, notice: facts.notice };
    this.memory = new GuestMemory(machine, assertOpen);
    this.#cpus = machine.vcpus.map((vcpu) => new Cpu(vcpu, assertOpen));
    this.#kernel = new Kernel({
      arch: this.arch,
      memory: this.memory,
      moment: () => this.guestTimeNs + this.#resets,
      ...(facts.symbols && { symbols: facts.symbols.table }),
    });
    const { arch, memory } = this;
    this.#diagnosis = new Diagnosis({
      ...{ arch, memory, kernel: this.#kernel, cpus: this.#cpus, given: facts.symbols },
    });
    const now = () => ({ atNs: this.guestTimeNs, instructions: this.instructions });
    this.timeline = new Timeline(now);
    const quiet = machine.clock.timer(() => this.faults.quiet());
    this.faults = new Faults({
      now,
      stop: () => driver.stop(),
      armQuiet: (ns) => quiet.arm(this.guestTimeNs + ns),
      symbolize: (text) => this.#diagnosis.symbolized(text),
      unfinished: () => this.console.unfinishedLine,
    }, { policy: facts.faults });
    this.#serial = driver.board.serial.map((port, line) =>
      new Console(this.#consoleHost(line), port, facts.console)
    );
    this.console = this.#serial[0];
    const { keyboard } = driver.board;
    this.#keyboard = keyboard && new Keyboard({
      driver,
      failure: (wanted, exit) => this.#failure(wanted, exit, undefined),
      typed: (text) => this.timeline.add("type", text),
      passed: (wanted) => this.#passed(wanted),
    }, keyboard);
    this.shell = new Shell(
      {
        driver,
        console: this.console,
        line: this.#serial[1],
        report: () => this.report(),
        failure: (wanted, exit, nearestMiss) => this.#failure(wanted, exit, nearestMiss),
        passed: (wanted) => this.#passed(wanted),
        reported: (error) => this.#reported(error),
        event: (kind, text) => this.timeline.add(kind, text),
      },
      BOARDS[facts.arch].shellLine,
      facts.shell,
    );
    this.#silentPanic = new SilentPanic({
      sentBytes: () => this.#serial.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
      lastLines: () => this.console.lastLines(30),
      inKernel: () => this.#cpus.some(({ state, mode }) => state === "running" && mode !== "user"),
      log: () => this.#diagnosis.log(),
      panicked: (lines) => this.faults.unseen(lines),
    }, driver.engine.deterministic ? 1 : REAL_SECONDS_OF_SILENCE);
    driver.onSecond = () => this.#silentPanic.second();
    driver.onSlice = () => {
      for (const line of this.#serial) line.flush();
      this.#diagnosis.sample();
    };
    driver.onReboot = () => {
      this.shell.forget();
      this.timeline.add("reset", "the guest reset itself and starts over");
      this.faults.event("reset");
    };
    driver.onWait = () => {
      this.#diagnosis.waitBegins();
      this.faults.waitBegins();
    };
    driver.judge = (ending) => this.#judge(ending);
  }

  /** Guest time in ns: instructions retired plus idle time skipped, or real time where nobody counts. */
  get guestTimeNs(): number {
    return this.#driver.machine.clock.nowNs;
  }

  /** Instructions retired by all vCPUs; 0 under an engine that does not count them. */
  get instructions(): number {
    return this.#driver.machine.clock.instructions;
  }

  /** Why the machine stopped for good; undefined while it can go on. */
  get exit(): VmExit | undefined {
    return this.#driver.machine.exit;
  }

  /** The engine's counters: blocks translated, TLB fills, exits by cause. They outlive the machine. */
  get statistics(): Readonly<Record<string, number>> {
    return this.#driver.statistics;
  }

  /**
   * A look into a Linux guest's kernel, read from its memory without its help: symbols, typed variables, the log,
   * tasks, mounts, modules. Works before any console is up, and after death.
   */
  get kernel(): Kernel {
    return this.#kernel;
  }

  /**
   * How a vCPU got to where it stands, the innermost frame first; kernel code with names, and with lines where
   * `boot()` was given a `vmlinux` that has them.
   *
   * @throws {InputError} when there is no vCPU of that number, or the symbols given are of another kernel.
   */
  backtrace(cpu = 0): Frame[] {
    return this.#diagnosis.backtrace(this.cpu(cpu));
  }

  /** How many vCPUs there are. */
  get cpuCount(): number {
    return this.#cpus.length;
  }

  /** A vCPU. @throws {InputError} when there is none of that number. */
  cpu(index: number): Cpu {
    const cpu = this.#cpus[index];
    if (!cpu) throw new InputError(`There is no vCPU ${index}; this machine has ${this.#cpus.length}.`);
    return cpu;
  }

  /** How many serial lines there are. */
  get serialCount(): number {
    return this.#serial.length;
  }

  /** A serial line; line 0 is the console. @throws {InputError} when there is none of that number. */
  serial(index: number): Console {
    const line = this.#serial[index];
    if (!line) {
      throw new InputError(`There is no serial line ${index}; this board has ${this.#serial.length}.`);
    }
    return line;
  }

  /** The keyboard. @throws {InputError} when the board has none. */
  get keyboard(): Keyboard {
    if (this.#keyboard) return this.#keyboard;
    throw new InputError(`A ${this.arch} machine has no keyboard; type at vm.console instead.`);
  }

  /**
   * Presses the power button. The guest is told as soon as it runs, and decides what comes of it.
   *
   * @throws {InputError} when the board has none.
   */
  pressPowerButton(): void {
    this.#driver.assertIdle();
    const { powerButton } = this.#driver.board;
    if (!powerButton) {
      throw new InputError(
        `A ${this.arch} machine has no power button; vm.poweroff() pulls the plug instead.`,
      );
    }
    this.timeline.add("note", "the test pressed the power button");
    this.#driver.revive();
    powerButton.pressPowerButton();
  }

  /**
   * Lets guest time pass. An idle guest's time passes at once.
   *
   * @returns the exit, if the machine came to its end in that time.
   * @throws {WaitError} when the watchdog strikes or the guest's kernel crashes.
   */
  async run(
    options: { readonly for: GuestDuration; readonly watchdog?: HostDuration },
  ): Promise<VmExit | undefined> {
    this.#driver.assertIdle({ within: options.for, watchdog: options.watchdog });
    const { clock } = this.#driver.machine;
    const endNs = clock.nowNs + guestNs(options.for);
    this.#driver.revive();
    // A pending timer: a guest that waits for nothing may do so for the time asked.
    this.#runEnd.arm(endNs);
    const done = () => clock.nowNs >= endNs;
    try {
      const exit = await this.#driver.advance(done, { within: options.for, watchdog: options.watchdog });
      const wanted = `${formatNs(options.for.ns)} of guest time to pass`;
      if (exit && (exit.kind === "hostWatchdog" || exit.kind === "panic" || this.faults.crash)) {
        throw await this.#failure(wanted, exit, undefined);
      }
      await this.#passed(wanted);
      return exit;
    } finally {
      this.#runEnd.disarm();
    }
  }

  /**
   * Runs the machine to its end.
   *
   * @returns how it ended; a spent budget and a struck watchdog are values too.
   * @throws {WaitError} when `kind` names others than how it ended.
   * @throws {GuestCrashError} when the guest crashed and `kind` does not name it: "panic", or "tripleFault".
   */
  async waitForExit(options: ExitOptions = {}): Promise<VmExit> {
    const exit = await this.#driver.advance(() => false, options);
    const ended = exit!;
    const kinds = options.kind === undefined ? undefined : [options.kind].flat();
    const wanted = `the guest to end${kinds ? ` by ${kinds.join(" or ")}` : ""}`;
    if (kinds ? !kinds.includes(ended.kind) : this.faults.crash) {
      throw await this.#failure(wanted, ended, undefined);
    }
    this.timeline.add("exit", describeExit(ended));
    // A crash that was asked for is no failure any more.
    if (this.faults.crash) this.faults.take(false);
    else await this.#passed(wanted);
    return ended;
  }

  /** Pulls the plug: the machine's exit is "poweroff", whatever the guest thinks of it. */
  poweroff(): void {
    this.#driver.assertIdle();
    this.#driver.revive();
    this.#driver.machine.requestExit({ kind: "poweroff" });
  }

  /** Presses reset: images are loaded again, devices and vCPUs are as after power-on. Guest time goes on. */
  reset(): void {
    this.#driver.assertIdle();
    this.#driver.reset();
    this.#resets++;
    this.faults.event("reset");
    this.shell.forget();
    this.timeline.add("reset", "the test pressed reset");
  }

  /**
   * Listens for gdb, on this host alone unless told otherwise. Whoever attaches holds the machine still; it then
   * moves only while something is awaited and gdb lets it go on.
   *
   * @throws {InputError} when the port cannot be had, or there is a gdb server already.
   * @throws {HostError} without the permission `--allow-net`.
   */
  async gdb(options?: GdbOptions): Promise<GdbServer> {
    this.#driver.assertOpen();
    return (await import("./gdb/server.ts")).serveGdb(this.#driver, this.arch, options);
  }

  /** The kernel's log as {@linkcode Kernel.log} gives it; undefined where it cannot be read. */
  readableLog(): readonly LogEntry[] | undefined {
    return this.#diagnosis.log();
  }

  /** The machine's facts, as errors show them. */
  report(): MachineReport {
    return {
      guestTimeNs: this.guestTimeNs,
      instructions: this.instructions,
      cpus: this.#cpus.map((cpu) => this.#diagnosis.position(cpu)),
      kernelLog: this.#diagnosis.log()?.filter(({ level }) => level < DEBUG_LEVEL).slice(-MAX_LOG_LINES)
        .map((entry) => shorten(logLine(entry), MAX_LINE)),
      hotSpots: this.#diagnosis.hotSpots(),
      lastLines: this.console.lastLines(30).map((line) => shorten(line, MAX_LINE)),
      symbolsNotice: this.#diagnosis.notice(),
      reproduce: this.#command && [...this.#command, ...this.#steps ?? ["…"]].map(shellWord).join(" "),
    };
  }

  #consoleHost(line: number): ConsoleHost {
    return {
      driver: this.#driver,
      failure: (wanted, exit, nearestMiss) => this.#failure(wanted, exit, nearestMiss),
      // The command line drives the console only.
      record: (step, text) => void (line === 0 && this.#record(`--${step}`, text)),
      event: (kind, text) => this.timeline.add(kind, text, line),
      passed: (wanted) => this.#passed(wanted),
      line: (text) => void (line === 0 && this.faults.line(text)),
    };
  }

  /** Whether a wait that is not done ends, and why: a crash is a better reason than what came of it. */
  #judge(ending: VmExit | undefined): VmExit | undefined {
    if (this.faults.crash === undefined && ending && "failure" in ending && ending.failure) {
      this.faults.event("system-failure", ending.failure);
    }
    const { exit } = this.#driver.machine;
    // Nothing more will be printed.
    if (ending && exit) this.faults.settle();
    if (ending === exit) this.#tellExit(exit);
    const { crash } = this.faults;
    if (crash?.rule === "triple-fault" && ending?.kind === "tripleFault") return ending;
    return crash ? { kind: "panic", detail: crash.title } : ending;
  }

  /** Tells the faults, once, of an end that is one of them, unless what led to it is known. */
  #tellExit(exit: MachineExit | undefined): void {
    if (exit === this.#toldExit) return;
    this.#toldExit = exit;
    if (this.faults.crash) return;
    if (exit?.kind === "reset" || exit?.kind === "hang") this.#silentPanic.look();
    if (exit?.kind === "panic") this.faults.event("system-failure", exit.detail);
    if (exit?.kind === "tripleFault") this.faults.event("triple-fault", exit.detail);
  }

  /** The error of a wait that ended as `exit` says. */
  async #failure(wanted: string, exit: VmExit, nearestMiss: string | undefined): Promise<BootwrightError> {
    const ended = exit.kind === "panic" || exit.kind === "tripleFault";
    const crash = ended ? this.faults.take(false) : undefined;
    if (crash) return await this.#crashed(crash, wanted, exit);
    this.timeline.add("miss", `waited for ${wanted}, but ${describeExit(exit)}`);
    this.faults.waitFailed();
    return await this.#reported(new WaitError(wanted, exit, nearestMiss, this.report()));
  }

  /** A wait has found what it wanted. @throws {GuestCrashError} when the guest has failed all the same. */
  async #passed(wanted: string): Promise<void> {
    const crash = this.faults.take(true);
    if (crash) throw await this.#crashed(crash, wanted);
  }

  async #crashed(crash: Crash, wanted: string, exit?: VmExit): Promise<BootwrightError> {
    this.timeline.add("fault", crash.title);
    const report = this.report();
    const { kernelLog } = report;
    return await this.#reported(this.faults.error(crash, wanted, report, { kernelLog, exit }));
  }

  /** Leaves a report about the error of a wait. */
  async #reported(error: BootwrightError): Promise<BootwrightError> {
    this.#failed = true;
    if (this.#reports !== false) {
      (await import("./report/on_failure.ts")).reportFailure(this, error, this.#reports);
    }
    return error;
  }

  #record(...words: string[]): void {
    this.#steps?.push(...words);
    if (this.#steps && this.#steps.join().length > MAX_STEPS) this.#steps = undefined;
  }

  /**
   * Ends any wait under way and frees the machine. `await using` does it.
   *
   * @throws {GuestCrashError} when the guest has crashed and no wait has failed for it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const crash = this.#driver.isOpen && !this.#failed ? this.faults.leftover() : undefined;
    const error = crash && this.faults.error(crash, "nothing more", this.report());
    await this.#driver.close();
    if (error) throw error;
  }
}

/** Seconds of silence after which the kernel's log is looked at, where guest time is the host's. */
const REAL_SECONDS_OF_SILENCE = 4;
/** Characters of a reproduction's steps. */
const MAX_STEPS = 4000;
/** Syslog level of what consoles leave out, too. */
const DEBUG_LEVEL = 7;
/** Lines of the kernel's log in a report. */
const MAX_LOG_LINES = 30;
/** Characters of a line in a report. */
const MAX_LINE = 400;

/** A word as a POSIX shell reads it back. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./\u2026-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
