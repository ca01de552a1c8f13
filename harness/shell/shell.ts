/**
 * Runs commands in the guest and copies files, beside the console and never through it: see `protocol.ts` for
 * how. The machine moves only while one of these is awaited, and stops on the instruction that completed the
 * answer.
 */
import type { WaitOptions } from "../driver.ts";
import { InputError } from "../errors.ts";
import { formatNs, shorten } from "../format.ts";
import { Budget, type Channel, type Failure, type Outcome, type ShellHost } from "./channel.ts";
import { quote } from "./quoting.ts";
import { type LineDevice, NO_FOLDER } from "./protocol.ts";
import { ConsoleChannel } from "./console_channel.ts";
import { NoLineError, SerialChannel } from "./serial_channel.ts";
import { ShellError, type ShellResult } from "./shell_error.ts";
import { signalOf } from "./signals.ts";

/** How {@linkcode Shell.run} runs a command. */
export interface ShellRunOptions extends WaitOptions {
  /** Environment variables, beside those of {@linkcode Shell.env}. @default none */
  readonly env?: Readonly<Record<string, string>>;
  /** Working folder. @default {@linkcode Shell.cwd} */
  readonly cwd?: string;
  /** What the command reads: text or bytes. @default nothing: /dev/null */
  readonly stdin?: string | Uint8Array;
  /** Bytes that either stream may have; a command that prints more is killed. @default 67108864 (64 MiB) */
  readonly maxOutputBytes?: number;
}

/** How {@linkcode Shell.writeFile} writes. */
export interface WriteFileOptions extends WaitOptions {
  /** Permissions, as for chmod: 0o755. @default a new file's are the shell's; those of an old one stay */
  readonly mode?: number;
}

/** A command that was run. */
export interface ShellRecord {
  /** The command, shortened to 4,000 characters. */
  readonly command: string;
  /** Exit code; undefined when the command did not end by itself. */
  readonly code: number | undefined;
  /** What it printed, shortened to 4,000 characters. */
  readonly stdout: string;
  /** What it printed on standard error, shortened likewise. */
  readonly stderr: string;
  /** Guest time it took, in ns. */
  readonly guestTime: number;
  /** Guest time at which it began, in ns. */
  readonly atNs: number;
}

/** How {@linkcode Shell} works. */
export interface ShellOptions {
  /**
   * Where commands run: on the second serial line ("serial"), at the main console's prompt, with limits
   * ("console"), or on the second line if the guest has one ("auto").
   *
   * @default "auto"
   */
  readonly channel?: "auto" | "serial" | "console";
}

const DEFAULT_MAX_OUTPUT = 64 << 20;
/** Commands remembered, and characters of their output. */
const MAX_HISTORY = 1000;
const MAX_RECORD = 4000;
/** Linux takes 128 KiB per argument (execve(2)), in bytes of UTF-8: 3 per character at most. */
const MAX_COMMAND = 40_000;
/** Bytes of a file written at once: the guest's shell holds them in memory. */
const FILE_PIECE = 4 << 20;

/** A shell in the guest. */
export class Shell {
  /** Environment variables of every command. */
  env: Readonly<Record<string, string>> = {};
  /** Working folder of every command; undefined is where the console's shell was. */
  cwd: string | undefined;
  readonly #host: ShellHost;
  #channel: Channel;
  readonly #device: LineDevice;
  readonly #only: ShellOptions["channel"];
  readonly #history: ShellRecord[] = [];

  /**
   * Shells are made with their machine.
   *
   * @param device The second serial line as the guest knows it.
   */
  constructor(host: ShellHost, device: LineDevice, { channel = "auto" }: ShellOptions = {}) {
    if (!["auto", "serial", "console"].includes(channel)) {
      throw new InputError(`The shell's channel is "auto", "serial" or "console", not "${channel}".`);
    }
    this.#host = host;
    this.#device = device;
    this.#only = channel;
    this.#channel = channel === "console" ? new ConsoleChannel(host) : new SerialChannel(host, device);
  }

  /** The last 1,000 commands, the oldest first. */
  get history(): readonly ShellRecord[] {
    return this.#history;
  }

