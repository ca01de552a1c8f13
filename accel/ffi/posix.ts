/**
 * Files, ioctls and signals through libc, for the KVM engine. What a running guest goes through again and again
 * (`ioctl` with a pointer, timers) takes plain numbers and pointers only, and so V8's fast path (10–15 ns a
 * call); what happens once per machine may take buffers.
 *
 * Signals here only end a system call that blocks: their handler is a libc function that does nothing, since
 * no JavaScript may run in a signal handler.
 */
import { ERRNO, LIBC, STRUCTS, SYS } from "../kvm/abi/table.ts";
import { type HostPages, PAGE_SIZE } from "../../core/memory.ts";
import { openLibc, pointer } from "./libc.ts";
import { mappedMemory } from "./memory.ts";

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  ioctl: { parameters: ["i32", "u32", "pointer"], result: "i32" },
  ioctlBuffer: { name: "ioctl", parameters: ["i32", "u32", "buffer"], result: "i32" },
  ioctlNumber: { name: "ioctl", parameters: ["i32", "u32", "usize"], result: "i32" },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  sigaction: { parameters: ["i32", "buffer", "pointer"], result: "i32" },
  // Not every libc has functions for these.
  syscall: { parameters: ["i32", "i32", "i32", "pointer", "pointer"], result: "i32" },
  syscallPointers: { name: "syscall", parameters: ["i32", "i32", "pointer", "pointer"], result: "i32" },
  syscallBuffers: { name: "syscall", parameters: ["i32", "buffer", "buffer", "buffer"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
  // int abs(int): what a signal handler may call, and it does nothing but return.
  abs: { type: "pointer" },
} as const;

type Posix = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

let opened: { readonly calls: Posix; readonly errno: Int32Array } | undefined;

function library() {
  if (opened) return opened;
  const calls = openLibc(SYMBOLS, {
    needs: "KVM",
    otherwise: "The interpreter (slow) needs neither.",
  }).symbols;
  // Each thread has its errno, and so has each isolate: it stays on its thread.
  const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(calls.__errno_location()!, 4));
  return opened = { calls, errno };
}

/** A system call failed. */
export class PosixError extends Error {
  override name = "PosixError";

  /**
   * Made by what makes the call.
   *
   * @param call What was called.
   * @param errno Linux's error number.
   */
  constructor(readonly call: string, readonly errno: number, options?: ErrorOptions) {
    super(`${call} failed: ${errnoText(errno)}.`, options);
  }
}

/** An error number as its name and in words. */
export function errnoText(errno: number): string {
  const name = Object.entries(ERRNO).find(([, number]) => number === errno)?.[0];
  const words = name && ERRNO_WORDS[name];
  return words ? `${words} (${name})` : name ?? `error ${errno}`;
}

const ERRNO_WORDS: Readonly<Record<string, string>> = {
  EPERM: "not permitted",
  ENOENT: "there is no such file",
  ENXIO: "there is no such device",
  ENOMEM: "the host is out of memory",
  EACCES: "permission denied",
  EFAULT: "bad address",
  EBUSY: "busy",
  EEXIST: "it exists already",
  ENODEV: "there is no such device",
  EINVAL: "invalid argument",
  EMFILE: "this process has too many open files",
  ENFILE: "the host has too many open files",
  ENOTTY: "the kernel does not know it",
  ENOSYS: "the kernel does not have it",
  EOPNOTSUPP: "not supported",
};

/** The error number of the last call that failed on this thread. */
export function lastErrno(): number {
  return library().errno[0];
}

/** Opens a file; gives its descriptor, or minus the error number. */
export function openFile(path: string, flags: number): number {
  const descriptor = library().calls.open(cString(path), flags | LIBC.O_CLOEXEC, 0);
  return descriptor < 0 ? -lastErrno() : descriptor;
}

/** Closes a descriptor. */
export function closeFile(descriptor: number): void {
  library().calls.close(descriptor);
}

