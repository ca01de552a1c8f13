/**
 * Runs commands at the prompt of the main console, for guests without a second serial line. It shares the line
 * with the kernel, with whatever else prints there, and with the test, and what it types and gets shows in the
 * console's text: a fallback, with limits. The console must be at its prompt whenever a command begins; the
 * guest needs `od` and `tr`, and memory for four times the output; signals reach a command that is not over in
 * time only as ctrl-C, so one that ignores it stays in the way.
 *
 * What the guest's shell is taught, and an answer to `bw 4f e0`, which is typed with its mark in two halves so
 * that the echo is never taken for the answer:
 *
 *     4fe0{6869z0.0agv}12;
 *
 * stdout in hexadecimal, the exit code between z and a full stop wherever it came, stderr in hexadecimal with
 * the letters g to v, and the length of all that. A kernel message that falls into an answer holds a character
 * that no answer has, or changes the length: such an answer is not taken, and `bp` has it printed again.
 */
import type { Timer } from "../../core/clock.ts";
import { guest } from "../budget.ts";
import { InputError } from "../errors.ts";
import type { VmExit } from "../exit.ts";
import { ByteSink } from "./byte_sink.ts";
import { Budget, type Channel, type Failure, type Outcome, type Request, type ShellHost } from "./channel.ts";
import { KILLED, sessionName } from "./protocol.ts";
import { quote } from "./quoting.ts";

/**
 * bw runs the command of $bs with the standard input of $bi (formats of printf) and keeps the answer; bp prints
 * it.
 */
const TEACH = `bw(){ bo=$({ { { printf "$bi"|sh -c "$(printf "$bs")" 3>&- 4>&-;printf "z%d." $? >&4;} ` +
  `2>&1 >&3 3>&-|od -An -v -tx1|tr -d " \\n"|tr 0-9a-f g-v >&4;} 3>&1|od -An -v -tx1|tr -d " \\n" >&4;} 4>&1)` +
  `;bp $1 $2;};bp(){ printf "\\n%s%s{%s}%d;\\n" $1 $2 "$bo" \${#bo};}\n`;

/** Characters in one typed line: interactive shells take about 1,000. */
const LINE = 500;
/** Bytes of standard input, and of a file written: they are typed. */
const MAX_STDIN = 64 << 10;
/** Guest time after which the answer is asked for again, at first. */
const AGAIN_NS = 1e9;
/** For a guest to show its prompt after ctrl-C. */
const INTERRUPT_WITHIN = guest("5s");
/** Bytes of either stream: the guest's shell holds the answer in memory. */
const MAX_OUTPUT = 1 << 20;
const SEMICOLON = 0x3b;
const LINE_FEED = 0x0a;

/** The channel. */
export class ConsoleChannel implements Channel {
  readonly #host: ShellHost;
  #limit = MAX_OUTPUT;
  #taught = false;
  #marks = 0;
  #mark = "";
  /** The line that the guest is printing: an answer is one line. */
  #line: ByteSink;
  #answer: string | undefined;
  #againNs = 0;
  #askAgain = false;
  readonly #again: Timer;

