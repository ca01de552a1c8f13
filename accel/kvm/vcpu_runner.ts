/** Enters a vCPU from the thread that it belongs to: KVM_RUN, and how another thread ends it. */
import { lastErrno, preparedIoctl } from "../ffi/posix.ts";
import { ERRNO, IOCTL, STRUCTS } from "./abi/table.ts";

/** How a run came back: the vCPU needs something, something else ended it, the kernel refused. */
export const RUN_EXIT = 0, RUN_INTERRUPTED = 1, RUN_FAILED = 2;

const IMMEDIATE_EXIT = STRUCTS.kvm_run.fields.immediate_exit[0];

/** A vCPU as its thread sees it. */
export class VcpuRunner {
  /** What went wrong when {@linkcode VcpuRunner.run} gave {@linkcode RUN_FAILED}: Linux's error number. */
  errno = 0;
  readonly #run: () => number;

  /**
   * Made for one thread.
   *
   * @param descriptor The vCPU's.
   * @param bytes The vCPU's `kvm_run`.
   */
  constructor(descriptor: number, readonly bytes: Uint8Array<ArrayBuffer>) {
    this.#run = preparedIoctl(descriptor, IOCTL.RUN, null);
  }

  /**
   * Lets the vCPU run until it needs something ({@linkcode RUN_EXIT}: see `kvm_run`), or a signal or
   * {@linkcode VcpuRunner.stopSoon} ends it ({@linkcode RUN_INTERRUPTED}), or the kernel refuses. Arm a timer
   * first: nothing else ends it for sure.
   */
  run(): typeof RUN_EXIT | typeof RUN_INTERRUPTED | typeof RUN_FAILED {
    if (this.#run() >= 0) return RUN_EXIT;
    const errno = lastErrno();
    // EAGAIN: a vCPU that waited to be started was woken.
    if (errno === ERRNO.EINTR || errno === ERRNO.EAGAIN) return RUN_INTERRUPTED;
    this.errno = errno;
    return RUN_FAILED;
  }

  /** Makes a run that begins, or is under way and gets a signal, end at once. */
  stopSoon(): void {
    Atomics.store(this.bytes, IMMEDIATE_EXIT, 1);
  }

  /** Takes {@linkcode VcpuRunner.stopSoon} back. */
  runOn(): void {
    Atomics.store(this.bytes, IMMEDIATE_EXIT, 0);
  }
}
