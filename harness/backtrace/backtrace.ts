/**
 * How a vCPU got to where it stands: the chain of calls, across exceptions and system calls into user code. Only
 * memory is read. Whatever the guest's stack holds, the walk ends: frames are counted, and none comes twice.
 */
import type { Symbolizer } from "../symbols/symbolizer.ts";
import { BootwrightError, InputError } from "../errors.ts";
import { arm64 } from "./arm64.ts";
import type { Frame } from "./frame.ts";
import { riscv64 } from "./riscv64.ts";
import type { RegisterSource, StackMemory, UnwindContext, Unwinder, UnwindFrame } from "./unwinder.ts";
import { x86_64 } from "./x86_64.ts";

export type { Frame };

/** What a backtrace may be told. */
export interface BacktraceOptions {
  /** Names the kernel's code. @default frames have no symbols */
  readonly kernel?: Symbolizer;
  /** Names the running program's code. @default user frames have no symbols */
  readonly user?: Symbolizer;
  /** Most frames to give. @default 64 */
  readonly limit?: number;
}

/** Guest memory by virtual address, as {@linkcode GuestMemory} gives it. */
export interface VirtualMemory {
  /** Copies bytes, through the page tables that a vCPU uses now; throws a BootwrightError where nothing is mapped. */
  read(address: bigint, length: number, options?: { readonly cpu?: number }): Uint8Array;
}

/** Architecture → unwinder, by the names that boards and the symbols of ELF files have. */
const UNWINDERS: Readonly<Record<string, Unwinder>> = { riscv64, arm64, aarch64: arm64, x86_64 };

const DEFAULT_LIMIT = 64;
const MAX_LIMIT = 4096;
const PAGE_BYTES = 4096n;

/**
 * The frames of a vCPU of a machine that stands still, innermost first; never empty.
 *
 * @param arch "riscv64", "arm64" or "x86_64".
 * @throws {InputError} when the architecture is not known.
 */
export function backtrace(
  cpu: RegisterSource,
  memory: VirtualMemory,
  arch: string,
  options: BacktraceOptions = {},
): Frame[] {
  return backtraceFrom(unwinder(arch).start(cpu), cpu.index, memory, arch, options);
}

/**
 * The frames of a task that does not run, from the registers with which it was switched out.
 *
 * @param start Its innermost frame.
 * @param cpu Through which vCPU's page tables memory is read.
 */
export function backtraceFrom(
  start: UnwindFrame,
  cpu: number,
  memory: VirtualMemory,
  arch: string,
  options: BacktraceOptions = {},
): Frame[] {
  const { caller } = unwinder(arch);
  const context: UnwindContext = {
    memory: stackMemory(memory, cpu),
    kernel: options.kernel?.table,
    user: options.user?.table,
  };
  const limit = Math.min(Math.max(1, options.limit ?? DEFAULT_LIMIT), MAX_LIMIT);
  const frames: Frame[] = [];
  const seen = new Set<string>();
  for (let frame: UnwindFrame | undefined = start; frame && frames.length < limit;) {
    const key = `${frame.pc} ${frame.sp} ${frame.fp} ${frame.user}`;
    if (seen.has(key)) break;
    seen.add(key);
    const { pc, sp, called, user } = frame;
    const place = (user ? options.user : options.kernel)?.place(pc, called ? "return" : "exact");
    frames.push({ pc, sp, mode: user ? "user" : "kernel", called, ...place });
    frame = caller(frame, context);
  }
  return frames;
}

function unwinder(arch: string): Unwinder {
  const found = UNWINDERS[arch];
  if (!found) throw new InputError(`There are no backtraces for the architecture "${arch}".`);
  return found;
}

/** Reads that say "nothing there" instead of throwing, and never further than what is mapped. */
function stackMemory(memory: VirtualMemory, cpu: number): StackMemory {
  const bytes = (address: bigint, length: number): Uint8Array => {
    const pieces: Uint8Array[] = [];
    let at = address, left = length;
    while (left > 0 && at >= 0n && at < 1n << 64n) {
      const count = Math.min(left, Number(PAGE_BYTES - at % PAGE_BYTES));
      let piece: Uint8Array;
      try {
        piece = memory.read(at, count, { cpu });
      } catch (error) {
        if (error instanceof BootwrightError) break;
        throw error;
      }
      pieces.push(piece);
      at += BigInt(count);
      left -= count;
    }
    if (pieces.length === 1) return pieces[0];
    const joined = new Uint8Array(length - left);
    let offset = 0;
    for (const piece of pieces) {
      joined.set(piece, offset);
      offset += piece.length;
    }
    return joined;
  };
  const word = (address: bigint): bigint | undefined => {
    const found = bytes(address, 8);
    return found.length < 8 ? undefined : new DataView(found.buffer, found.byteOffset).getBigUint64(0, true);
  };
  return { bytes, word };
}
