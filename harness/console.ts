/**
 * A serial line as a person would watch and use it. The machine stops on the very instruction that finished
 * a match; what was matched is consumed, and the next wait looks on from there.
 */
import type { Timer } from "../core/clock.ts";
import type { SerialPort } from "../core/devices/serial_port.ts";
import { type GuestDuration, guestNs, type HostDuration } from "./budget.ts";
import type { Driver, WaitOptions } from "./driver.ts";
import { type BootwrightError, InputError } from "./errors.ts";
import { escapeText } from "./escapes.ts";
import type { VmExit } from "./exit.ts";
import { formatNs, shorten } from "./format.ts";
import {
  describePattern,
  type Pattern,
  type PatternMatch,
  patternSource,
  StreamMatcher,
} from "./matching/stream_matcher.ts";
import { nearestMiss } from "./matching/nearest_miss.ts";
import { keyCode } from "./keys.ts";
import { asciicast } from "./report/asciicast.ts";
import { type OutputMark, Recording } from "./recording.ts";
import { SerialInput } from "./serial_input.ts";
import type { TimelineKind } from "./timeline.ts";
import { Transcript } from "./transcript.ts";

/** What a wait found. */
export interface ConsoleHit {
  /** The pattern that matched. */
  readonly pattern: Pattern;
  /** Its place among the patterns waited for. */
  readonly index: number;
  /** The text that matched. */
  readonly text: string;
  /** What the capture groups held, the first group first; empty for those that took no part. */
  readonly groups: readonly string[];
  /** What the named groups held. */
  readonly named: Readonly<Record<string, string>>;
  /** Guest time, in ns, at which the wait ended. */
  readonly guestTimeNs: number;
  /** Instructions retired by then. */
  readonly instructions: number;
}

/** How long {@linkcode Console.waitFor} may take, and what follows the match. */
export interface ConsoleWaitOptions extends WaitOptions {
  /**
   * Guest time for which the machine runs on after the match, so that what comes with it (a second panic
   * line) is not lost.
   *
   * @default the machine stops on the instruction that completed the match
   */
  readonly linger?: GuestDuration;
}

/** For how long {@linkcode Console.never} watches. */
export interface NeverOptions {
  /** Guest time. */
  readonly during: GuestDuration;
  /** Wall time. @default the machine's `watchdog` */
  readonly watchdog?: HostDuration;
}

/** A step of a {@linkcode Console.dialogue}: what to wait for, and what to answer, if anything. */
export interface DialogueStep {
  /** The question. */
  readonly expect: Pattern | readonly Pattern[];
  /** The answer, as {@linkcode Console.type} takes it. @default none */
  readonly send?: string;
}

/** What a console needs to know of the machine it belongs to. */
export interface ConsoleHost {
  /** Moves the machine. */
  readonly driver: Driver;
  /** The error of a wait that ended as `exit` says; leaves a report. */
  failure(wanted: string, exit: VmExit, nearestMiss: string | undefined): Promise<BootwrightError>;
  /** Told of each wait that found what it wanted. @throws when the guest has failed meanwhile all the same. */
  passed(wanted: string): Promise<void>;
  /** Told of each wait and each text typed, for the command that reproduces a failure. */
  record(step: "expect" | "send", text: string): void;
  /** Told of what happens on the console. */
  event(kind: TimelineKind, text: string): void;
  /** Told of each line that the guest finished, without its end and without escape sequences. */
  line(text: string): void;
}

/** How a console keeps what was printed. */
export interface ConsoleOptions {
  /** Bytes to keep. */
  readonly transcriptBytes: number;
  /** Whether terminal escape sequences are left out of its text. */
  readonly stripAnsi: boolean;
}

/** Guest time without output after which a match that might have grown is taken as it is. */
const QUIET_NS = 10_000_000;
/** The same where guest time is real, and a slow host lets the guest print slowly. */
const REAL_QUIET_NS = 500_000_000;
/** Longest line told to {@linkcode ConsoleHost.line}; of a longer one, the end. */
const MAX_LINE = 8192;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const OUTPUT_CHUNK = 16384;

