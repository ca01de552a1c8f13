/**
 * Threads of machine code, and the memory by which they and JavaScript talk. Such a thread has no isolate: it
 * starts in microseconds, and does what its code says and nothing else.
 */
import { type HostPages, PAGE_SIZE } from "../../core/memory.ts";
import { openLibc, pointer } from "./libc.ts";
import { mappedMemory } from "./memory.ts";

// Linux, <asm/unistd_64.h> and <linux/futex.h>
/** Number of the system call by which words are waited for. */
export const SYS_FUTEX = 202;
/** Waits while a word has a value. */
export const FUTEX_WAIT_PRIVATE = 128;
const FUTEX_WAKE_PRIVATE = 129;

const SYMBOLS = {
  pthread_create: { parameters: ["buffer", "pointer", "pointer", "pointer"], result: "i32" },
  pthread_join: { parameters: ["usize", "pointer"], result: "i32" },
  futex: {
    name: "syscall",
    parameters: ["i32", "pointer", "i32", "i32", "pointer"],
    result: "i32",
  },
} as const;

let opened: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] | undefined;

function library() {
  return opened ??= openLibc(SYMBOLS, {
    needs: "A machine with several vCPUs",
    otherwise: "One vCPU needs no thread.",
  }).symbols;
}

/** A thread that cannot be started. */
export class ThreadError extends Error {
  override name = "ThreadError";
}

/**
 * Starts a thread that calls the code at an address as `f(argument)` and ends when it returns.
 *
 * @returns What waits for its end. Call it once.
 * @throws {ThreadError} when the host refuses.
 */
export function startThread(code: number, argument: number): () => void {
  const { pthread_create, pthread_join } = library();
  const handle = new BigUint64Array(1);
  const error = pthread_create(new Uint8Array(handle.buffer), null, pointer(code), pointer(argument));
  if (error !== 0) throw new ThreadError(`The host refused a thread (error ${error}).`);
  return () => void pthread_join(handle[0], null);
}

/** Where in the page the time-out of a wait is: at its end. */
const TIMEOUT = PAGE_SIZE - 16;

/** A page of words that threads of any kind read, write and wait for. */
export class FutexWords implements Disposable {
  /** Use `Atomics` where others write, too. */
  readonly words: Int32Array<ArrayBuffer>;
  /** Host address of the first word. */
  readonly address: number;
  readonly #pages: HostPages;
  readonly #timeout: BigInt64Array;
  readonly #timeoutPointer: Deno.PointerValue;
  readonly #pointers: Deno.PointerValue[] = [];
  readonly #futex = library().futex;

  constructor() {
    this.#pages = mappedMemory.allocate(PAGE_SIZE);
    const { buffer, address } = this.#pages;
    this.address = address;
    this.words = new Int32Array(buffer);
    this.#timeout = new BigInt64Array(buffer, TIMEOUT, 2);
    this.#timeoutPointer = pointer(address + TIMEOUT);
  }

  /** Waits while a word has a value, for so long at most. May come back sooner. */
  wait(index: number, value: number, milliseconds: number): void {
    const seconds = Math.floor(milliseconds / 1e3);
    this.#timeout[0] = BigInt(seconds);
    this.#timeout[1] = BigInt(Math.ceil((milliseconds - seconds * 1e3) * 1e6));
    this.#futex(SYS_FUTEX, this.#pointer(index), FUTEX_WAIT_PRIVATE, value, this.#timeoutPointer);
  }

  /** Wakes who waits for a word. */
  wake(index: number): void {
    this.#futex(SYS_FUTEX, this.#pointer(index), FUTEX_WAKE_PRIVATE, 1, null);
  }

  #pointer(index: number): Deno.PointerValue {
    return this.#pointers[index] ??= pointer(this.address + 4 * index);
  }

  /** Nobody may use the words any more. */
  [Symbol.dispose](): void {
    this.#pages.free();
  }
}
