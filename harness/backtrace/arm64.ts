/**
 * Unwinds arm64 by frame records, as Linux does (`arch/arm64/kernel/stacktrace.c`): x29 points to the caller's x29,
 * behind which lies the return address. Where the kernel was entered, the record is part of struct pt_regs.
 *
 * A vCPU may stand where a function has not yet made its record, has left it, or makes none: then the return address
 * is in x30. That is read from the function's code up to there. Return addresses may be signed (PAC); kernel code and
 * programs lie within 48 bits, so the signature is taken off without knowing the key.
 */
import {
  codeBefore,
  isKernelAddress,
  kernelFunction,
  mayBeKernelCode,
  optionalRegister,
  type RegisterSource,
  type UnwindContext,
  type Unwinder,
  type UnwindFrame,
} from "./unwinder.ts";

/** The kernel's entry code, named by the level and mode an exception came from (`arch/arm64/kernel/entry.S`). */
const ENTRY_FUNCTION = /^(?:el[01][th]_(?:64|32)_(?:sync|irq|fiq|error)|vectors|ret_to_(?:user|kernel))$/;

// struct pt_regs, arch/arm64/include/asm/ptrace.h
const PT_X29 = 232n;
const PT_X30 = 240n;
const PT_SP = 248n;
const PT_PC = 256n;
const PT_PSTATE = 264n;
/** Where pt_regs has its frame record: before Linux 6.13, and since. */
const RECORD_OFFSETS = [304n, 296n];
/** Bits of pstate that say the execution state and level; 0 is 64-bit user mode. */
const PSTATE_MODE = 0x1fn;

const ADDRESS_MASK = (1n << 48n) - 1n;
const SIGN_BIT = 55n;

/** arm64. */
export const arm64: Unwinder = {
  start(cpu: RegisterSource): UnwindFrame {
    const [pc, sp, fp, link] = ["pc", "sp", "x29", "x30"].map((name) => cpu.register(name));
    const user = cpu.mode === "user";
    return {
      pc,
      sp,
      fp,
      link: unsigned(link),
      user,
      called: false,
      exceptionPc: optionalRegister(cpu, "elr_el1"),
    };
  },

  caller(frame: UnwindFrame, context: UnwindContext): UnwindFrame | undefined {
    const { memory } = context;
    const { pc, sp, fp, link, user, called } = frame;
    const inEntry = !user && ENTRY_FUNCTION.test(kernelFunction(pc, called, context) ?? "");
    if (inEntry) return called ? interruptedBelow(fp, context) : interruptedByEntry(frame);
    const hasRecord = called || arm64HasRecord(codeBefore(frame, context));
    if (!hasRecord && link !== undefined) return believable({ pc: link, sp, fp }, frame, context);
    if (fp % 8n !== 0n || fp === 0n) return undefined;
    const callerFp = memory.word(fp), returnTo = memory.word(fp + 8n);
    if (callerFp === undefined || returnTo === undefined || returnTo === 0n) return undefined;
    return believable({ pc: unsigned(returnTo), sp: fp + 16n, fp: callerFp }, frame, context);
  },
};

function believable(
  caller: { pc: bigint; sp: bigint; fp: bigint },
  callee: UnwindFrame,
  context: UnwindContext,
): UnwindFrame | undefined {
  const { user } = callee;
  const known = user ? isAfterCall(caller.pc, context) : mayBeKernelCode(caller.pc, callee, context);
  return known ? { ...caller, user, called: true } : undefined;
}

/** The code that was interrupted, by the registers around entry code's frame record. */
function interruptedBelow(record: bigint, { memory }: UnwindContext): UnwindFrame | undefined {
  for (const offset of RECORD_OFFSETS) {
    const registers = record - offset;
    const [pc, sp, fp, link, pstate] = [PT_PC, PT_SP, PT_X29, PT_X30, PT_PSTATE].map((at) =>
      memory.word(registers + at)
    );
    if (pc === undefined || sp === undefined || fp === undefined) return undefined;
    if (link === undefined || pstate === undefined) return undefined;
    const user = (pstate & PSTATE_MODE) === 0n;
    const plausible = pc !== 0n && pc % 4n === 0n && pstate >> 32n === 0n && isKernelAddress(pc) !== user;
    if (plausible) return { pc, sp, fp, link: unsigned(link), user, called: false };
  }
  return undefined;
}

/** The code that was interrupted, while entry code itself runs: its other registers may still be in use. */
function interruptedByEntry({ exceptionPc, sp, fp, link }: UnwindFrame): UnwindFrame | undefined {
  if (exceptionPc === undefined) return undefined;
  return { pc: exceptionPc, sp, fp, link, user: !isKernelAddress(exceptionPc), called: false };
}

/** Whether a function has made its frame record, by its instructions so far; unknown code is taken to have. */
export function arm64HasRecord(code: Uint8Array | undefined): boolean {
  if (!code) return true;
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  let has = false, before = false;
  for (let at = 0; at + 4 <= code.length; at += 4) {
    const word = view.getUint32(at, true);
    if ((word & 0xff8003ff) >>> 0 === 0x910003fd) has = before = true; // add x29, sp, …
    else if ((word & 0xfec07fff) >>> 0 === 0xa8c07bfd || (word & 0xffc07fff) >>> 0 === 0xa9407bfd) {
      has = false; // ldp x29, x30
    } else if (isLeave(word)) has = before; // what lies behind is reached from the body
  }
  return has;
}

/** ret, retaa, br, b, eret: what lies behind is reached by a branch only. */
function isLeave(word: number): boolean {
  return (word & 0xff9ff000) >>> 0 === 0xd61f0000 && (word >>> 21 & 3) !== 1 || word >>> 26 === 0x05 ||
    word >>> 0 === 0xd69f03e0;
}

/** Whether the instruction before an address is a call, bl or blr. */
function isAfterCall(pc: bigint, { memory }: UnwindContext): boolean {
  if (pc % 4n !== 0n || isKernelAddress(pc)) return false;
  const code = memory.bytes(pc - 4n, 4);
  if (code.length < 4) return false;
  const word = new DataView(code.buffer, code.byteOffset).getUint32(0, true);
  return word >>> 26 === 0x25 || (word & 0xfffff000) >>> 0 === 0xd63f0000;
}

/** An address without its signature. */
function unsigned(address: bigint): bigint {
  const plain = address & ADDRESS_MASK;
  return address >> SIGN_BIT & 1n ? plain | ~ADDRESS_MASK & 0xffff_ffff_ffff_ffffn : plain;
}
