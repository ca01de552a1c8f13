/**
 * How long something takes that is done again and again, from timing some of it: where system calls are dear, reading
 * the clock takes as long as a short one does.
 *
 * While the code that does it is new to V8, the first times take far longer than later ones, and no two of them the
 * same: each of them is timed, and stands for itself only.
 */
import type { ThreadClock } from "../ffi/clock.ts";

/** So many are timed one by one, before samples are taken. */
const TIMED_AT_FIRST = 1024;
/** Afterwards, one in so many is. */
const TIMED_EVERY = 32;

/** Times work that comes in pieces of different sizes. */
export class SampledTimer {
  #pieces = 0;
  #isTimed = false;
  #startedMs = 0;
  // Of the first pieces
  #first = 0;
  #firstMs = 0;
  // Of the others, and of those of them that were timed
  #size = 0;
  #timed = 0;
  #timedMs = 0;
  #timedSize = 0;

  constructor(private readonly clock: ThreadClock) {}

  /** A piece of the work begins. */
  begin(): void {
    this.#isTimed = this.#pieces < TIMED_AT_FIRST || this.#pieces % TIMED_EVERY === 0;
    if (!this.#isTimed) return;
    // The first system call in a while takes longer than the next: it is none of the work's.
    this.clock();
    this.#startedMs = this.clock();
  }

  /** The piece ends; it was of the given size. */
  end(size: number): void {
    const isFirst = this.#pieces++ < TIMED_AT_FIRST;
    if (!isFirst) this.#size += size;
    if (!this.#isTimed) return;
    const tookMs = this.clock() - this.#startedMs;
    if (isFirst) {
      this.#firstMs += tookMs;
      this.#first++;
    } else {
      this.#timedMs += tookMs;
      this.#timedSize += size;
      this.#timed++;
    }
  }

  /** What all of it took, in ms, without the readings of the clock. */
  get totalMs(): number {
    const readingMs = this.clock.readingMs();
    const firstMs = this.#firstMs - this.#first * readingMs;
    if (this.#timed === 0) return Math.max(0, firstMs);
    const perSize = (this.#timedMs - this.#timed * readingMs) / this.#timedSize;
    return Math.max(0, firstMs + perSize * this.#size);
  }
}
