/** The processor time of this thread: what something costs, however busy the host is with other things. */
import { PAGE_SIZE } from "../../core/memory.ts";
import { libc } from "./libc.ts";
import { mappedMemory } from "./memory.ts";

const CLOCK_THREAD_CPUTIME_ID = 3; // Linux, <linux/time.h>

/** Readings of which the cost of one is the median. */
const READINGS = 501;

/** Tells the processor time in ms that this thread has used. */
export interface ThreadClock extends Disposable {
  (): number;
  /**
   * What two readings, one after the other, differ by, in ms: 0.3 µs on common hosts, several times that where
   * system calls are dear. Measured when it is called, which takes a millisecond.
   */
  readingMs(): number;
}

/** A clock of this thread. */
export function threadClock(): ThreadClock {
  const { clock_gettime } = libc().symbols;
  const pages = mappedMemory.allocate(PAGE_SIZE);
  const timespec = new Int32Array(pages.buffer); // seconds, nanoseconds: eight bytes each
  const pointer = Deno.UnsafePointer.create(BigInt(pages.address));
  const read = () => {
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, pointer);
    return timespec[0] * 1e3 + timespec[2] / 1e6;
  };
  const readingMs = () => {
    const differences = Array.from({ length: READINGS }, () => -read() + read());
    return differences.sort((a, b) => a - b)[READINGS >> 1];
  };
  return Object.assign(read, { readingMs, [Symbol.dispose]: () => pages.free() });
}
