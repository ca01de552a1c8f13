/**
 * What an architecture gives to backtraces: where a vCPU stands, and from one frame the way to its caller's. One
 * file per architecture implements it; `backtrace.ts` walks. Everything read is the guest's and may be wrong: an
 * unwinder answers "no caller" rather than believe it.
 */
import { InputError } from "../errors.ts";
import type { SymbolTable } from "../symbols/symbol_table.ts";

/** A vCPU's registers, by their names. */
export interface RegisterSource {
  /** Its number. */
  readonly index: number;
  /** Privilege mode, "user" for user mode. */
  readonly mode: string;
  /** The value of a register. */
  register(name: string): bigint;
}

/** Guest memory, as one vCPU sees it. */
export interface StackMemory {
  /** The 64-bit word at an address; undefined where nothing is mapped. */
  word(address: bigint): bigint | undefined;
  /** Up to `length` bytes from an address on; fewer, or none, where less is mapped. */
  bytes(address: bigint, length: number): Uint8Array;
}

/** A frame on the way out. */
export interface UnwindFrame {
  /** The instruction to execute next in this frame. */
  readonly pc: bigint;
  /** Stack pointer, or the nearest value known to lie in this frame. */
  readonly sp: bigint;
  /** Frame pointer. */
  readonly fp: bigint;
  /** Whether it is user code. */
  readonly user: boolean;
  /** Whether `pc` is where a call returns to; else it was interrupted there, or is where the vCPU stands. */
  readonly called: boolean;
  /** Where a call made last would return to (riscv ra, arm64 x30); known only of frames that were interrupted. */
  readonly link?: bigint;
  /** The other registers, where they are known: of frames that were interrupted. */
  readonly register?: (name: string) => bigint | undefined;
  /** Where the exception was taken that the vCPU handles, if any; of use only while entry code runs. */
  readonly exceptionPc?: bigint;
  /** Where the registers of the interrupted code lie, if this frame is the kernel's entry code. */
  readonly savedRegisters?: bigint;
}

/** What an unwinder may look at. */
export interface UnwindContext {
  /** Guest memory. */
  readonly memory: StackMemory;
  /** The kernel's symbols, where it runs, if there are any. */
  readonly kernel: SymbolTable | undefined;
  /** The running program's symbols, if there are any. */
  readonly user: SymbolTable | undefined;
}

/** How one architecture is unwound. */
export interface Unwinder {
  /** The frame in which a vCPU stands. */
  start(cpu: RegisterSource): UnwindFrame;
  /** The frame that called it, or that it interrupted; undefined at the outermost one, and where none is found. */
  caller(frame: UnwindFrame, context: UnwindContext): UnwindFrame | undefined;
}

/** The most code that is read to learn how far a function has got with its frame. */
const MAX_FUNCTION_BYTES = 1 << 14;

/** Modules are within reach of a call, which is 2 GiB at most. */
const MODULE_REACH = 1n << 32n;

/** A register that not every vCPU has. */
export function optionalRegister(cpu: RegisterSource, name: string): bigint | undefined {
  try {
    return cpu.register(name);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** Whether an address is the kernel's: in the upper half of the address space. */
export function isKernelAddress(address: bigint): boolean {
  return address >> 63n === 1n;
}

/** The code of the frame's function from its first instruction up to pc; undefined where that is not known. */
export function codeBefore(frame: UnwindFrame, context: UnwindContext): Uint8Array | undefined {
  const found = (frame.user ? context.user : context.kernel)?.find(frame.pc);
  if (!found || !isCodeType(found.symbol.type) || found.offset > MAX_FUNCTION_BYTES) return undefined;
  const code = context.memory.bytes(found.symbol.address, found.offset);
  return code.length === found.offset ? code : undefined;
}

/** The name of the kernel's function that contains an address. */
export function kernelFunction(pc: bigint, called: boolean, context: UnwindContext): string | undefined {
  return context.kernel?.find(called ? pc - 1n : pc)?.symbol.name;
}

/**
 * Whether a frame of the kernel could have been called from before this address. What symbols say is data is not;
 * what they do not know may be a module, all of which lie near the kernel.
 */
export function mayBeKernelCode(pc: bigint, callee: UnwindFrame, context: UnwindContext): boolean {
  if (!isKernelAddress(pc)) return false;
  const found = context.kernel?.find(pc - 1n);
  if (found) return isCodeType(found.symbol.type);
  const distance = pc - callee.pc;
  return distance < MODULE_REACH && -distance < MODULE_REACH && context.memory.bytes(pc - 1n, 1).length === 1;
}

function isCodeType(type: string): boolean {
  return /^[tw]$/i.test(type);
}