  /**
   * Runs a command line with the guest's `sh -c`.
   *
   * The first call types one line at the console, where a shell must be waiting at its prompt; nothing else of
   * what the shell does shows there. Commands have no terminal. What runs on in the background when the command
   * has ended keeps running; what it prints then is discarded.
   *
   * @throws {ShellError} when it ends with a code other than 0; the message has both streams.
   * @throws {WaitError} when it does not end within the budget: it is killed, and the next one can run.
   */
  async run(command: string, options: ShellRunOptions = {}): Promise<ShellResult> {
    const result = await this.tryRun(command, options);
    if (result.code === 0) return result;
    const signal = result.signal ? ` (${result.signal})` : "";
    throw await this.#error(command, `ended with code ${result.code}${signal}`, result);
  }

  /**
   * As {@linkcode Shell.run}, but a code other than 0 is a result too.
   *
   * @throws {WaitError} when it does not end within the budget: it is killed, and the next one can run.
   */
  async tryRun(command: string, options: ShellRunOptions = {}): Promise<ShellResult> {
    const { driver } = this.#host;
    driver.assertIdle(options);
    quote(command, "A command");
    if (command.length > MAX_COMMAND) {
      throw new InputError(
        `A command is at most ${MAX_COMMAND} characters; write longer ones to a file (writeFile) and run that.`,
      );
    }
    const request = {
      command,
      env: checkedEnv({ ...this.env, ...options.env }),
      cwd: options.cwd ?? this.cwd,
      stdin: bytesOf(options.stdin ?? "", "Standard input"),
      limit: options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT,
    };
    if (request.cwd !== undefined) quote(request.cwd, "A working folder");
    if (!(request.limit >= 1)) throw new InputError(`maxOutputBytes is 1 or more, not ${request.limit}.`);
    this.#host.event("shell", command);
    const { clock } = driver.machine;
    // No turn of the event loop before the machine moves: whoever waits for something else then is refused.
    const starting = this.#channel.ready();
    if (starting) await this.#started(starting);
    const atNs = clock.nowNs;
    const budget = new Budget(clock, options);
    const outcome = await this.#channel.run(request, budget);
    const result = resultOf(outcome, clock.nowNs - atNs);
    this.#remember(command, outcome, result, atNs);
    if (outcome.failed) throw await this.#failure(command, outcome.failed, result, budget);
    if (outcome.code === NO_FOLDER) {
      throw new InputError(
        `The command ${
          JSON.stringify(shorten(command, 200))
        } was not run: the guest cannot enter its working folder ${request.cwd}.`,
      );
    }
    await this.#host.passed(wish(command));
    return result;
  }

