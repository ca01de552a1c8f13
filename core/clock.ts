/**
 * Guest time. One clock per machine drives every timer the guest can see.
 *
 * Guest time in nanoseconds = instructions retired by all vCPUs + idle time skipped. It never looks at
 * the host's clock, so the same inputs give the same times on every host. Only under an engine that cannot
 * count instructions (KVM) it is the real time that passes while the machine runs.
 */

/** A pending call at a guest time. Created by {@linkcode Clock.timer}; armed and disarmed freely. */
export class Timer {
  /** Guest time in ns at which the timer fires; `Infinity` while disarmed. */
  dueNs = Infinity;
  /** Tie-breaker: timers due at the same instant fire in the order they were created. */
  constructor(
    private readonly clock: Clock,
    readonly order: number,
    readonly fire: () => void,
  ) {}

  /** Arms the timer for guest time `dueNs` (which may lie in the past: it fires at the next check). */
  arm(dueNs: number): void {
    this.dueNs = dueNs;
    this.clock.timersChanged();
  }

  /** Disarms the timer. */
  disarm(): void {
    this.dueNs = Infinity;
    this.clock.timersChanged();
  }
}

/** Guest time and its timers. */
export class Clock {
  /** Instructions retired by all vCPUs so far. */
  instructions = 0;
  /** Guest nanoseconds skipped while every vCPU waited. */
  idleNs = 0;
  /** Guest time of the earliest armed timer; `Infinity` if none. */
  nextDueNs = Infinity;
  /**
   * Set when the earliest deadline moved while a vCPU runs, so that the engine ends its slice and
   * computes its budget anew. The engine clears it.
   */
  deadlineMoved = false;
  /** Real nanoseconds that passed while the machine ran; 0 for engines that count instructions. */
  realNs = 0;
  /** `performance.now()` since when real time passes; undefined while it does not. */
  #realSinceMs: number | undefined;
  readonly #timers: Timer[] = [];

  /** Guest time in nanoseconds. */
  get nowNs(): number {
    const standing = this.instructions + this.idleNs + this.realNs;
    return this.#realSinceMs === undefined ? standing : standing + elapsedNs(this.#realSinceMs);
  }

  /** From now on real time passes, until {@linkcode Clock.stopReal}. For engines that count nothing. */
  startReal(): void {
    this.#realSinceMs = performance.now();
  }

  /** Guest time stands still again. */
  stopReal(): void {
    if (this.#realSinceMs !== undefined) this.realNs += elapsedNs(this.#realSinceMs);
    this.#realSinceMs = undefined;
  }

  /** Creates a disarmed timer. */
  timer(fire: () => void): Timer {
    const timer = new Timer(this, this.#timers.length, fire);
    this.#timers.push(timer);
    return timer;
  }

  /** Recomputes the earliest deadline. Called by timers. */
  timersChanged(): void {
    let next = Infinity;
    for (let i = 0; i < this.#timers.length; i++) {
      const due = this.#timers[i].dueNs;
      if (due < next) next = due;
    }
    if (next !== this.nextDueNs) {
      this.nextDueNs = next;
      this.deadlineMoved = true;
    }
  }

  /** Fires every timer that is due, earliest first. */
  fireDue(): void {
    while (this.nextDueNs <= this.nowNs) {
      let first: Timer | undefined;
      for (const timer of this.#timers) {
        if (timer.dueNs <= this.nowNs && (!first || timer.dueNs < first.dueNs)) first = timer;
      }
      if (!first) return;
      first.dueNs = Infinity;
      this.timersChanged();
      first.fire();
    }
  }
}

function elapsedNs(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) * 1e6);
}
