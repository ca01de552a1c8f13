/**
 * What execution was seen to do within one page: how often each instruction ran and which one came next. From
 * this, the ways through a piece of hot code are read off as traces.
 */
import type { Trace } from "../isa.ts";
import { PAGE_SIZE } from "../memory.ts";

/** Instructions are at even offsets. */
const PLACES = PAGE_SIZE / 2;
/** Successors that are told apart: a branch has two; what has more is an indirect jump. */
const SUCCESSORS = 2;

/** A profile of one page. */
export class Profile {
  readonly #counts = new Int32Array(PLACES);
  readonly #next = new Uint16Array(PLACES * SUCCESSORS);
  readonly #nextCounts = new Int32Array(PLACES * SUCCESSORS);
  /** How often each place was jumped to from behind. */
  readonly #returns = new Int32Array(PLACES);
  /** Places in use, to be cleared before the next profile. */
  readonly #places: number[] = [];
  #last = -1;
  /** Instructions seen. */
  instructions = 0;

  /** Starts a new profile. */
  clear(): void {
    for (const place of this.#places) {
      this.#counts[place] = this.#returns[place] = 0;
      this.#nextCounts.fill(0, place * SUCCESSORS, (place + 1) * SUCCESSORS);
    }
    this.#places.length = 0;
    this.#last = -1;
    this.instructions = 0;
  }

  /** Execution comes to an offset of the page; from the last one, unless it was elsewhere meanwhile. */
  add(offset: number): void {
    const place = offset >> 1, last = this.#last;
    this.instructions++;
    if (this.#counts[place]++ === 0) this.#places.push(place);
    this.#last = place;
    if (last < 0) return;
    if (place <= last) this.#returns[place]++;
    this.#follows(last, place, 1);
  }

  /** From a place, execution went to another one so many times. */
  #follows(last: number, place: number, times: number): void {
    const next = this.#next, counts = this.#nextCounts;
    for (let i = last * SUCCESSORS; i < (last + 1) * SUCCESSORS; i++) {
      if (counts[i] !== 0 && next[i] !== place) continue;
      next[i] = place;
      counts[i] += times;
      return;
    }
  }

  /** Adds all that another profile of the same page has seen. */
  merge(other: Profile): void {
    for (const place of other.#places) {
      if (this.#counts[place] === 0) this.#places.push(place);
      this.#counts[place] += other.#counts[place];
      this.#returns[place] += other.#returns[place];
      for (let i = place * SUCCESSORS; i < (place + 1) * SUCCESSORS; i++) {
        if (other.#nextCounts[i] > 0) this.#follows(place, other.#next[i], other.#nextCounts[i]);
      }
    }
    this.instructions += other.instructions;
  }

  /** Execution leaves the page for a while. */
  leave(): void {
    this.#last = -1;
  }

  /** How often the instruction at an offset ran. */
  count(offset: number): number {
    return this.#counts[offset >> 1];
  }

  /** How many instructions ran that are not marked in the given places. */
  countOutside(places: Uint8Array): number {
    return this.#places.reduce((sum, place) => places[place] === 0 ? sum + this.#counts[place] : sum, 0);
  }

  /** How often execution went from one offset straight to another. */
  countOf(from: number, to: number): number {
    const first = (from >> 1) * SUCCESSORS;
    for (let i = first; i < first + SUCCESSORS; i++) {
      if (this.#next[i] === to >> 1) return this.#nextCounts[i];
    }
    return 0;
  }

  /** The offset that most jumps backward lead to, or -1: the head of the innermost loop. */
  loopHead(): number {
    let best = -1;
    for (const place of this.#places) {
      if (this.#returns[place] > (best < 0 ? 0 : this.#returns[best])) best = place;
    }
    return 2 * best;
  }

  /** How often jumps backward led to an offset. */
  returns(offset: number): number {
    return this.#returns[offset >> 1];
  }

  /** The offset that execution most often goes on at; -1 where it is anybody's guess. */
  likeliest(offset: number): number {
    const first = (offset >> 1) * SUCCESSORS;
    const one = this.#nextCounts[first], two = this.#nextCounts[first + 1];
    if (one === 0 || 2 * (one + two) < this.#counts[offset >> 1]) return -1;
    const best = one >= two ? first : first + 1;
    return 2 * this.#next[best];
  }

  /**
   * Follows the likeliest way from an offset, around loops too, up to a place where a trace is to end.
   *
   * @param enough Instructions after which the trace ends where `ends` says so.
   * @param most Instructions after which it ends anywhere.
   * @param ends Whether a trace that is long enough, or is not, ends when it comes to an offset.
   */
  follow(
    offset: number,
    enough: number,
    most: number,
    ends: (offset: number, enough: boolean) => boolean,
  ): Trace {
    const offsets = new Uint16Array(most);
    let length = 0, at = offset;
    do {
      offsets[length++] = at;
      at = this.likeliest(at);
    } while (length < most && at >= 0 && !ends(at, length >= enough));
    return { offsets, length, next: at };
  }
}
