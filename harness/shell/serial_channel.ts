/**
 * Runs commands on the second serial line, by the protocol that `protocol.ts` describes. Everything here happens
 * at guest times that depend on the guest and the test alone, so runs repeat to the instruction.
 */
import type { Timer } from "../../core/clock.ts";
import { guest, host } from "../budget.ts";
import type { WaitOptions } from "../driver.ts";
import { InputError } from "../errors.ts";
import type { VmExit } from "../exit.ts";
import { ByteSink } from "./byte_sink.ts";
import { Budget, type Channel, type Failure, type Outcome, type Request, type ShellHost } from "./channel.ts";
import { Exchange, type StreamName } from "./exchange.ts";
import { FrameParser, type Mark } from "./frames.ts";
import { LineInput } from "./line_input.ts";
import {
  codePiece,
  jobCode,
  killCode,
  launcher,
  LINE_IS,
  type LineDevice,
  MARK,
  NO_LINE,
  nonceOf,
  PIECES_CODE,
  prefixOf,
  pumpCode,
  RETIRE_CODE,
  serverCode,
  stdinPiece,
  switchCode,
} from "./protocol.ts";
import { quotePrintf } from "./quoting.ts";

/** The guest has no second line that could be used, but a shell listens on its console. */
export class NoLineError extends Error {}

/** Bytes in one go: well below what Linux' terminal layer holds (64 KiB). */
const PIECE_BYTES = 4096;
/** For a shell to come up, and for one that was told to kill a command to have done so. */
const START_WITHIN = guest("10s");
const KILL_WITHIN = guest("5s");
const KILL_WATCHDOG = host("30s");
/** Bytes to show of what else came. */
const MAX_STRAY = 200;
/** For the guard to start over. */
const RESTART_WITHIN = guest("10s");
/** Guest time after which a console that said there is no line has said it. */
const VERDICT_WITHIN = guest("500ms");

/** The channel. */
export class SerialChannel implements Channel {
  readonly #host: ShellHost;
  readonly #device: LineDevice;
  #input: LineInput | undefined;
  /** Gives the line back to its console. */
  #release = () => {};
  #parser: FrameParser | undefined;
  #prefix = "";
  /** The nonce of the keeper's greeting. */
  #launchNonce = "";
  #nonce = "";
  /** The one before; its marks may still come, and are nobody's. */
  #pastNonce = "";
  #nonces = 0;
  #state: "off" | "ready" | "unsure" = "off";
  /** What came while the shell started, and was no mark. */
  #stray = new ByteSink(MAX_STRAY);
  #greeted = false;
  #pumps: { stdout?: number; stderr?: number } = {};
  #lineIs: number | undefined;
  #exchange: Exchange | undefined;
  /** The stream that followed at the end of the last command; undefined where that is not known. */
  #current: StreamName | undefined;
  /** When that was. */
  #endNs = 0;
  readonly #poll: Timer;

  constructor(host: ShellHost, device: LineDevice) {
    this.#host = host;
    this.#device = device;
    this.#poll = host.driver.machine.clock.timer(() => this.#onPoll());
  }

  forget(): void {
    this.#state = "off";
    this.#input?.clear();
  }

  ready(): Promise<void> | undefined {
    return this.#state === "ready" ? undefined : this.#makeReady();
  }

  async run(request: Request, budget: Budget): Promise<Outcome> {
    for (;;) {
      const exchange = this.#begin(request.limit);
      const failed = await this.#converse(exchange, request, budget);
      this.#poll.disarm();
      if (exchange.leftover && !failed) {
        await this.#retire();
        continue;
      }
      return {
        code: failed ? undefined : exchange.code,
        stdout: exchange.stdout.sink.bytes(),
        stderr: exchange.stderr.sink.bytes(),
        failed,
      };
    }
  }

  /** Sends a command and hears it out. Leaves the channel fit for the next one wherever it can be. */
  async #converse(exchange: Exchange, request: Request, budget: Budget): Promise<Failure | undefined> {
    this.#state = "unsure";
    const heard = () => exchange.over || exchange.overflowed || exchange.lost || this.#greeted;
    const { pieces, last } = letters(this.#nonce, exchange.current === undefined, request);
    let exit: VmExit | undefined;
    let sent = 0;
    for (const piece of pieces) {
      this.#write(...piece);
      sent++;
      exit = await this.#until(() => exchange.pieces === sent || heard(), budget.options);
      if (exit || heard()) break;
    }
    if (!exit && !heard()) {
      this.#write(last);
      this.#poll.arm(this.#nowNs + exchange.pollNs);
      exit = await this.#until(heard, budget.options);
    }
    if (this.#greeted) {
      await this.#meet(budget.options);
      return { kind: "shellKilled" };
    }
    if (!exit && exchange.over) {
      this.#state = "ready";
      this.#current = exchange.current;
      this.#endNs = this.#nowNs;
      return undefined;
    }
    if (exchange.lost === "deaf") {
      this.forget();
      return { kind: "shellKilled" };
    }
    const ended = this.#host.driver.machine.exit;
    if (!ended && exit?.kind !== "panic") await this.#kill(exchange);
    if (exit) return { kind: "exit", exit };
    if (exchange.lost === "stopped") return { kind: "stopped" };
    // Its code is that of the kill just now.
    if (exchange.lost === "gone" && exchange.over) return undefined;
    return { kind: exchange.overflowed ? "tooMuch" : "shellKilled" };
  }

