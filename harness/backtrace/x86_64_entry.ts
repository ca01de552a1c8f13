/**
 * What unwinding x86_64 needs whatever the kernel was built with: the registers that it saves when it is entered,
 * struct pt_regs (`arch/x86/include/asm/ptrace.h`), and what calls look like.
 */
import type { StackMemory, UnwindContext, UnwindFrame } from "./unwinder.ts";

/** Offsets in struct pt_regs of the registers that unwinding may need. */
const SAVED: Readonly<Record<string, bigint>> = {
  r13: 16n,
  rbp: 32n,
  r10: 56n,
  rdx: 96n,
  rdi: 112n,
};
const SAVED_RBP = 32n;
/** Where the part begins that the processor itself pushes. */
export const IRET_OFFSET = 128n;
const SAVED_RIP = 128n;
const SAVED_CS = 136n;
const SAVED_RSP = 152n;
/** The privilege level of a code segment. */
const CS_LEVEL = 3n;

/** The frame that was interrupted, by its saved registers. */
export function savedFrame(registers: bigint, memory: StackMemory): UnwindFrame | undefined {
  const fp = memory.word(registers + SAVED_RBP);
  const frame = fp === undefined ? undefined : interruptedFrame(registers, fp, memory);
  return frame && {
    ...frame,
    register: (name) => name in SAVED ? memory.word(registers + SAVED[name]) : undefined,
  };
}

/** The frame that was interrupted, by what the processor has pushed; `fp` is its frame pointer. */
export function interruptedFrame(
  registers: bigint,
  fp: bigint,
  memory: StackMemory,
): UnwindFrame | undefined {
  const [pc, cs, sp] = [SAVED_RIP, SAVED_CS, SAVED_RSP].map((offset) => memory.word(registers + offset));
  if (pc === undefined || cs === undefined || sp === undefined) return undefined;
  return { pc, sp, fp, user: (cs & CS_LEVEL) === CS_LEVEL, called: false };
}

/** Whether the instruction before an address is a call, direct or indirect. */
export function isAfterCall(pc: bigint, { memory }: UnwindContext): boolean {
  if (pc < 7n) return false;
  const code = memory.bytes(pc - 7n, 7);
  if (code.length < 7) return false;
  if (code[2] === 0xe8) return true; // call rel32
  // call r/m64 (ff /2): with no, an 8-bit or a 32-bit displacement, with or without an index byte
  return [[5, 2], [4, 3], [3, 4], [1, 6], [0, 7]].some(([at]) =>
    code[at] === 0xff && (code[at + 1] >> 3 & 7) === 2
  );
}
