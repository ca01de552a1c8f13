/**
 * A serial line as a person would watch and use it. The machine stops on the very instruction that finished
 * a match; what was matched is consumed, and the next wait looks on from there.
 */
import type { Timer } from "../core/clock.ts";
import type { SerialPort } from "../core/devices/serial_port.ts";
import type { Driver, WaitOptions } from "./driver.ts";
import { InputError, type MachineReport, WaitError } from "./errors.ts";
import { escapeText } from "./escapes.ts";
import type { VmExit } from "./exit.ts";
import { shorten } from "./format.ts";
import {
  describePattern,
  type Pattern,
  type PatternMatch,
  patternSource,
  StreamMatcher,
} from "./matching/stream_matcher.ts";
import { nearestMiss } from "./matching/nearest_miss.ts";
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

/** What a console needs to know of the machine it belongs to. */
export interface ConsoleHost {
  /** Moves the machine. */
  readonly driver: Driver;
  /** The machine's facts, for errors. */
  report(): MachineReport;
  /** Told of each wait and each text typed, for the command that reproduces a failure. */
  record(step: "expect" | "send", text: string): void;
}

/** Guest time from one typed character to the next: about one megabaud, so that no guest is overrun. */
const CHARACTER_NS = 10_000;
/** Guest time without output after which a match that might have grown is taken as it is. */
const QUIET_NS = 10_000_000;
const OUTPUT_CHUNK = 65536;

/** One serial line. */
export class Console {
  /** Called with what the guest printed, in chunks, while the machine runs. */
  onOutput: ((bytes: Uint8Array) => void) | undefined;
  readonly #host: ConsoleHost;
  readonly #port: SerialPort;
  readonly #transcript: Transcript;
  /** Offset of the first character that no wait has consumed. */
  #cursor = 0;
  #matcher: StreamMatcher | undefined;
  #hit: ConsoleHit | undefined;
  #patterns: readonly Pattern[] = [];
  #typed: Uint8Array = new Uint8Array();
  #delivered = 0;
  readonly #pace: Timer;
  readonly #quiet: Timer;
  readonly #output = new Uint8Array(OUTPUT_CHUNK);
  #outputLength = 0;

  /** Consoles are made by {@linkcode boot}. */
  constructor(host: ConsoleHost, port: SerialPort, transcriptBytes: number) {
    this.#host = host;
    this.#port = port;
    this.#transcript = new Transcript(transcriptBytes);
    const { driver } = host;
    this.#pace = driver.machine.clock.timer(() => this.#deliver());
    this.#quiet = driver.machine.clock.timer(() => {
      this.#found(this.#matcher?.settle());
      driver.stop();
    });
    port.onTransmit = (byte) => this.#take(byte);
    port.onReceiveSpace = () => this.#spaceAppeared();
  }

  /**
   * Everything printed so far. Where that is more than the machine's `transcriptBytes`, the beginning is
   * missing and a note says so.
   */
  get text(): string {
    return this.#transcript.text();
  }

  /** The bytes printed so far, as the guest sent them, within the same bound. */
  get bytes(): Uint8Array {
    return this.#transcript.raw();
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
   * @throws {InputError} for a pattern that matches the empty string.
   */
  async waitFor(pattern: Pattern | readonly Pattern[], options: WaitOptions = {}): Promise<ConsoleHit> {
    const { driver } = this.#host;
    driver.assertIdle();
    const patterns = Array.isArray(pattern) ? pattern as readonly Pattern[] : [pattern as Pattern];
    const matcher = new StreamMatcher(patterns);
    this.#host.record("expect", patterns.map(patternSource).join("|"));
    this.#patterns = patterns;
    this.#hit = undefined;
    this.#matcher = matcher;
    try {
      this.#replay(matcher);
      const exit = await driver.advance(() => this.#hit !== undefined, options);
      this.#found(matcher.settle());
      if (exit && !this.#hit) throw this.#missed(patterns, exit);
    } finally {
      this.#matcher = undefined;
      this.#quiet.disarm();
    }
    const { clock } = driver.machine;
    return { ...this.#hit!, guestTimeNs: clock.nowNs, instructions: clock.instructions };
  }

  /**
   * Types text, as fast as the guest reads it, and returns when it has read all of it. No character is ever
   * dropped. Nothing is added: end a command with `"\n"`.
   *
   * @throws {WaitError} when the guest does not read it all within the budget.
   */
  async type(text: string, options: WaitOptions = {}): Promise<void> {
    const { driver } = this.#host;
    driver.assertIdle();
    if (typeof text !== "string") throw new InputError("type() wants a string.");
    this.#host.record("send", escapeText(text));
    this.#typed = new TextEncoder().encode(text);
    this.#delivered = 0;
    if (this.#typed.length === 0) return;
    driver.revive();
    this.#spaceAppeared();
    const exit = await driver.advance(() => this.#allRead(), options);
    const unread = this.#typed.length - this.#delivered + this.#port.unread;
    this.#typed = new Uint8Array();
    this.#pace.disarm();
    if (exit) {
      const wanted = `the guest to read ${JSON.stringify(shorten(text, 80))} (${unread} bytes are unread)`;
      throw new WaitError(wanted, exit, undefined, this.#host.report());
    }
  }

  /** Hands over what was printed since the last call. The machine does so between slices. */
  flush(): void {
    if (this.#outputLength === 0) return;
    const chunk = this.#output.slice(0, this.#outputLength);
    this.#outputLength = 0;
    this.onOutput?.(chunk);
  }

  #take(byte: number): void {
    if (this.#outputLength === OUTPUT_CHUNK) this.flush();
    this.#output[this.#outputLength++] = byte;
    this.#transcript.append(byte, this.#onUnit);
  }

  readonly #onUnit = (unit: number): void => {
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
  };

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

  /** An open match is settled for when nothing more comes. */
  #awaitQuiet(): void {
    if (this.#matcher?.open) this.#quiet.arm(this.#host.driver.machine.clock.nowNs + QUIET_NS);
  }

  #found(found: PatternMatch | undefined): void {
    if (!found) return;
    this.#cursor = found.end;
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

  #missed(patterns: readonly Pattern[], exit: VmExit): WaitError {
    const wanted = patterns.map(describePattern).join(" or ") + " on the console";
    const { text, start } = this.#transcript.since(this.#cursor);
    return new WaitError(wanted, exit, nearestMiss(patterns, text.slice(start)), this.#host.report());
  }

  #allRead(): boolean {
    return this.#delivered === this.#typed.length && this.#port.unread === 0;
  }

  /** Hands the guest the next character, and sees to the one after it. */
  #deliver(): void {
    if (this.#delivered < this.#typed.length && this.#port.receive(this.#typed[this.#delivered])) {
      this.#delivered++;
    }
    if (this.#delivered < this.#typed.length && this.#port.space > 0) {
      this.#pace.arm(this.#host.driver.machine.clock.nowNs + CHARACTER_NS);
    }
  }

  #spaceAppeared(): void {
    if (this.#delivered < this.#typed.length) {
      if (this.#pace.dueNs === Infinity && this.#port.space > 0) {
        this.#pace.arm(this.#host.driver.machine.clock.nowNs + CHARACTER_NS);
      }
    } else if (this.#typed.length > 0 && this.#port.unread === 0) {
      this.#host.driver.stop();
    }
  }
}