  /** Kills what is under way and hears out what it has printed. Returns whether a server listens now. */
  async #kill(exchange: Exchange): Promise<boolean> {
    const budget = new Budget(this.#host.driver.machine.clock, {
      within: KILL_WITHIN,
      watchdog: KILL_WATCHDOG,
    });
    this.#renew();
    this.#write(killCode(this.#nonce));
    this.#poll.arm(this.#nowNs + exchange.pollNs);
    const exit = await this.#until(() => exchange.over || this.#greeted, budget.options);
    this.#poll.disarm();
    if (exit) return false;
    if (this.#greeted) await this.#meet(budget.options);
    this.#state = "ready";
    return true;
  }

  /** Finds out what became of a server that was interrupted, and starts one where none listens. */
  async #makeReady(): Promise<void> {
    if (this.#state === "unsure") {
      if (!await this.#kill(this.#begin(1))) this.forget();
    }
    if (this.#state === "off") await this.#launch();
  }

  /** Types the launcher at the console's prompt. */
  async #launch(): Promise<void> {
    const { driver, console, line } = this.#host;
    const { clock } = driver.machine;
    const port = driver.board.serial[1];
    if (line === undefined || port === undefined) throw new NoLineError();
    const seed = `${clock.instructions} ${clock.nowNs}`;
    this.#prefix = prefixOf(seed);
    this.#launchNonce = this.#nonce = nonceOf(`${seed} launch`);
    this.#parser = new FrameParser(this.#prefix, {
      data: (byte) => this.#exchange ? this.#exchange.data(byte) : this.#stray.add(byte),
      mark: (mark) => this.#onMark(mark),
    });
    this.#release();
    const release = line.takeOver((byte) => this.#onByte(byte));
    const input = this.#input = new LineInput(port);
    this.#release = () => {
      release();
      input.release();
    };
    this.#greeted = false;
    this.#exchange = undefined;
    this.#stray = new ByteSink(MAX_STRAY);
    const budget = new Budget(clock, { within: START_WITHIN });
    this.#host.event("note", `vm.shell starts on ${this.#device.name}, by a line typed at the prompt`);
    await console.typeUntold(`${launcher(this.#device, this.#prefix, this.#nonce)}\n`, budget.options);
    const greeted = () => this.#greeted;
    let exit = await this.#until(greeted, { within: VERDICT_WITHIN });
    if (exit && console.lastLines(10).join("\n").includes(NO_LINE)) {
      this.#release();
      throw new NoLineError();
    }
    if (exit?.kind === "guestBudget") exit = await this.#until(greeted, budget.options);
    if (exit) {
      this.#release();
      throw await this.#host.failure(this.#wish(), exit, undefined);
    }
    await this.#meet(budget.options);
  }

  /** Sets up pumps and server after the keeper's greeting. */
  async #meet(options: WaitOptions): Promise<void> {
    this.#state = "unsure";
    this.#greeted = false;
    this.#exchange = undefined;
    this.#pumps = {};
    this.#lineIs = undefined;
    this.#pastNonce = this.#nonce;
    this.#nonce = this.#launchNonce;
    this.#write(pumpCode(this.#prefix, this.#nonce));
    const havePumps = () => this.#pumps.stdout !== undefined && this.#pumps.stderr !== undefined;
    let exit = await this.#until(havePumps, options);
    if (!exit) {
      const { stdout, stderr } = this.#pumps;
      this.#write(serverCode(this.#device, this.#prefix, this.#nonce, stdout!, stderr!));
      exit = await this.#until(() => this.#lineIs !== undefined, options);
    }
    if (exit) {
      this.#state = "off";
      throw await this.#host.failure(this.#wish(), exit, undefined);
    }
    if (this.#lineIs !== LINE_IS.free) {
      this.#state = "off";
      this.#release();
      throw new InputError(this.#lineIs === LINE_IS.taken ? this.#takenLine : this.#kernelConsole);
    }
    this.#state = "ready";
  }

  /** Leaves the pipes to the processes that hold them. */
  async #retire(): Promise<void> {
    this.#state = "unsure";
    this.#write(RETIRE_CODE);
    const exit = await this.#until(() => this.#greeted, { within: RESTART_WITHIN });
    if (!exit) return await this.#meet({ within: START_WITHIN });
    if (exit.kind !== "guestBudget") throw await this.#host.failure(this.#wish(), exit, undefined);
    // Somebody has killed the guard.
    this.forget();
    await this.#launch();
  }

  #begin(limit: number): Exchange {
    this.#renew();
    // Nobody can have printed anything since if no time has passed.
    const current = this.#endNs === this.#nowNs ? this.#current : undefined;
    this.#current = undefined;
    this.#exchange = new Exchange(
      limit,
      current,
      (to, check) => this.#write(switchCode(to, check)),
    );
    return this.#exchange;
  }

  /** Takes a new nonce. */
  #renew(): void {
    this.#pastNonce = this.#nonce;
    this.#nonce = nonceOf(`${this.#prefix} ${++this.#nonces}`);
  }

  #onByte(byte: number): void {
    this.#parser!.take(byte);
    if (this.#exchange?.overflowed) this.#host.driver.stop();
  }

  #onMark(mark: Mark): boolean {
    if (mark.nonce === this.#launchNonce && this.#onLaunchMark(mark)) {
      this.#host.driver.stop();
      return true;
    }
    if (mark.nonce !== this.#nonce) return mark.nonce === this.#pastNonce;
    const exchange = this.#exchange;
    if (!exchange?.mark(mark)) return false;
    if (exchange.over || exchange.lost || mark.letter === MARK.piece) this.#host.driver.stop();
    return true;
  }

  #onLaunchMark({ letter, number }: Mark): boolean {
    switch (letter) {
      case MARK.hello:
        this.#greeted = true;
        return true;
      case MARK.stdoutPump:
        this.#pumps.stdout = number;
        return true;
      case MARK.stderrPump:
        this.#pumps.stderr = number;
        return true;
      case MARK.ready:
        this.#lineIs = number;
        return true;
    }
    return false;
  }

  #onPoll(): void {
    const exchange = this.#exchange;
    if (!exchange || exchange.over) return;
    exchange.poll();
    if (exchange.lost) this.#host.driver.stop();
    this.#poll.arm(this.#nowNs + exchange.pollNs);
  }

  get #nowNs(): number {
    return this.#host.driver.machine.clock.nowNs;
  }

  /** What a start wants, and what came instead. */
  #wish(): string {
    const { name } = this.#device;
    const wish = `a shell on the guest's second serial line. It takes a shell prompt on the console ` +
      `(await vm.console.waitFor(/# $/) first), setsid, stty and cat in the guest, and /dev/${name}`;
    const stray = new TextDecoder().decode(this.#stray.bytes());
    return stray === "" ? wish : `${wish}, which nobody else may use: ${JSON.stringify(stray)} came there`;
  }

  get #kernelConsole(): string {
    const { name } = this.#device;
    return `The guest's kernel prints its messages on ${name}, where vm.shell is to work; boot it without ` +
      `console=${name}, or let the shell use the console.`;
  }

  get #takenLine(): string {
    const { name } = this.#device;
    return `${name} is the terminal of another session in the guest; let no getty or shell run there, or let ` +
      `vm.shell use the console.`;
  }

  #write(...parts: readonly (string | Uint8Array)[]): void {
    this.#host.driver.revive();
    for (const part of parts) {
      this.#input!.send(typeof part === "string" ? new TextEncoder().encode(part) : part);
    }
  }

  #until(done: () => unknown, options: WaitOptions): Promise<VmExit | undefined> {
    return this.#host.driver.advance(() => Boolean(done()), options);
  }
}

