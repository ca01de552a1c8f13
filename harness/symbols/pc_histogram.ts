/**
 * Where a guest spends its time, from program counters that were looked at now and then: what a report says of a
 * guest that is busy but gets nowhere. Counting is a look into a map; symbols are looked up only when asked for.
 */
import type { Symbolizer } from "./symbolizer.ts";

/** Different program counters that are told apart; a busy hang has few. */
const MAX_PLACES = 1 << 14;

/** Samples that fell into one function, or on one address where no function is known. */
export interface HotSpot {
  /** The function; undefined where no symbol is known. */
  readonly symbol: string | undefined;
  /** The privilege mode of the samples, as they were added. */
  readonly mode: string;
  /** How many samples fell there. */
  readonly samples: number;
  /** The same as a share of all, 0 to 1. */
  readonly share: number;
  /** The address most of them had. */
  readonly pc: bigint;
  /** That address's bytes from the function's beginning. */
  readonly offset: number | undefined;
  /** That address's source file, if known. */
  readonly file?: string;
  /** Its line, from 1. */
  readonly line?: number;
}

/** Counts program counters. */
export class PcHistogram {
  readonly #counts = new Map<string, Map<bigint, number>>();
  #places = 0;
  #samples = 0;

  /** How many samples were added. */
  get samples(): number {
    return this.#samples;
  }

  /**
   * Counts a sample. Past some thousand different addresses, further ones count for the total alone.
   *
   * @param mode The vCPU's privilege mode: kernel and user addresses are never mixed.
   */
  add(pc: bigint, mode: string): void {
    this.#samples++;
    let counts = this.#counts.get(mode);
    if (!counts) {
      if (this.#places >= MAX_PLACES) return;
      this.#counts.set(mode, counts = new Map());
    }
    const before = counts.get(pc) ?? 0;
    if (before === 0 && this.#places++ >= MAX_PLACES) {
      this.#places = MAX_PLACES;
      return;
    }
    counts.set(pc, before + 1);
  }

  /** Forgets all samples. */
  clear(): void {
    this.#counts.clear();
    this.#places = 0;
    this.#samples = 0;
  }

  /**
   * The functions with the most samples, the hottest first.
   *
   * @param count How many at most.
   * @param symbolizer Names addresses of the modes that `symbolized` says; without it every address stands alone.
   * @param symbolized Whether the symbolizer knows addresses of a mode. @default every mode but "user"
   */
  top(
    count: number,
    symbolizer?: Symbolizer,
    symbolized: (mode: string) => boolean = (mode) => mode !== "user",
  ): HotSpot[] {
    const groups = new Map<
      string,
      { mode: string; symbol?: string; samples: number; pc: bigint; most: number }
    >();
    for (const [mode, counts] of this.#counts) {
      for (const [pc, samples] of counts) {
        const symbol = symbolized(mode) ? symbolizer?.table.find(pc)?.symbol : undefined;
        const key = `${mode} ${symbol ? symbol.address : `at ${pc}`}`;
        const group = groups.get(key) ?? { mode, symbol: symbol?.name, samples: 0, pc, most: 0 };
        groups.set(key, group);
        group.samples += samples;
        if (samples > group.most) [group.pc, group.most] = [pc, samples];
      }
    }
    const hottest = [...groups.values()].sort((a, b) => b.samples - a.samples).slice(0, Math.max(0, count));
    return hottest.map(({ mode, symbol, samples, pc }) => {
      const place = symbol === undefined ? undefined : symbolizer?.place(pc);
      return {
        symbol,
        mode,
        samples,
        share: samples / this.#samples,
        pc,
        offset: place?.offset,
        ...(place?.file !== undefined && { file: place.file, line: place.line }),
      };
    });
  }

  /** The same as lines for a report: ` 63 % spin_for_ever+0x18 (kernel/spin.c:12)`. */
  describe(count: number, symbolizer?: Symbolizer, symbolized?: (mode: string) => boolean): string[] {
    return this.top(count, symbolizer, symbolized).map(({ share, symbol, offset, pc, mode, file, line }) => {
      const percent = `${Math.round(share * 100)} %`.padStart(5);
      const where = symbol === undefined
        ? `0x${pc.toString(16)}, ${mode} mode`
        : `${symbol}+0x${offset?.toString(16)}${file === undefined ? "" : ` (${file}:${line})`}`;
      return `${percent} ${where}`;
    });
  }
}