/** One serial line. */
export class Console {
  /** Called with what the guest printed, in chunks, while the machine runs. */
  onOutput: ((bytes: Uint8Array) => void) | undefined;
  readonly #host: ConsoleHost;
  readonly #transcript: Transcript;
  /** Offset of the first character that no wait has consumed. */
  #cursor = 0;
  #matcher: StreamMatcher | undefined;
  #hit: ConsoleHit | undefined;
  /** Offset after {@linkcode Console.#hit}. */
  #hitEnd = 0;
  #patterns: readonly Pattern[] = [];
  readonly #input: SerialInput;
  readonly #recording = new Recording();
  /** Who reads finished lines; says whether it has seen the last. */
  #reader: ((line: string, atNs: number | undefined) => boolean) | undefined;
  /** Offset of the line that the guest is printing. */
  #lineStart = 0;
  /** Who takes the guest's bytes in place of this console. */
  #taker: ((byte: number) => void) | undefined;
  #sentBytes = 0;
  readonly #quiet: Timer;
  readonly #timeUp: Timer;
  readonly #output = new Uint8Array(OUTPUT_CHUNK);
  #outputLength = 0;

  /** Consoles are made by {@linkcode boot}. */
  constructor(host: ConsoleHost, port: SerialPort, options: ConsoleOptions) {
    this.#host = host;
    this.#transcript = new Transcript(options.transcriptBytes, options.stripAnsi);
    const { driver } = host;
    const { clock } = driver.machine;
    this.#input = new SerialInput(clock, port, () => driver.stop());
    this.#timeUp = clock.timer(() => driver.stop());
    this.#quiet = clock.timer(() => {
      this.#found(this.#matcher?.settle());
      driver.stop();
    });
    port.onTransmit = (byte) => this.#take(byte);
  }

  /**
   * Everything printed so far, as a terminal shows it: without escape sequences. Where that is more than the machine's `transcriptBytes`, the beginning is
   * missing and a note says so.
   */
  get text(): string {
    return this.#transcript.text();
  }

  /** The bytes printed so far, as the guest sent them, within the same bound. */
  get bytes(): Uint8Array {
    return this.#transcript.raw();
  }

  /** The line that the guest has begun and not finished; empty between lines. */
  get unfinishedLine(): string {
    const from = Math.max(this.#lineStart, this.#transcript.units - MAX_LINE);
    const { text, start } = this.#transcript.since(from);
    return text.slice(start);
  }

  /** How many bytes the guest has sent so far, also those that are not kept and those that `vm.shell` took. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Bytes that {@linkcode Console.bytes} lacks at its beginning, because there were too many. */
  get droppedBytes(): number {
    return this.#transcript.droppedBytes;
  }

  /** The last `count` lines, the unfinished one included. */
  lastLines(count: number): string[] {
    return this.#transcript.lastLines(count);
  }

  /**
   * Runs the machine until what it prints, from where the last wait ended, holds a match, and stops it on the
   * instruction that completed it. Unfinished lines count. A match is complete as soon as the next character
   * could not make it longer: `/login: $/` with its blank, `/BOOT-OK (\w+)/` with the character after the
   * word, or when the guest has printed nothing for 10 ms of guest time.
   *
   * Regular expressions are multi-line. A match may span 64 KiB (4 KiB for patterns with lookaround,
   * back-references or `\b`).
   *
   * @param pattern A string, a RegExp, or several of which any will do (the first listed wins a tie).
   * @throws {WaitError} when the guest ends, hangs or spends the budget before.
   * @throws {InputError} for a pattern that can match the empty string.
   */
  async waitFor(
    pattern: Pattern | readonly Pattern[],
    options: ConsoleWaitOptions = {},
  ): Promise<ConsoleHit> {
    const { driver } = this.#host;
    driver.assertIdle(options);
    const patterns = asPatterns(pattern);
    const lingerNs = options.linger === undefined ? 0 : guestNs(options.linger);
    const matcher = new StreamMatcher(patterns);
    this.#host.record("expect", patterns.map(patternSource).join("|"));
    this.#host.event("wait", patterns.map(describePattern).join(" or "));
    const found = await this.#watch(patterns, matcher, options);
    if ("exit" in found) throw await this.#missed(patterns, found.exit);
    const { clock } = driver.machine;
    const hit = { ...found.hit, guestTimeNs: clock.nowNs, instructions: clock.instructions };
    this.#cursor = found.end;
    this.#host.event("match", hit.text);
    if (lingerNs > 0) await this.#linger(clock.nowNs + lingerNs, options);
    await this.#host.passed(inWords(patterns));
    return hit;
  }

  /**
   * Watches that the guest does not print something: neither in what is printed already and not consumed, nor
   * in the guest time to come. Consumes nothing.
   *
   * @throws {WaitError} when it is printed, or when the guest ends before.
   */
  async never(pattern: Pattern | readonly Pattern[], options: NeverOptions): Promise<void> {
    const { driver } = this.#host;
    driver.assertIdle({ within: options?.during, watchdog: options?.watchdog });
    const patterns = asPatterns(pattern);
    const matcher = new StreamMatcher(patterns);
    const wanted = `${formatNs(guestNs(options?.during))} without ${inWords(patterns)}`;
    this.#host.event("wait", wanted);
    const endNs = driver.machine.clock.nowNs + options.during.ns;
    driver.revive();
    // A pending timer: a guest that waits for nothing may do so for the time asked.
    this.#timeUp.arm(endNs);
    const found = await this.#watch(patterns, matcher, { within: options.during, watchdog: options.watchdog })
      .finally(() => this.#timeUp.disarm());
    if (!("exit" in found)) {
      const detail = `it printed ${JSON.stringify(shorten(found.hit.text, 200))}`;
      throw await this.#host.failure(wanted, { kind: "unwanted", detail }, undefined);
    }
    if (found.exit.kind !== "guestBudget") throw await this.#host.failure(wanted, found.exit, undefined);
    await this.#host.passed(wanted);
  }

  /**
   * Runs the machine and hands over each line that the guest finishes, until `take` says that it was the last;
   * the machine stops on the instruction that finished it. Lines printed already and not consumed come first,
   * without their time. What was taken is consumed.
   *
   * @param wanted What is waited for, in words.
   * @param take Takes a line without its end, and the guest time in ns at which it was finished.
   * @throws {WaitError} when the guest ends, hangs or spends the budget before.
   */
  async readLines(
    wanted: string,
    take: (line: string, atNs: number | undefined) => boolean,
    options: WaitOptions = {},
  ): Promise<void> {
    const { driver } = this.#host;
    driver.assertIdle(options);
    this.#host.event("wait", wanted);
    try {
      if (!this.#readPrinted(take)) {
        this.#reader = take;
        const exit = await driver.advance(() => this.#reader === undefined, options);
        if (exit) throw await this.#host.failure(wanted, exit, undefined);
      }
      this.#host.event("match", wanted);
    } finally {
      this.#reader = undefined;
    }
    await this.#host.passed(wanted);
  }

  /**
   * Holds a conversation: waits for each question and types its answer. The budget is each step's own.
   *
   * @example
   * ```ts
   * import { boot } from "@bootwright/bootwright";
   *
   * await using vm = await boot({ arch: "riscv64", kernel: "echo.elf" });
   * await vm.console.dialogue([
   *   { expect: "ready", send: "hello\n" },
   *   { expect: "hello", send: "quit\n" },
   *   { expect: "bye" },
   * ]);
   * ```
   * @returns what each step found.
   */
  async dialogue(steps: readonly DialogueStep[], options: WaitOptions = {}): Promise<ConsoleHit[]> {
    const hits: ConsoleHit[] = [];
    for (const { expect, send } of steps) {
      hits.push(await this.waitFor(expect, options));
      if (send !== undefined) await this.type(send, options);
    }
    return hits;
  }

  /**
   * Types text, as fast as the guest reads it, and returns when it has read all of it. No character is ever
   * dropped. Nothing is added: end a command with `"\n"`.
   *
   * @throws {WaitError} when the guest does not read it all within the budget.
   */
  async type(text: string, options: WaitOptions = {}): Promise<void> {
    this.#host.driver.assertIdle(options);
    if (typeof text !== "string") throw new InputError("type() wants a string.");
    this.#host.event("type", text);
    await this.typeUntold(text, options);
  }

  /** As {@linkcode Console.type}, but not in the timeline: for what is typed on the test's behalf. */
  async typeUntold(text: string, options: WaitOptions = {}): Promise<void> {
    const { driver } = this.#host;
    driver.assertIdle(options);
    this.#host.record("send", escapeText(text));
    const bytes = new TextEncoder().encode(text);
    if (bytes.length === 0) return;
    driver.revive();
    this.#input.send(bytes);
    const exit = await driver.advance(() => this.#input.allRead, options);
    const { unread } = this.#input;
    this.#input.cancel();
    const wanted = `the guest to read ${JSON.stringify(shorten(text, 80))}`;
    if (exit) throw await this.#host.failure(`${wanted} (${unread} bytes are unread)`, exit, undefined);
    await this.#host.passed(wanted);
  }

  /** Types a line: `text` and a line feed. As {@linkcode Console.type}. */
  async sendLine(text: string, options: WaitOptions = {}): Promise<void> {
    await this.type(`${text}\n`, options);
  }

  /**
   * Presses a key: `"ctrl-c"`, `"enter"`, `"up"`, `"f5"`, `"alt-x"`, or a character.
   *
   * @throws {InputError} for a key that is none.
   */
  async press(key: string, options: WaitOptions = {}): Promise<void> {
    await this.type(keyCode(key), options);
  }

  /** When what was printed came: marks at least 0.1 ms of guest time apart. */
  recording(): readonly OutputMark[] {
    return this.#recording.marks();
  }

  /** What was printed, as an asciicast (version 2) in guest time; `asciinema play` shows it as it came. */
  asciicast(title = "console"): string {
    const { bytes, droppedBytes } = this;
    const line = { line: 0, name: title, bytes, droppedBytes, recording: this.recording() };
    return Array.from(asciicast(line, title)).join("");
  }

  /**
   * Hands everything the guest prints here to `take`, as if there were no console.
   *
   * @returns gives the line back.
   */
  takeOver(take: (byte: number) => void): () => void {
    this.#taker = take;
    return () => {
      if (this.#taker === take) this.#taker = undefined;
    };
  }

  /** Hands over what was printed since the last call. The machine does so between slices. */
  flush(): void {
    if (this.#outputLength === 0) return;
    const chunk = this.#output.slice(0, this.#outputLength);
    this.#outputLength = 0;
    this.onOutput?.(chunk);
  }

  #take(byte: number): void {
    this.#sentBytes++;
    if (this.#taker) return this.#taker(byte);
    if (this.#outputLength === OUTPUT_CHUNK) this.flush();
    this.#output[this.#outputLength++] = byte;
    this.#recording.note(this.#host.driver.machine.clock.nowNs, this.#transcript.bytes);
    this.#transcript.append(byte, this.#onUnit);
  }

  readonly #onUnit = (unit: number): void => {
    this.#match(unit);
    if (unit === LINE_FEED) this.#endLine();
  };

  /** Tells of the line that a line feed has just finished. */
  #endLine(): void {
    const end = this.#transcript.units;
    const { text, start } = this.#transcript.since(Math.max(this.#lineStart, end - MAX_LINE), 0);
    let length = text.length - 1;
    while (length > start && text.charCodeAt(length - 1) === CARRIAGE_RETURN) length--;
    const line = text.slice(start, length);
    const reader = this.#reader;
    if (reader) {
      const consumed = Math.max(0, this.#cursor - Math.max(this.#lineStart, end - MAX_LINE));
      this.#cursor = end;
      if (reader(line.slice(consumed), this.#host.driver.machine.clock.nowNs)) {
        this.#reader = undefined;
        this.#host.driver.stop();
      }
    }
    this.#lineStart = end;
    this.#host.line(line);
  }

  #match(unit: number): void {
    const matcher = this.#matcher;
    if (!matcher || this.#hit) return;
    const transcript = this.#transcript;
    const mayMatch = matcher.feed(unit);
    if (matcher.open) {
      this.#found(matcher.extend(transcript.since(matcher.open.start).text, transcript.units));
    }
    if (mayMatch && !matcher.open && !this.#hit) {
      const from = Math.max(this.#cursor, transcript.units - matcher.window);
      const { text, start } = transcript.since(from);
      this.#found(matcher.search(text, start, transcript.units));
    }
    if (this.#hit) this.#host.driver.stop();
    else this.#awaitQuiet();
  }

  /** Runs the machine until the patterns match; says what was found and where it ends, or why nothing was. */
  async #watch(
    patterns: readonly Pattern[],
    matcher: StreamMatcher,
    options: WaitOptions,
  ): Promise<{ hit: ConsoleHit; end: number } | { exit: VmExit }> {
    this.#patterns = patterns;
    this.#hit = undefined;
    this.#matcher = matcher;
    try {
      this.#replay(matcher);
      const exit = await this.#host.driver.advance(() => this.#hit !== undefined, options);
      this.#found(matcher.settle());
      return this.#hit ? { hit: this.#hit, end: this.#hitEnd } : { exit: exit! };
    } finally {
      this.#matcher = undefined;
      this.#quiet.disarm();
    }
  }

  /** Runs on after a match. What comes of it is the next wait's affair. */
  async #linger(endNs: number, options: WaitOptions): Promise<void> {
    const { driver } = this.#host;
    this.#timeUp.arm(endNs);
    try {
      await driver.advance(() => driver.machine.clock.nowNs >= endNs, {
        within: { clock: "guest", ns: endNs - driver.machine.clock.nowNs },
        watchdog: options.watchdog,
      });
    } finally {
      this.#timeUp.disarm();
    }
  }

  /** Feeds what is printed already but not consumed, as if it arrived now. */
  #replay(matcher: StreamMatcher): void {
    if (this.#cursor === this.#transcript.units) return;
    const { text, start } = this.#transcript.since(this.#cursor);
    const base = this.#transcript.units - text.length;
    for (let i = start; i < text.length && !this.#hit; i++) {
      const mayMatch = matcher.feed(text.charCodeAt(i));
      if (!mayMatch && !matcher.open) continue;
      const soFar = text.slice(0, i + 1);
      if (matcher.open) this.#found(matcher.extend(soFar, base + i + 1));
      if (mayMatch && !matcher.open && !this.#hit) {
        this.#found(matcher.search(soFar, Math.max(start, i + 1 - matcher.window), base + i + 1));
      }
    }
    this.#awaitQuiet();
  }

  /** Hands over the lines that are printed already; says whether the last was among them. */
  #readPrinted(take: (line: string, atNs: number | undefined) => boolean): boolean {
    const { text, start } = this.#transcript.since(this.#cursor);
    for (let from = start, end; (end = text.indexOf("\n", from)) !== -1; from = end + 1) {
      this.#cursor = this.#transcript.units - text.length + end + 1;
      if (take(text.slice(from, end).replace(/\r+$/, ""), undefined)) return true;
    }
    return false;
  }

  /** An open match is settled for when nothing more comes. */
  #awaitQuiet(): void {
    if (!this.#matcher?.open) return;
    const { engine, machine } = this.#host.driver;
    this.#quiet.arm(machine.clock.nowNs + (engine.deterministic ? QUIET_NS : REAL_QUIET_NS));
  }

  #found(found: PatternMatch | undefined): void {
    if (!found) return;
    this.#hitEnd = found.end;
    this.#hit = {
      pattern: this.#patterns[found.pattern],
      index: found.pattern,
      text: found.match[0],
      groups: found.match.slice(1).map((group) => group ?? ""),
      named: { ...found.match.groups },
      guestTimeNs: 0,
      instructions: 0,
    };
  }

  #missed(patterns: readonly Pattern[], exit: VmExit): Promise<BootwrightError> {
    const { text, start } = this.#transcript.since(this.#cursor);
    return this.#host.failure(inWords(patterns), exit, nearestMiss(patterns, text.slice(start)));
  }
}

function inWords(patterns: readonly Pattern[]): string {
  return `${patterns.map(describePattern).join(" or ")} on the console`;
}

function asPatterns(pattern: Pattern | readonly Pattern[]): readonly Pattern[] {
  return Array.isArray(pattern) ? pattern as readonly Pattern[] : [pattern as Pattern];
}
