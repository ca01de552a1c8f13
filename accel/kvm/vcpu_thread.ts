/**
 * The thread of one vCPU (a Worker; all vCPUs but the first have one). It runs its vCPU while it may and hands
 * every exit to the machine's thread, where the devices are:
 *
 *     machine's thread                    this thread
 *     COMMAND = RUN, notify       →       KVM_RUN …
 *     …                                   … needs a device: STATUS = EXITED, kick the machine's thread
 *     does it, STATUS = RUNNING   →       KVM_RUN …
 *     COMMAND = HOLD, kick        →       … interrupted: STATUS = HOLDING
 *
 * It stops by itself when it has not seen the machine's thread do anything for a while, and so cannot outlive
 * it, however that ended: a vCPU that runs is always under a timer. A stopped thread of JavaScript ends with its
 * isolate; one inside of KVM_RUN would not.
 */
import { workerData } from "node:worker_threads";
import { bytesAt, kickThread, threadId, ThreadTimer } from "../ffi/posix.ts";
import { RUN_EXIT, RUN_FAILED, VcpuRunner } from "./vcpu_runner.ts";
import {
  ATTENTION,
  COMMAND,
  COMMAND_QUIT,
  COMMAND_RUN,
  HEARTBEAT,
  STATUS,
  STATUS_EXITED,
  STATUS_FAILED,
  STATUS_GONE,
  STATUS_HOLDING,
  STATUS_RUNNING,
  THREAD,
  THREAD_ERRNO,
  type VcpuThreadData,
} from "./thread_words.ts";

/** How long the machine's thread may be silent. Its slices are much shorter. */
const SILENCE_NS = 250e6;
const MOST_SILENCES = 4;

class VcpuThread {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #shared: Int32Array<SharedArrayBuffer>;
  readonly #runner: VcpuRunner;
  /** The machine's thread's own vCPU: what must be stopped for it to look up. */
  readonly #mainRunner: VcpuRunner;
  readonly #mainThread: number;
  readonly #timer = new ThreadTimer();
  /** Whether an exit was served that the next run completes. */
  #completes = false;

  constructor(data: VcpuThreadData) {
    this.#words = new Int32Array(data.words);
    this.#shared = new Int32Array(data.shared);
    this.#runner = new VcpuRunner(data.descriptor, bytesAt(data.runAddress, data.runBytes));
    this.#mainRunner = new VcpuRunner(-1, bytesAt(data.mainRunAddress, data.runBytes));
    this.#mainThread = data.mainThread;
    Atomics.store(this.#words, THREAD, threadId());
  }

  /** Obeys until told to quit. */
  obey(): void {
    for (;;) {
      this.#report(STATUS_HOLDING);
      const command = Atomics.load(this.#words, COMMAND);
      if (command === COMMAND_QUIT) break;
      if (command !== COMMAND_RUN) {
        Atomics.wait(this.#words, COMMAND, command);
        continue;
      }
      Atomics.store(this.#words, STATUS, STATUS_RUNNING);
      if (!this.#run()) return;
    }
    this.#timer[Symbol.dispose]();
    this.#report(STATUS_GONE);
  }

  /** Runs the vCPU until told otherwise. False when it cannot run at all. */
  #run(): boolean {
    const words = this.#words, runner = this.#runner;
    let heartbeat = Atomics.load(this.#shared, HEARTBEAT), silences = 0;
    this.#timer.arm(SILENCE_NS);
    for (;;) {
      runner.runOn();
      // An exchange: the store before must not pass it, or a kick at this moment would be undone.
      if (Atomics.compareExchange(words, COMMAND, COMMAND_RUN, COMMAND_RUN) !== COMMAND_RUN) break;
      const result = runner.run();
      if (result === RUN_EXIT) {
        if (!this.#served()) return false;
      } else if (result === RUN_FAILED) return this.#fail();
      else {
        this.#completes = false;
        const now = Atomics.load(this.#shared, HEARTBEAT);
        silences = now === heartbeat ? silences + 1 : 0;
        heartbeat = now;
        if (silences >= MOST_SILENCES) Atomics.compareExchange(words, COMMAND, COMMAND_RUN, 0);
        this.#timer.arm(SILENCE_NS);
      }
    }
    // What an exit gave is only in the vCPU's registers once it was entered again.
    while (this.#completes) {
      runner.stopSoon();
      const result = runner.run();
      if (result === RUN_FAILED) return this.#fail();
      if (result !== RUN_EXIT) this.#completes = false;
      else if (!this.#served()) return false;
    }
    this.#timer.disarm();
    return true;
  }

  /** Has an exit served by the machine's thread. False when it is gone. */
  #served(): boolean {
    this.#completes = true;
    this.#timer.disarm();
    this.#report(STATUS_EXITED);
    if (!this.#callMain()) return false;
    Atomics.wait(this.#words, STATUS, STATUS_EXITED);
    this.#timer.arm(SILENCE_NS);
    return true;
  }

  #fail(): boolean {
    Atomics.store(this.#words, THREAD_ERRNO, this.#runner.errno);
    this.#timer.disarm();
    this.#report(STATUS_FAILED);
    this.#callMain();
    return false;
  }

  /** Has the machine's thread look up, whether it runs its vCPU or waits. False when it is gone. */
  #callMain(): boolean {
    Atomics.add(this.#shared, ATTENTION, 1);
    Atomics.notify(this.#shared, ATTENTION);
    this.#mainRunner.stopSoon();
    return kickThread(this.#mainThread);
  }

  #report(status: number): void {
    Atomics.store(this.#words, STATUS, status);
    Atomics.notify(this.#words, STATUS);
  }
}

new VcpuThread(workerData).obey();
