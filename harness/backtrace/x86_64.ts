/**
 * Unwinds x86_64: the kernel by its ORC tables where it has them (see `orc.ts`), as most do, or else by frame
 * pointers; programs by frame pointers, which most lack. rbp points to the caller's rbp, behind which lies the return
 * address. With frame pointers, entry code leaves rbp pointing one byte into struct pt_regs to mark it
 * (`arch/x86/include/asm/frame.h`).
 */
import { findOrcTables, orcCaller, type OrcTables } from "./orc.ts";
import {
  codeBefore,
  isKernelAddress,
  mayBeKernelCode,
  optionalRegister,
  type RegisterSource,
  type UnwindContext,
  type Unwinder,
  type UnwindFrame,
} from "./unwinder.ts";
import { isAfterCall, savedFrame } from "./x86_64_entry.ts";

/** By backtrace: the kernel's tables, once they were found. */
const tablesOf = new WeakMap<UnwindContext, OrcTables>();

/** x86_64. */
export const x86_64: Unwinder = {
  start(cpu: RegisterSource): UnwindFrame {
    const [pc, sp, fp] = ["pc", "rsp", "rbp"].map((name) => cpu.register(name));
    return {
      pc,
      sp,
      fp,
      user: cpu.mode === "user",
      called: false,
      register: (name) => optionalRegister(cpu, name),
    };
  },

  caller(frame: UnwindFrame, context: UnwindContext): UnwindFrame | undefined {
    const orc = frame.user ? undefined : tablesOf.get(context) ?? findOrcTables(context);
    if (orc) {
      tablesOf.set(context, orc);
      return orcCaller(frame, orc, context);
    }
    const { fp, sp, user, called } = frame;
    if (!user && (fp & 1n) === 1n) return savedFrame(fp - 1n, context.memory);
    const below = called ? undefined : pushedBytes(codeBefore(frame, context));
    const [at, callerFp] = below === undefined
      ? [fp + 8n, context.memory.word(fp)]
      : [sp + BigInt(below), fp];
    if (below === undefined && (fp % 8n !== 0n || fp < sp)) return undefined;
    const pc = context.memory.word(at);
    if (pc === undefined || callerFp === undefined) return undefined;
    const known = user
      ? !isKernelAddress(pc) && isAfterCall(pc, context)
      : mayBeKernelCode(pc, frame, context);
    return known ? { pc, sp: at + 8n, fp: callerFp, user, called: true } : undefined;
  },
};

/** Bytes a function has pushed before its frame pointer was set up; undefined once it is, or where it is not known. */
function pushedBytes(code: Uint8Array | undefined): number | undefined {
  if (!code) return undefined;
  let at = 0;
  const skip = (...bytes: number[]) => {
    if (bytes.every((byte, i) => code[at + i] === byte)) at += bytes.length;
  };
  skip(0xf3, 0x0f, 0x1e, 0xfa); // endbr64
  if (code[at] === 0xe8 || code[at] === 0x0f && code[at + 1] === 0x1f) at += 5; // call __fentry__, or its nop
  if (at >= code.length) return 0;
  if (code[at] !== 0x55) return undefined; // push %rbp
  return code.length === at + 1 ? 8 : undefined;
}
