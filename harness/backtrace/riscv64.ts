/**
 * Unwinds riscv64 by frame pointers, as Linux does (`arch/riscv/kernel/stacktrace.c`): s0 holds the caller's stack
 * pointer; below it lie the return address (fp-8) and the caller's s0 (fp-16); a function that calls none saves only
 * s0 (fp-8). Where the kernel was entered, the return address is in its entry code and struct pt_regs lies at the
 * frame pointer.
 *
 * A vCPU may stand anywhere, also where a function has not yet made its frame or has already left it. That is read
 * from the function's code up to there: the psABI's prologues and epilogues are few.
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
import { type FrameState, LEAF_FRAME, riscvFrameState, USUAL_FRAME } from "./riscv64_code.ts";

/** The kernel's entry code, whose callees return into it. */
const ENTRY_FUNCTIONS: ReadonlySet<string> = new Set(["handle_exception", "ret_from_exception"]);

/** Where tasks begin: below lies nothing, or what the stack held before. */
const ROOT_FUNCTIONS: ReadonlySet<string> = new Set(["ret_from_fork", "ret_from_fork_kernel_asm"]);

// struct pt_regs, arch/riscv/include/asm/ptrace.h
const PT_EPC = 0n;
const PT_RA = 8n;
const PT_SP = 16n;
const PT_S0 = 64n;

/** A caller's frame lies within the kernel's largest stack (64 KiB with KASAN) above its callee's. */
const MAX_FRAME_BYTES = 1n << 16n;
const CALL_BYTES = 4;

/** riscv64. */
export const riscv64: Unwinder = {
  start(cpu: RegisterSource): UnwindFrame {
    const user = cpu.mode === "user";
    const [pc, sp, fp, link] = ["pc", "sp", "s0", "ra"].map((name) => cpu.register(name));
    return { pc, sp, fp, user, called: false, link, exceptionPc: optionalRegister(cpu, "sepc") };
  },

  caller(frame: UnwindFrame, context: UnwindContext): UnwindFrame | undefined {
    if (frame.savedRegisters !== undefined) return interrupted(frame.savedRegisters, context);
    const inEntry = !frame.user && frame.exceptionPc !== undefined &&
      ENTRY_FUNCTIONS.has(kernelFunction(frame.pc, false, context) ?? "");
    if (inEntry) return interruptedByEntry(frame, frame.exceptionPc, context);
    if (frame.called && ROOT_FUNCTIONS.has(kernelFunction(frame.pc, true, context) ?? "")) return undefined;
    const found = unwind(frame, context);
    if (!found) return undefined;
    const { pc, fp, sp } = found;
    if (frame.user) return isAfterCall(pc, context) ? { pc, fp, sp, user: true, called: true } : undefined;
    if (!mayBeKernelCode(pc, frame, context)) return undefined;
    const entry = ENTRY_FUNCTIONS.has(kernelFunction(pc, false, context) ?? "");
    return { pc, fp, sp, user: false, called: true, ...(entry && { savedRegisters: sp }) };
  },
};

/** Where the frame returns to, and what its caller's s0 and sp are. */
function unwind(
  frame: UnwindFrame,
  context: UnwindContext,
): { pc: bigint; fp: bigint; sp: bigint } | undefined {
  const { sp, fp, link } = frame;
  const state = frame.called ? USUAL_FRAME : innermostState(frame, context);
  if (state.kind === "none") {
    return link === undefined ? undefined : { pc: link, fp, sp: sp + BigInt(state.pushedBytes) };
  }
  if (fp % 8n !== 0n || fp < sp) return undefined;
  const word = (below: number) => context.memory.word(fp - BigInt(below));
  const pc = state.linkBelow === undefined ? link : word(state.linkBelow);
  const callerFp = word(state.callerFpBelow);
  return pc === undefined || callerFp === undefined ? undefined : { pc, fp: callerFp, sp: fp };
}

/** How far a function that stands in its middle has got with its frame. */
function innermostState(frame: UnwindFrame, context: UnwindContext): FrameState {
  const code = codeBefore(frame, context);
  if (code) return riscvFrameState(code);
  // Without its code's beginning: what lies where the return address should says whether that was saved.
  const upper = context.memory.word(frame.fp - 8n);
  const isStack = upper !== undefined && upper % 8n === 0n && upper > frame.fp &&
    upper - frame.fp < MAX_FRAME_BYTES;
  return isStack ? LEAF_FRAME : USUAL_FRAME;
}

/** The code that was interrupted, by the registers that entry code has saved. */
function interrupted(registers: bigint, { memory }: UnwindContext): UnwindFrame | undefined {
  const [pc, link, sp, fp] = [PT_EPC, PT_RA, PT_SP, PT_S0].map((offset) => memory.word(registers + offset));
  if (pc === undefined || link === undefined || sp === undefined || fp === undefined) return undefined;
  return { pc, sp, fp, link, user: !isKernelAddress(pc), called: false };
}

/** The code that was interrupted, while entry code itself runs: in pt_regs, or not yet out of its registers. */
function interruptedByEntry(frame: UnwindFrame, pc: bigint, context: UnwindContext): UnwindFrame | undefined {
  const saved = interrupted(frame.sp, context);
  if (saved?.pc === pc) return saved;
  const { sp, fp, link } = frame;
  return { pc, sp, fp, link, user: !isKernelAddress(pc), called: false };
}

/** Whether the instruction before an address is a call: user code rarely keeps frame pointers, so this is proof. */
function isAfterCall(pc: bigint, { memory }: UnwindContext): boolean {
  if (pc % 2n !== 0n || isKernelAddress(pc)) return false;
  const code = memory.bytes(pc - BigInt(CALL_BYTES), CALL_BYTES);
  if (code.length < CALL_BYTES) return false;
  const full = new DataView(code.buffer, code.byteOffset).getUint32(0, true);
  const jal = (full & 0xfff) === 0x0ef, jalr = (full & 0x7fff) === 0x00e7; // rd = ra
  const compressed = full >>> 16;
  const cJalr = (compressed & 0xf07f) === 0x9002 && (compressed & 0x0f80) !== 0;
  return jal || jalr || cJalr;
}