  constructor(host: ShellHost) {
    this.#host = host;
    this.#line = this.#newLine();
    this.#again = host.driver.machine.clock.timer(() => {
      this.#askAgain = true;
      host.driver.stop();
    });
  }

  forget(): void {
    this.#taught = false;
  }

  ready(): Promise<void> | undefined {
    return this.#taught ? undefined : this.#teach();
  }

  async #teach(): Promise<void> {
    await this.#host.console.typeUntold(TEACH);
    this.#taught = true;
  }

  async run(request: Request, budget: Budget): Promise<Outcome> {
    const { stdin } = request;
    if (stdin.length > MAX_STDIN) {
      throw new InputError(
        `On the console the shell types what a command reads: at most ${MAX_STDIN} bytes, not ${stdin.length}.`,
      );
    }
    this.#limit = Math.min(request.limit, MAX_OUTPUT);
    this.#mark = sessionName(`${this.#host.driver.machine.clock.instructions} ${++this.#marks}`, 8);
    this.#line = this.#newLine();
    this.#answer = undefined;
    const port = this.#host.driver.board.serial[0];
    const { onTransmit } = port;
    port.onTransmit = (byte) => {
      onTransmit(byte);
      this.#onByte(byte);
    };
    try {
      await this.#type("bs", new TextEncoder().encode(script(request)), budget);
      await this.#type("bi", stdin, budget);
      await this.#host.console.typeUntold(`bw ${this.#halves}\n`, budget.options);
      const exit = await this.#hear(budget);
      const tooMuch = this.#line.overflowed;
      if ((exit || tooMuch) && !this.#host.driver.machine.exit && exit?.kind !== "panic") {
        await this.#interrupt();
      }
      return outcomeOf(
        this.#answer,
        exit ? { kind: "exit", exit } : tooMuch ? { kind: "tooMuch" } : undefined,
      );
    } finally {
      this.#again.disarm();
      port.onTransmit = onTransmit;
    }
  }

  /** Sets a variable of the console's shell to a format of printf that prints the bytes. */
  async #type(variable: string, bytes: Uint8Array, budget: Budget): Promise<void> {
    let line = `${variable}='`;
    for (const byte of bytes) {
      line += escaped(byte);
      if (line.length >= LINE) {
        await this.#host.console.typeUntold(`${line}'\n`, budget.options);
        line = `${variable}="$${variable}"'`;
      }
    }
    await this.#host.console.typeUntold(`${line}'\n`, budget.options);
  }

  /** Waits for an answer that nothing fell into. */
  async #hear(budget: Budget): Promise<VmExit | undefined> {
    const { driver, console } = this.#host;
    const heard = () => this.#answer !== undefined || this.#line.overflowed;
    this.#againNs = AGAIN_NS;
    for (;;) {
      this.#askAgain = false;
      this.#again.arm(driver.machine.clock.nowNs + this.#againNs);
      const exit = await driver.advance(() => heard() || this.#askAgain, budget.options);
      this.#again.disarm();
      if (exit || heard()) return exit;
      this.#againNs *= 2;
      await console.typeUntold(`bp ${this.#halves}\n`, budget.options);
    }
  }

  /** Presses ctrl-C, and lets the prompt come. */
  async #interrupt(): Promise<void> {
    this.#line = this.#newLine();
    const budget = new Budget(this.#host.driver.machine.clock, { within: INTERRUPT_WITHIN });
    await this.#host.console.typeUntold(`\x03\nbo=;bp ${this.#halves}\n`, budget.options);
    await this.#host.driver.advance(() => this.#answer !== undefined, budget.options);
    this.#answer = undefined;
  }

  get #halves(): string {
    return `${this.#mark.slice(0, 4)} ${this.#mark.slice(4)}`;
  }

  #onByte(byte: number): void {
    if (byte === LINE_FEED) this.#line = this.#newLine();
    else this.#line.add(byte);
    if (this.#line.overflowed) return this.#host.driver.stop();
    if (byte !== SEMICOLON) return;
    const text = new TextDecoder().decode(this.#line.bytes());
    const [, payload, length] = new RegExp(`^${this.#mark}\\{([0-9a-vz.]*)\\}(\\d+);$`).exec(text) ?? [];
    if (payload === undefined || payload.length !== Number(length)) return;
    this.#answer = payload;
    this.#host.driver.stop();
  }

  /** Two digits for a byte of either stream, and what goes around them. */
  #newLine(): ByteSink {
    return new ByteSink(4 * this.#limit + 64);
  }
}

/** A byte in a format of printf between single quotes, as any shell's line editor takes it. */
function escaped(byte: number): string {
  const plain = byte >= 0x20 && byte < 0x7f && !`'\\%-!`.includes(String.fromCharCode(byte));
  return plain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`;
}

/** The command with its surroundings as one text for `sh -c`. */
function script({ command, env, cwd }: Request): string {
  const settings = Object.entries(env).map(([name, value]) =>
    `${name}=${quote(value, `The variable ${name}`)} `
  );
  const folder = cwd === undefined ? "" : `cd -- ${quote(cwd, "A working folder")} && `;
  if (settings.length === 0 && folder === "") return command;
  return `${folder}${settings.join("")}exec sh -c ${quote(command, "A command")}`;
}

/** Takes an answer apart. */
function outcomeOf(answer: string | undefined, failed: Failure | undefined): Outcome {
  const stdout: number[] = [], stderr: number[] = [];
  const [, code] = /z(\d+)\./.exec(answer ?? "") ?? [];
  const text = (answer ?? "").replace(/z\d+\./, "");
  unhex(text.replace(/[g-v]/g, ""), "0123456789abcdef", stdout);
  unhex(text.replace(/[0-9a-f]/g, ""), "ghijklmnopqrstuv", stderr);
  return {
    // Without a code the command killed the shell that would have reported it.
    code: failed ? undefined : code === undefined ? KILLED : Number(code),
    stdout: Uint8Array.from(stdout),
    stderr: Uint8Array.from(stderr),
    failed,
  };
}

function unhex(text: string, digits: string, bytes: number[]): void {
  for (let i = 0; i + 1 < text.length; i += 2) {
    bytes.push(digits.indexOf(text[i]) << 4 | digits.indexOf(text[i + 1]));
  }
}