/** The first bytes of a small file as text; undefined where it cannot be read. */
export function readSmallFile(path: string, maxBytes = 1 << 16): string | undefined {
  const descriptor = openFile(path, LIBC.O_RDONLY);
  if (descriptor < 0) return undefined;
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  for (;;) {
    const got = Number(library().calls.read(descriptor, bytes.subarray(length), BigInt(maxBytes - length)));
    if (got <= 0) break;
    length += got;
  }
  closeFile(descriptor);
  return new TextDecoder().decode(bytes.subarray(0, length));
}

/** The permission bits and the group's number of a file; undefined where there is none. */
export function fileMode(path: string): { readonly mode: number; readonly group: number } | undefined {
  const { fields, bytes } = STRUCTS.stat;
  const stat = new Uint8Array(bytes);
  if (library().calls.syscallBuffers(SYS.stat, cString(path), stat, null) < 0) return undefined;
  const view = new DataView(stat.buffer);
  return { mode: view.getUint32(fields.st_mode[0], true), group: view.getUint32(fields.st_gid[0], true) };
}

/** An ioctl with a pointer. Fast. Gives what the call gives: -1 where it fails. */
export function ioctl(descriptor: number, request: number, argument: Deno.PointerValue): number {
  return library().calls.ioctl(descriptor, request, argument);
}

/** An ioctl that reads or writes a structure. */
export function ioctlBuffer(descriptor: number, request: number, bytes: Uint8Array<ArrayBuffer>): number {
  return library().calls.ioctlBuffer(descriptor, request, bytes);
}

/** An ioctl whose argument is a number. */
export function ioctlNumber(descriptor: number, request: number, argument: number): number {
  return library().calls.ioctlNumber(descriptor, request, BigInt(argument));
}

/** An ioctl with one argument that is made again and again: everything that can be looked up once is. */
export function preparedIoctl(
  descriptor: number,
  request: number,
  argument: Deno.PointerValue,
): () => number {
  const { ioctl } = library().calls;
  return () => ioctl(descriptor, request, argument);
}

/** Maps a descriptor's memory, shared with the kernel. @throws {PosixError} when the kernel refuses. */
export function mapShared(descriptor: number, bytes: number): HostPages {
  const { mmap, munmap } = library().calls;
  const protection = LIBC.PROT_READ | LIBC.PROT_WRITE;
  const pointer = mmap(0n, BigInt(bytes), protection, LIBC.MAP_SHARED, descriptor, 0n);
  const address = Number(Deno.UnsafePointer.value(pointer));
  if (pointer === null || address > 2 ** 52) throw new PosixError("mmap", lastErrno());
  return {
    buffer: Deno.UnsafePointerView.getArrayBuffer(pointer, bytes),
    address,
    free: () => void munmap(pointer, BigInt(bytes)),
  };
}

/** The bytes at a host address, which somebody else has mapped. */
export function bytesAt(address: number, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer(address)!, length));
}

/** The kernel's number of this thread. */
export function threadId(): number {
  return library().calls.syscall(SYS.gettid, 0, 0, null, null);
}

/**
 * The signal that ends a blocking system call: the first real-time signal that glibc, musl and their debuggers
 * leave alone, from the far end, where nobody else looks for one.
 */
export const KICK_SIGNAL: number = LIBC.SIGRTMAX - 3;

let kickHandlerInstalled = false;

/**
 * Lets {@linkcode KICK_SIGNAL} do nothing but interrupt. Other system calls than KVM_RUN, which never restarts,
 * go on by themselves.
 */
