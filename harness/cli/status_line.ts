/**
 * One line on stderr, while that is a terminal, that says how the guest fares. It gives way to console output:
 * it is erased before any, and drawn again only where the console's cursor stands at the start of a line.
 */
import { formatNs } from "../format.ts";

const INTERVAL_MS = 100;
const ERASE = new TextEncoder().encode("\r\x1b[K");

/** What the line shows. */
export interface Progress {
  readonly guestTimeNs: number;
  readonly instructions: number;
}

/** The status line of one run. */
export class StatusLine {
  /** What is being waited for. */
  state = "booting";
  readonly #enabled = Deno.stderr.isTerminal();
  readonly #sharesTerminal = Deno.stdout.isTerminal();
  readonly #progress: () => Progress;
  #timer: ReturnType<typeof setInterval> | undefined;
  #drawn = false;
  #lineStart = true;
  #lastMs = performance.now();
  #lastInstructions = 0;

  constructor(progress: () => Progress) {
    this.#progress = progress;
    if (this.#enabled) this.#timer = setInterval(() => this.#draw(), INTERVAL_MS);
  }

  /** Makes way for console output that ends as `bytes` does. */
  beforeOutput(bytes: Uint8Array): void {
    this.#lineStart = bytes.at(-1) === 0x0a;
    if (this.#sharesTerminal) this.#erase();
  }

  /** Erases the line for good. */
  close(): void {
    if (this.#timer !== undefined) clearInterval(this.#timer); // loading timers takes ms
    this.#erase();
  }

  #draw(): void {
    if (this.#sharesTerminal && !this.#lineStart) return;
    const { guestTimeNs, instructions } = this.#progress();
    const now = performance.now();
    const perSecond = (instructions - this.#lastInstructions) / (now - this.#lastMs) / 1000;
    this.#lastMs = now;
    this.#lastInstructions = instructions;
    const speed = instructions > 0 ? ` · ${perSecond.toFixed(0)} M instructions/s` : ""; // not all engines count
    const line = `guest ${formatNs(guestTimeNs)}${speed} · ${this.state}`;
    const columns = Deno.consoleSize().columns || 80; // a terminal that does not know its size says 0
    this.#erase();
    Deno.stderr.writeSync(new TextEncoder().encode(line.slice(0, columns - 1)));
    this.#drawn = true;
  }

  #erase(): void {
    if (this.#drawn) Deno.stderr.writeSync(ERASE);
    this.#drawn = false;
  }
}
