/** A vCPU that runs in a thread of its own, as the machine's thread sees it: see `vcpu_thread.ts`. */
import type { Worker } from "node:worker_threads";
import { kickThread, threadId } from "../ffi/posix.ts";
import {
  COMMAND,
  COMMAND_HOLD,
  COMMAND_QUIT,
  COMMAND_RUN,
  STATUS,
  STATUS_EXITED,
  STATUS_FAILED,
  STATUS_GONE,
  STATUS_HOLDING,
  STATUS_RUNNING,
  STATUS_STARTING,
  THREAD,
  THREAD_BYTES,
  THREAD_ERRNO,
  type VcpuThreadData,
} from "./thread_words.ts";
import type { KvmVcpu } from "./vcpu.ts";

/** How long a thread may take to start or to stop before the host is given up. */
const PATIENCE_MS = 20_000;
/** A kick that came too early is repeated after this. */
const KICK_AGAIN_MS = 1;

/** A vCPU's thread cannot be started, or does not answer. */
export class VcpuThreadError extends Error {
  override name = "VcpuThreadError";
}

/** A vCPU with its thread. */
export class RemoteVcpu implements Disposable {
  readonly #worker: Worker;
  readonly #words = new Int32Array(new SharedArrayBuffer(THREAD_BYTES));
  #failure: unknown;

  /** Starts the thread, which takes some 40 ms; nobody waits for it yet. */
  constructor(readonly vcpu: KvmVcpu, first: KvmVcpu, shared: SharedArrayBuffer) {
    const data: VcpuThreadData = {
      words: this.#words.buffer,
      shared,
      descriptor: vcpu.descriptor,
      runAddress: vcpu.runAddress,
      runBytes: vcpu.bytes.length,
      mainRunAddress: first.runAddress,
      mainThread: threadId(),
    };
    // A bundle has the thread's module beside it, as JavaScript.
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const module = new URL(`./vcpu_thread.${extension}`, import.meta.url);
    try {
      // Loaded where it is needed: machines with one vCPU start sooner.
      const { Worker } = globalThis.process.getBuiltinModule("node:worker_threads");
      this.#worker = new Worker(module, { workerData: data });
    } catch (cause) {
      throw new VcpuThreadError(
        "Machines with several vCPUs under KVM need --allow-read for Bootwright's own files: each vCPU has a " +
          "thread, and loads its code.",
        { cause },
      );
    }
    this.#worker.on("error", (error) => this.#failure = error);
    // A machine that nobody closed does not keep the process.
    this.#worker.unref();
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
    Atomics.store(this.#words, COMMAND, COMMAND_RUN);
    Atomics.notify(this.#words, COMMAND);
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
      if (Atomics.wait(this.#words, STATUS, status, KICK_AGAIN_MS) === "timed-out") {
        this.kick();
        this.#giveUp(since, "does not stop");
      }
    }
  }

  /** Lets the vCPU go on after its exit was served. */
  served(): void {
    Atomics.store(this.#words, STATUS, STATUS_RUNNING);
    Atomics.notify(this.#words, STATUS);
  }

  /** Waits for the thread to have started. */
  awaitStart(): void {
    const since = performance.now();
    while (this.status === STATUS_STARTING) {
      if (Atomics.wait(this.#words, STATUS, STATUS_STARTING, 100) === "timed-out") {
        this.#giveUp(since, "does not start");
      }
    }
  }

  #giveUp(sinceMs: number, what: string): void {
    if (performance.now() - sinceMs < PATIENCE_MS) return;
    throw new VcpuThreadError(`The thread of vCPU ${this.vcpu.index} ${what}.`, { cause: this.#failure });
  }

  /** Ends the thread; returns when it will touch the vCPU no more. */
  [Symbol.dispose](): void {
    this.awaitStart();
    this.hold();
    this.awaitHold((remote) => remote.served());
    Atomics.store(this.#words, COMMAND, COMMAND_QUIT);
    Atomics.notify(this.#words, COMMAND);
    for (const since = performance.now(); this.status !== STATUS_GONE && this.status !== STATUS_FAILED;) {
      Atomics.wait(this.#words, STATUS, STATUS_HOLDING, 100);
      this.#giveUp(since, "does not end");
    }
  }
}