  /**
   * Writes a file of the guest. An old one of that name is overwritten.
   *
   * @throws {ShellError} when the guest cannot.
   */
  async writeFile(path: string, data: string | Uint8Array, options: WriteFileOptions = {}): Promise<void> {
    const { mode, ...wait } = options;
    if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= 0o7777)) {
      throw new InputError(`A file's mode is a number such as 0o644, not ${mode}.`);
    }
    const bytes = bytesOf(data, "A file's contents");
    const word = fileWord(path);
    const chmod = mode === undefined ? "" : ` && chmod ${mode.toString(8)} ${word}`;
    for (let at = 0; at === 0 || at < bytes.length; at += FILE_PIECE) {
      const stdin = bytes.subarray(at, at + FILE_PIECE);
      await this.run(`cat ${at === 0 ? ">" : ">>"}${word}${at === 0 ? chmod : ""}`, { ...wait, stdin });
    }
  }

  /**
   * Reads a file of the guest.
   *
   * @throws {ShellError} when the guest cannot.
   */
  async readFile(path: string, options: WaitOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return (await this.run(`exec cat <${fileWord(path)}`, options)).stdoutBytes;
  }

  /**
   * Copies a file of the host into the guest.
   *
   * @throws {InputError} when the host's file cannot be read.
   * @throws {ShellError} when the guest cannot write its.
   */
  async copyIn(hostPath: string | URL, guestPath: string, options: WriteFileOptions = {}): Promise<void> {
    this.#host.driver.assertIdle(options);
    const bytes = await Deno.readFile(hostPath).catch((error) => {
      throw hostFileError(hostPath, "read", error);
    });
    await this.writeFile(guestPath, bytes, options);
  }

  /**
   * Copies a file of the guest to the host.
   *
   * @throws {ShellError} when the guest cannot read its.
   * @throws {InputError} when the host's file cannot be written.
   */
  async copyOut(guestPath: string, hostPath: string | URL, options: WaitOptions = {}): Promise<void> {
    const bytes = await this.readFile(guestPath, options);
    await Deno.writeFile(hostPath, bytes).catch((error) => {
      throw hostFileError(hostPath, "written", error);
    });
  }

  /** Told when the machine was reset: the next command starts a shell anew. */
  forget(): void {
    this.#channel.forget();
  }

  /** Sees a start to its end; where there is no second line, on the console. */
  async #started(starting: Promise<void>): Promise<void> {
    try {
      await starting;
    } catch (error) {
      if (!(error instanceof NoLineError)) throw error;
      if (this.#only === "serial") {
        const { name } = this.#device;
        throw new InputError(
          `The guest has no second serial line that vm.shell could use: there is no /dev/${name}, or no ` +
            `stty to make it raw. The console says more. Let the kernel have the line (a driver for it, ` +
            `8250.nr_uarts=2 or more), or use the channel "console".`,
          { cause: error },
        );
      }
      this.#channel = new ConsoleChannel(this.#host);
      await this.#channel.ready();
    }
  }

  #remember(command: string, outcome: Outcome, result: ShellResult, atNs: number): void {
    if (this.#history.length === MAX_HISTORY) this.#history.shift();
    this.#history.push({
      command: shorten(command, MAX_RECORD),
      code: outcome.code,
      stdout: shorten(result.stdout, MAX_RECORD),
      stderr: shorten(result.stderr, MAX_RECORD),
      guestTime: result.guestTime,
      atNs,
    });
  }

  #failure(
    command: string,
    failed: Failure,
    result: ShellResult,
    budget: Budget,
  ): Promise<Error> {
    if (failed.kind !== "exit") return this.#error(command, MISDEEDS[failed.kind], result);
    const wanted = `${wish(command)} (${soFar("stdout", result.stdout)}, ${soFar("stderr", result.stderr)})`;
    // The last of several waits had only what the others left of the budget.
    const exit = failed.exit.kind === "guestBudget"
      ? { ...failed.exit, detail: `${formatNs(budget.guestNs)} of guest time went by; it was killed` }
      : failed.exit;
    return this.#host.failure(wanted, exit, undefined);
  }

  #error(command: string, reason: string, result: ShellResult): Promise<Error> {
    return this.#host.reported(new ShellError(command, reason, result, this.#host.report()));
  }
}

/** What a command is wanted to do, in words. */
function wish(command: string): string {
  return `the shell command ${JSON.stringify(shorten(command, 200))} to end`;
}

/** What a command did that it must not, in words. */
const MISDEEDS: Readonly<Record<Exclude<Failure["kind"], "exit">, string>> = {
  tooMuch: "printed more than is kept of a stream and was killed; let it write to a file in the guest",
  stopped: "was stopped by a signal and killed then; did it want a terminal? vm.shell has none to give",
  shellKilled: "killed the processes that serve vm.shell; the next command starts them anew",
};

/** Characters of an unfinished command's stream in a message: its end. */
const MAX_SO_FAR = 500;

function soFar(name: string, text: string): string {
  if (text === "") return `no ${name}`;
  return `${name} so far ${JSON.stringify(text.length > MAX_SO_FAR ? `…${text.slice(-MAX_SO_FAR)}` : text)}`;
}

function resultOf({ code = -1, stdout, stderr }: Outcome, guestTime: number): ShellResult {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    code,
    signal: signalOf(code),
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
    stdoutBytes: stdout,
    stderrBytes: stderr,
    guestTime,
  };
}

function checkedEnv(env: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      throw new InputError(
        `${JSON.stringify(name)} is no name of an environment variable: letters, digits and "_".`,
      );
    }
    quote(value, `The variable ${name}`);
  }
  return env;
}

function bytesOf(data: string | Uint8Array, what: string): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (data instanceof Uint8Array) return data;
  throw new InputError(`${what} is a string or a Uint8Array.`);
}

/** A path as a word that is no option. */
function fileWord(path: string): string {
  if (path === "") throw new InputError("A file's path is empty.");
  return quote(path.startsWith("-") ? `./${path}` : path, "A file's path");
}

function hostFileError(path: string | URL, what: string, error: unknown): InputError {
  const why = error instanceof Error ? error.message : String(error);
  return new InputError(`The host's file ${path} cannot be ${what}: ${why}`, { cause: error });
}