export function installKickHandler(): void {
  if (kickHandlerInstalled) return;
  const { bytes, fields } = STRUCTS.sigaction;
  const action = new DataView(new ArrayBuffer(bytes));
  const handler = library().calls.abs as unknown as Deno.PointerValue;
  action.setBigUint64(fields.sa_handler[0], Deno.UnsafePointer.value(handler), true);
  action.setInt32(fields.sa_flags[0], LIBC.SA_RESTART, true);
  if (library().calls.sigaction(KICK_SIGNAL, new Uint8Array(action.buffer), null) < 0) {
    throw new PosixError("sigaction", lastErrno());
  }
  kickHandlerInstalled = true;
}

/** Sends {@linkcode KICK_SIGNAL} to a thread of this process. False when there is no such thread. */
export function kickThread(thread: number): boolean {
  return library().calls.syscall(SYS.tgkill, Deno.pid, thread, KICK, null) === 0;
}

const KICK = Deno.UnsafePointer.create(BigInt(KICK_SIGNAL));

/** How often a timer that has gone off does so again until it is disarmed, in ns. */
const REPEAT_NS = 500_000;

/**
 * A timer that sends {@linkcode KICK_SIGNAL} to the thread that made it. It goes off again and again: a signal
 * that arrives just before the thread enters the kernel would be lost otherwise. Arming costs about 0.3 µs.
 */
export class ThreadTimer implements Disposable {
  readonly #timer: number;
  readonly #pages: HostPages;
  /** `itimerspec` in words: seconds and nanoseconds fit the low halves of their fields. */
  readonly #spec: Int32Array;
  readonly #specPointer: Deno.PointerValue;
  readonly #settime: Posix["syscall"];

  constructor() {
    const { calls } = library();
    this.#settime = calls.syscall;
    this.#pages = mappedMemory.allocate(PAGE_SIZE);
    const { fields } = STRUCTS.sigevent;
    const event = new DataView(this.#pages.buffer);
    event.setInt32(fields.sigev_signo[0], KICK_SIGNAL, true);
    event.setInt32(fields.sigev_notify[0], LIBC.SIGEV_THREAD_ID, true);
    event.setInt32(fields["_sigev_un._tid"][0], threadId(), true);
    // The timer's number is written where its times will be.
    this.#spec = new Int32Array(this.#pages.buffer, SPEC, STRUCTS.itimerspec.bytes / 4);
    this.#specPointer = pointer(this.#pages.address + SPEC);
    const eventPointer = pointer(this.#pages.address);
    if (calls.syscallPointers(SYS.timer_create, LIBC.CLOCK_MONOTONIC, eventPointer, this.#specPointer) < 0) {
      this.#pages.free();
      throw new PosixError("timer_create", lastErrno());
    }
    this.#timer = this.#spec[0];
    this.#spec[0] = 0;
  }

  /** Goes off after `ns` nanoseconds (at least one), and from then on every half millisecond. */
  arm(ns: number): void {
    this.#set(Math.max(1, Math.ceil(ns)), REPEAT_NS);
  }

  /** Goes off no more. */
  disarm(): void {
    this.#set(0, 0);
  }

  #set(ns: number, repeatNs: number): void {
    const spec = this.#spec;
    const seconds = Math.floor(ns / 1e9);
    spec[INTERVAL_NSEC] = repeatNs;
    spec[VALUE_SEC] = seconds;
    spec[VALUE_NSEC] = ns - seconds * 1e9;
    this.#settime(SYS.timer_settime, this.#timer, 0, this.#specPointer, null);
  }

  [Symbol.dispose](): void {
    library().calls.syscall(SYS.timer_delete, this.#timer, 0, null, null);
    this.#pages.free();
  }
}

/** Where in the page the times are; what tells the timer whom to signal comes first. */
const SPEC = 256;
const INTERVAL_NSEC = STRUCTS.itimerspec.fields["it_interval.tv_nsec"][0] >> 2;
const VALUE_SEC = STRUCTS.itimerspec.fields["it_value.tv_sec"][0] >> 2;
const VALUE_NSEC = STRUCTS.itimerspec.fields["it_value.tv_nsec"][0] >> 2;

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