/** What is sent for a command: pieces that are acknowledged one by one, and then what runs it. */
function letters(
  nonce: string,
  anew: boolean,
  request: Request,
): { pieces: Iterable<readonly (string | Uint8Array)[]>; last: string } {
  const { stdin } = request;
  const stdinPieces = Math.ceil(stdin.length / PIECE_BYTES);
  const code = jobCode(nonce, anew, { ...request, stdinPieces });
  const codePieces = code.length > PIECE_BYTES ? split(code, PIECE_BYTES) : [];
  function* pieces() {
    for (let i = 0; i < stdinPieces; i++) {
      const [before, after] = stdinPiece(nonce, i + 1);
      yield [before, quotePrintf(stdin.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES)), after];
    }
    for (let i = 0; i < codePieces.length; i++) {
      yield [codePiece(nonce, stdinPieces + i + 1, i === 0, codePieces[i])];
    }
  }
  return { pieces: pieces(), last: codePieces.length > 0 ? PIECES_CODE : code };
}

/** Splits a text, but no character of it. */
function split(text: string, length: number): string[] {
  const found: string[] = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(at + length, text.length);
    const code = text.charCodeAt(end - 1);
    if (end < text.length && code >= 0xd800 && code < 0xdc00) end--;
    found.push(text.slice(at, end));
    at = end;
  }
  return found;
}
