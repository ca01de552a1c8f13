/**
 * Tells the kernel speaking from somebody repeating what it said. `dmesg`, a log file or a test's output puts
 * whole old records on the console, prefix and all; but records come in the order of their times, none is
 * from the future, and what was on the console before is known, word for word and to the microsecond.
 *
 * Times also start over when another kernel boots. Both begin the same way, with `Linux version` at 0.000000.
 * They differ in three things. A kernel can only have started after the last line of the one before it, so its
 * times stay below the guest time that has passed since; a repetition's do not, unless the guest was silent for
 * long. A booting kernel takes the time that its records say, while a repetition comes in one go (as does a
 * kernel's own first part, when its console driver starts: therefore only what follows that is judged). And
 * where a console is so slow that a boot takes no longer than a repetition, the repetition has the records that
 * the first kernel printed, all of them that are not older than its newest; another kernel's are others.
 */

/** What a record with a prefix is. */
export type RecordAge =
  /** Printed now. */
  | "live"
  /** Repeated, or not known yet not to be. */
  | "echo"
  /** Printed by a kernel that has started since the last record: told once. */
  | "restart";

/** Records of processors and interrupts may be this much out of order. */
const DISORDER_S = 0.1;
/** Records with sane times after which a kernel is known to print times, and its clock to keep guest time. */
const ESTABLISHED = 10;
/** Latest time of the first record of a boot. */
const FIRST_S = 0.001;
/** Seconds for which a restarted kernel's records must keep pace with guest time to be told from a repetition. */
const PACE_S = 0.2;
/** Records that are remembered: more than a kernel's log of the usual size holds. */
const MOST_KNOWN = 4096;
/** Records of the first kernel that a second one must have had the time to print, or not. */
const ENOUGH_KNOWN = 3;
/** Records in a row from the future after which the clock, not the records, is taken to be strange. */
const STRANGE = 3;

/** The times of one boot's records. */
export class BootClock {
  /** Whether the kernel is known to print a prefix. */
  established = false;
  #records = 0;
  #newestS = -1;
  #heardNs: number;
  #future = 0;
  #trustsFuture = false;
  #behind: Behind | undefined;
  /** The times of records that came, by their text, the oldest first. */
  readonly #known = new Map<string, number>();

  /** @param startNs Guest time at which the machine was started or reset. */
  constructor(startNs: number) {
    this.#heardNs = startNs;
  }

  /** Whether any record came. */
  get spoke(): boolean {
    return this.#records > 0;
  }

  /** Takes note of output that is no record. */
  heard(nowNs: number): void {
    if (!this.#behind) this.#heardNs = nowNs;
  }

  /** Takes a record: its text, which begins with its time `timeS`, printed at guest time `nowNs`. */
  judge(text: string, timeS: number, nowNs: number): RecordAge {
    if (this.#isFuture(timeS, nowNs)) return "echo";
    const isKnown = this.#known.has(text);
    if (!this.#behind && timeS >= this.#newestS - DISORDER_S || timeS > this.#newestS) {
      if (isKnown) return "echo";
      this.#behind = undefined;
      this.#newestS = Math.max(timeS, this.#newestS);
      this.#heardNs = nowNs;
      this.established ||= ++this.#records >= ESTABLISHED;
      this.#remember(text, timeS);
      return "live";
    }
    this.#behind ??= { mayBeRestart: timeS <= FIRST_S, fromS: timeS, fromNs: nowNs, repeated: 0 };
    if (isKnown && timeS > FIRST_S) this.#behind.repeated++;
    return this.#behind.mayBeRestart && this.#keepsPace(this.#behind, timeS, nowNs) &&
        this.#differs(this.#behind, timeS)
      ? "restart"
      : "echo";
  }

  #remember(text: string, timeS: number): void {
    if (this.#known.size === MOST_KNOWN) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.set(text, timeS);
  }

  /** Whether records behind the newest, up to a time, are others than those that came before. */
  #differs({ repeated }: Behind, untilS: number): boolean {
    let known = 0;
    for (const timeS of this.#known.values()) if (timeS > FIRST_S && timeS <= untilS) known++;
    return known >= ENOUGH_KNOWN && 2 * repeated < known;
  }

  /** Whether records behind the newest have proven to be a new kernel's; gives up where they cannot be. */
  #keepsPace(behind: Behind, timeS: number, nowNs: number): boolean {
    // A clock that runs a little fast is no reason to miss a restart: a tenth is granted.
    if (timeS > ((nowNs - this.#heardNs) / 1e9) * 1.1 + DISORDER_S) behind.mayBeRestart = false;
    const recordS = timeS - behind.fromS;
    const passedS = (nowNs - behind.fromNs) / 1e9;
    if (passedS < 0.3 * recordS || passedS > 1.5 * recordS + DISORDER_S) {
      behind.fromS = timeS;
      behind.fromNs = nowNs;
    }
    return behind.mayBeRestart && recordS >= PACE_S && passedS >= 0.7 * recordS;
  }

  #isFuture(timeS: number, nowNs: number): boolean {
    if (!this.established || this.#trustsFuture) return false;
    const future = timeS > (nowNs / 1e9) * 1.5 + 1;
    this.#future = future ? this.#future + 1 : 0;
    this.#trustsFuture = this.#future >= STRANGE;
    return future && !this.#trustsFuture;
  }
}

/** A run of records behind the newest, and the one from which their pace is measured. */
interface Behind {
  mayBeRestart: boolean;
  fromS: number;
  fromNs: number;
  /** How many of them were known. */
  repeated: number;
}
