/**
 * When a console's bytes came, in guest time: marks of (time, bytes printed before), one per tenth of a
 * millisecond in which something was printed. The number of marks is bounded: when it is reached, every second mark goes and
 * the grain doubles.
 */

/** Output that began at a time. */
export interface OutputMark {
  /** Guest time in ns. */
  readonly atNs: number;
  /** Bytes the console had printed before. */
  readonly offset: number;
}

const GRAIN_NS = 100_000;
const MAX_MARKS = 65536;

/** The time line of one console's bytes. */
export class Recording {
  #times = new Float64Array(256);
  #offsets = new Float64Array(256);
  #length = 0;
  #grainNs = GRAIN_NS;
  #nextNs = 0;

  /** Takes note that the byte at `offset` was printed at `nowNs`. */
  note(nowNs: number, offset: number): void {
    if (nowNs < this.#nextNs) return;
    if (this.#length === this.#times.length) this.#makeRoom();
    this.#times[this.#length] = nowNs;
    this.#offsets[this.#length++] = offset;
    this.#nextNs = nowNs + this.#grainNs;
  }

  /** The marks, in order. */
  marks(): OutputMark[] {
    return Array.from(
      { length: this.#length },
      (_, i) => ({ atNs: this.#times[i], offset: this.#offsets[i] }),
    );
  }

  #makeRoom(): void {
    if (this.#length < MAX_MARKS) {
      this.#times = doubled(this.#times);
      this.#offsets = doubled(this.#offsets);
      return;
    }
    this.#length /= 2;
    for (let i = 0; i < this.#length; i++) {
      this.#times[i] = this.#times[2 * i];
      this.#offsets[i] = this.#offsets[2 * i];
    }
    this.#grainNs *= 2;
  }
}

function doubled(array: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(2 * array.length);
  grown.set(array);
  return grown;
}
