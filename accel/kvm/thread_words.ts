/** The memory by which the machine's thread and a vCPU's thread talk: see `vcpu_thread.ts`. */

/** Words of a thread: what it shall do, what it does, its number in the kernel, why it failed. */
export const COMMAND = 0, STATUS = 1, THREAD = 2, THREAD_ERRNO = 3;
/** Bytes of a thread's words. */
export const THREAD_BYTES = 16;

/** Words of a machine: exits that wait to be served, and a number that grows while its thread is there. */
export const ATTENTION = 0, HEARTBEAT = 1;
/** Bytes of a machine's words. */
export const SHARED_BYTES = 8;

/** Values of {@linkcode COMMAND}. */
export const COMMAND_HOLD = 0, COMMAND_RUN = 1, COMMAND_QUIT = 2;

/** Values of {@linkcode STATUS}. */
export const STATUS_STARTING = 0, STATUS_HOLDING = 1, STATUS_RUNNING = 2, STATUS_EXITED = 3;
/** It will do nothing any more: KVM_RUN failed, or it was told to quit. */
export const STATUS_FAILED = 4, STATUS_GONE = 5;

/** What a vCPU's thread is started with. Addresses and descriptors are those of the process. */
export interface VcpuThreadData {
  readonly words: SharedArrayBuffer;
  readonly shared: SharedArrayBuffer;
  readonly descriptor: number;
  readonly runAddress: number;
  readonly runBytes: number;
  /** `kvm_run` of the first vCPU, which the machine's thread runs. */
  readonly mainRunAddress: number;
  /** The kernel's number of the machine's thread. */
  readonly mainThread: number;
}
