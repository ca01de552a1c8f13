/** The memory by which the machine's thread and a vCPU's thread talk: see `vcpu_thread.ts`. */
import { STRUCTS } from "./abi/table.ts";

/** Words of a thread: what it shall do, what it does, its number in the kernel, why it failed. */
export const COMMAND = 0, STATUS = 1, THREAD = 2, THREAD_ERRNO = 3;
/** Words that tell it whose it is: the vCPU's descriptor, the machine's thread, the process. */
export const DESCRIPTOR = 4, MAIN_THREAD = 5, PROCESS = 6;
/** Its own: whether an exit was served that the next entry completes, its timer's number. */
export const COMPLETES = 7, TIMER = 8;

/** Bytes from a thread's first word to addresses: of its `kvm_run`, the first vCPU's, the machine's words. */
export const RUN_ADDRESS = 64, MAIN_RUN_ADDRESS = 72, SHARED_ADDRESS = 80;
/** And to structures: how its timer tells it, when it does, and that it does no more. */
export const TIMER_EVENT = 128;
export const TIMER_ARMED = TIMER_EVENT + STRUCTS.sigevent.bytes;
export const TIMER_DISARMED = TIMER_ARMED + STRUCTS.itimerspec.bytes;

/** Words of a machine: exits that wait to be served, and a number that grows while its thread is there. */
export const ATTENTION = 0, HEARTBEAT = 1;

/** Values of {@linkcode COMMAND}. */
export const COMMAND_HOLD = 0, COMMAND_RUN = 1, COMMAND_QUIT = 2;

/** Values of {@linkcode STATUS}. */
export const STATUS_STARTING = 0, STATUS_HOLDING = 1, STATUS_RUNNING = 2, STATUS_EXITED = 3;
/** It will do nothing any more: KVM_RUN failed, or it was told to quit. */
export const STATUS_FAILED = 4, STATUS_GONE = 5;
