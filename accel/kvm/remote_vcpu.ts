/** A vCPU that runs in a thread of its own, as the machine's thread sees it: see `vcpu_thread.ts`. */
import { KICK_SIGNAL, kickThread, threadId } from "../ffi/posix.ts";
import { FutexWords, startThread } from "../ffi/threads.ts";
import { encodeStruct } from "./abi/codec.ts";
import { LIBC, STRUCTS } from "./abi/table.ts";
import {
  COMMAND,
  COMMAND_HOLD,
  COMMAND_QUIT,
  COMMAND_RUN,
  DESCRIPTOR,
  MAIN_RUN_ADDRESS,
  MAIN_THREAD,
  PROCESS,
  RUN_ADDRESS,
  SHARED_ADDRESS,
  STATUS,
  STATUS_EXITED,
  STATUS_FAILED,
  STATUS_GONE,
  STATUS_HOLDING,
  STATUS_RUNNING,
  STATUS_STARTING,
  THREAD,
  THREAD_ERRNO,
  TIMER,
  TIMER_ARMED,
  TIMER_EVENT,
} from "./thread_words.ts";
import type { KvmVcpu } from "./vcpu.ts";
import { vcpuThreadCode } from "./vcpu_thread.ts";

/** How long a thread may take to start or to stop before the host is given up. */
const PATIENCE_MS = 20_000;
/** A kick that came too early is repeated after this. */
const KICK_AGAIN_MS = 1;
/** Looks at a vCPU that is stopping before somebody else is let run: it takes some microseconds. */
const LOOKS = 2000;

/** How long the machine's thread may be silent. Its slices are much shorter. */
const SILENCE_NS = 250_000_000n;
/** A timer's signal may come just before the kernel is entered; then the next one counts. */
const SILENCE_AGAIN_NS = 20_000_000n;

/** A vCPU's thread does not answer. */
export class VcpuThreadError extends Error {
  override name = "VcpuThreadError";
}

/** A vCPU with its thread. */
export class RemoteVcpu implements Disposable {
  readonly #thread = new FutexWords();
  readonly #words = this.#thread.words;
  readonly #join: () => void;

  /**
   * Starts the thread; nobody waits for it yet.
   *
   * @param first The vCPU that the machine's thread, which is this one, runs itself.
   * @param shared The machine's words.
   * @throws {ThreadError} when the host refuses.
   */
  constructor(
    readonly vcpu: KvmVcpu,
    first: Pick<KvmVcpu, "runAddress">,
    shared: FutexWords,
  ) {
    const words = this.#words, view = new DataView(words.buffer);
    words[DESCRIPTOR] = vcpu.descriptor;
    words[MAIN_THREAD] = threadId();
    words[PROCESS] = Deno.pid;
    words[TIMER] = -1;
    view.setBigUint64(RUN_ADDRESS, BigInt(vcpu.runAddress), true);
    view.setBigUint64(MAIN_RUN_ADDRESS, BigInt(first.runAddress), true);
    view.setBigUint64(SHARED_ADDRESS, BigInt(shared.address), true);
    const event = { sigev_signo: KICK_SIGNAL, sigev_notify: LIBC.SIGEV_THREAD_ID };
    encodeStruct("sigevent", event, view, TIMER_EVENT);
    view.setBigInt64(TIMER_ARMED + TIMES["it_value.tv_nsec"][0], SILENCE_NS, true);
    view.setBigInt64(TIMER_ARMED + TIMES["it_interval.tv_nsec"][0], SILENCE_AGAIN_NS, true);
    try {
      this.#join = startThread(vcpuThreadCode(), this.#thread.address);
    } catch (error) {
      this.#thread[Symbol.dispose]();
      throw error;
    }
  }

  /** What the thread does; one of the STATUS values. */
  get status(): number {
    return Atomics.load(this.#words, STATUS);
  }

  /** Linux's error number where the thread failed. */
  get errno(): number {
    return this.#words[THREAD_ERRNO];
  }

  /** Lets the vCPU run. The thread must have started. */
  resume(): void {
    this.#tell(COMMAND, COMMAND_RUN);
  }

  /** Tells the vCPU to stop; {@linkcode RemoteVcpu.awaitHold} says when it has. */
  hold(): void {
    Atomics.store(this.#words, COMMAND, COMMAND_HOLD);
    this.kick();
  }

  /** Ends KVM_RUN, if the thread is in it, for the moment. */
  kick(): void {
    if (this.status !== STATUS_RUNNING) return;
    this.vcpu.runner.stopSoon();
    kickThread(this.#words[THREAD]);
  }

  /**
   * Waits until the vCPU has stopped, after {@linkcode RemoteVcpu.hold}.
   *
   * @param serve Does what the vCPU exits for meanwhile.
   */
  awaitHold(serve: (remote: RemoteVcpu) => void): void {
    const since = performance.now();
    for (;;) {
      const { status } = this;
      if (status === STATUS_HOLDING || status === STATUS_FAILED || status === STATUS_STARTING) return;
      if (status === STATUS_EXITED) {
        serve(this);
        continue;
      }
      this.#await(status, KICK_AGAIN_MS);
      if (this.status !== status) continue;
      this.kick();
      this.#giveUp(since, "does not stop");
    }
  }

  /** Lets the vCPU go on after its exit was served. */
  served(): void {
    this.#tell(STATUS, STATUS_RUNNING);
  }

  /** Waits for the thread to have started. */
  awaitStart(): void {
    const since = performance.now();
    while (this.status === STATUS_STARTING) {
      this.#await(STATUS_STARTING, 100);
      this.#giveUp(since, "does not start");
    }
  }

  #giveUp(sinceMs: number, what: string): void {
    if (performance.now() - sinceMs < PATIENCE_MS) return;
    throw new VcpuThreadError(`The thread of vCPU ${this.vcpu.index} ${what}.`);
  }

  #tell(word: number, value: number): void {
    Atomics.store(this.#words, word, value);
    this.#thread.wake(word);
  }

  /** Waits for another status, for so long at most. */
  #await(status: number, milliseconds: number): void {
    for (let i = 0; i < LOOKS; i++) if (this.status !== status) return;
    this.#thread.wait(STATUS, status, milliseconds);
  }

  /** Ends the thread; returns when it is gone. */
  [Symbol.dispose](): void {
    this.awaitStart();
    this.hold();
    this.awaitHold((remote) => remote.served());
    this.#tell(COMMAND, COMMAND_QUIT);
    for (const since = performance.now(); this.status !== STATUS_GONE && this.status !== STATUS_FAILED;) {
      this.#await(this.status, 100);
      this.#giveUp(since, "does not end");
    }
    this.#join();
    this.#thread[Symbol.dispose]();
  }
}

const TIMES = STRUCTS.itimerspec.fields;
