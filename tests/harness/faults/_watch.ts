/** A machine made of nothing but a console: feeds `Faults` lines at the guest times that they tell. */
import { type FaultOptions, Faults } from "../../../harness/faults/faults.ts";

/** Faults and what they asked of their machine. */
export class Watch {
  readonly faults: Faults;
  /** Guest time. */
  atNs = 0;
  /** How often the wait under way was ended. */
  stops = 0;
  /** Guest time of silence last asked for, in ns. */
  quietNs: number | undefined;
  /** What the console's last line holds. */
  unfinished = "";
  /** Called after each line that was taken. */
  onLine: (line: string) => void = () => {};

  constructor(options?: FaultOptions) {
    this.faults = new Faults({
      now: () => ({ atNs: this.atNs, instructions: this.atNs }),
      stop: () => void this.stops++,
      armQuiet: (ns) => void (this.quietNs = ns),
      symbolize: (text) => text.replaceAll("ffffffff80001234", "start_here+0x4"),
      unfinished: () => this.unfinished,
    }, options);
  }

  /** Prints lines; one with a printk prefix at its time, or now where that has gone by. */
  print(text: string): this {
    for (const line of text.split("\n")) {
      const time = /^(?:<\d>)?\[ *(\d+\.\d{6})\]/.exec(line);
      this.atNs = Math.max(this.atNs + 1000, time ? Number(time[1]) * 1e9 : 0);
      this.faults.line(line);
      this.onLine(line);
    }
    return this;
  }

  /** A boot's first second, so that the kernel is known to print times. */
  boot(): this {
    const lines = ["Linux version 6.12.48 (build@host) (gcc 14.2.0) #1 SMP"];
    for (let i = 1; i < 20; i++) lines.push(`sample: step ${i}`);
    return this.print(lines.map((line, i) => `[    ${(i / 20).toFixed(6)}] ${line}`).join("\n"));
  }

  /** The guest prints nothing for the time that was asked for. */
  silence(): this {
    this.atNs += this.quietNs ?? 0;
    this.faults.quiet();
    return this;
  }

  /** Titles of all faults. */
  get titles(): string[] {
    return this.faults.all.map(({ title }) => title);
  }
}
