/**
 * Zicsr (unprivileged specification, chapter 6): the registers that busy code reads and writes. The rest, and
 * every access that is illegal or has wider consequences, is the interpreter's (`../csr.ts` has the rules).
 */
import {
  COND_EQ,
  COND_NE,
  type Ir,
  OP_AND64,
  OP_CLEAR_FP_FLAGS,
  OP_CONST,
  OP_FADD,
  OP_FLE,
  OP_FLE_QUIET,
  OP_FLT,
  OP_FLT_QUIET,
  OP_FP_FLAGS,
  OP_OR64,
  OP_TIME,
  OP_XOR64,
  type Value,
} from "../../../translator/ir.ts";
import { STATE_INTERRUPT_PENDING } from "../../../translator/layout.ts";
import { CSR_CLEAR, CSR_SET, CSR_WRITE, STATUS_DIRTY, STATUS_SUPERVISOR, STATUS_UXL } from "../csr.ts";
import { csr, rd, rs1, uimm } from "../decode.ts";
import {
  CONTEXT_FPU_CLEAN,
  CONTEXT_FPU_DIRTY,
  CONTEXT_FPU_OFF,
  CONTEXT_FPU_SHIFT,
  MMU_MACHINE,
  MMU_SUPERVISOR,
  MMU_SUPERVISOR_SUM,
  MMU_USER,
  S_FFLAGS,
  S_MCAUSE,
  S_MCOUNTEREN,
  S_MEPC,
  S_MSCRATCH,
  S_MSTATUS,
  S_MTVAL,
  S_SATP,
  S_SCAUSE,
  S_SCOUNTEREN,
  S_SEPC,
  S_SSCRATCH,
  S_STVAL,
} from "../state.ts";
import { MSTATUS_FS, MSTATUS_MXR, MSTATUS_SIE, MSTATUS_SUM, MSTATUS_TVM } from "../trap.ts";
import type { Translation, Translations } from "./translation.ts";

/** Ops from here on are FP arithmetic, which raises flags. */
const FIRST_FLAG_RAISING = OP_FADD;

const FFLAGS = 0x001;
const SSTATUS = 0x100;
const SATP = 0x180;
const TIME = 0xc01;
const FS_CLEAN = 2 << 13;
const TIME_ENABLED = 1 << 1; // in mcounteren and scounteren

/** Registers that are nothing but a slot. Low bits of `epc` registers are hard-wired to zero. */
const PLAIN_SLOT = new Int32Array(4096);
PLAIN_SLOT[0x140] = S_SSCRATCH;
PLAIN_SLOT[0x141] = S_SEPC;
PLAIN_SLOT[0x142] = S_SCAUSE;
PLAIN_SLOT[0x143] = S_STVAL;
PLAIN_SLOT[0x340] = S_MSCRATCH;
PLAIN_SLOT[0x341] = S_MEPC;
PLAIN_SLOT[0x342] = S_MCAUSE;
PLAIN_SLOT[0x343] = S_MTVAL;

function csrrw(t: Translation, insn: number): void {
  access(t, insn, CSR_WRITE, true, t.x(rs1(insn)));
}

function csrrs(t: Translation, insn: number): void {
  access(t, insn, CSR_SET, rs1(insn) !== 0, t.x(rs1(insn)));
}

function csrrc(t: Translation, insn: number): void {
  access(t, insn, CSR_CLEAR, rs1(insn) !== 0, t.x(rs1(insn)));
}

function csrrwi(t: Translation, insn: number): void {
  access(t, insn, CSR_WRITE, true, t.ir.const(uimm(insn)));
}

function csrrsi(t: Translation, insn: number): void {
  access(t, insn, CSR_SET, uimm(insn) !== 0, t.ir.const(uimm(insn)));
}

function csrrci(t: Translation, insn: number): void {
  access(t, insn, CSR_CLEAR, uimm(insn) !== 0, t.ir.const(uimm(insn)));
}

function access(t: Translation, insn: number, op: number, writes: boolean, operand: Value): void {
  const number = csr(insn);
  const supervisor = t.mmuIndex === MMU_SUPERVISOR || t.mmuIndex === MMU_SUPERVISOR_SUM;
  if (number === SSTATUS && supervisor) return status(t, insn, op, writes, operand);
  if (number === SATP && supervisor && !writes) return readSatp(t, insn);
  if (number === TIME && !writes) return readTime(t, insn);
  if (number === FFLAGS && t.fpu === CONTEXT_FPU_DIRTY && (op === CSR_WRITE || !writes)) {
    return flags(t, insn, writes, operand);
  }
  const slot = PLAIN_SLOT[number];
  if (slot === 0 || (t.mmuIndex !== MMU_MACHINE && !(supervisor && number >> 8 === 1))) {
    return t.ir.interpret();
  }
  const old = t.ir.get(slot);
  if (writes) {
    const updated = combine(t, op, old, operand);
    const epc = slot === S_SEPC || slot === S_MEPC;
    t.ir.set(slot, epc ? t.ir.bin(OP_AND64, updated, t.ir.const(-2)) : updated);
  }
  t.setX(rd(insn), old);
}

function combine(t: Translation, op: number, old: Value, operand: Value): Value {
  if (op === CSR_WRITE) return operand;
  if (op === CSR_SET) return t.ir.bin(OP_OR64, old, operand);
  return t.ir.bin(OP_AND64, old, t.ir.bin(OP_XOR64, operand, t.ir.const(-1)));
}

/**
 * fflags: the flags in its slot and those still in the host's control word. Compilers put a comparison that
 * must stay quiet between a read and the write that restores it: then nothing needs restoring, because such a
 * comparison is made to leave the block for a NaN, the only operand that it would raise a flag for.
 */
function flags(t: Translation, insn: number, writes: boolean, operand: Value): void {
  const { ir } = t;
  if (writes && rd(insn) === 0 && restoresFlags(ir, operand)) return;
  const reads = !writes || rd(insn) !== 0;
  const old = reads ? ir.bin(OP_OR64, ir.get(S_FFLAGS), ir.emit(OP_FP_FLAGS)) : 0;
  if (writes) {
    ir.emit(OP_CLEAR_FP_FLAGS);
    ir.set(S_FFLAGS, ir.bin(OP_AND64, operand, ir.const(31)));
  }
  t.setX(rd(insn), old);
}

/** Whether `operand` is what fflags was before comparisons, which are then made quiet ones. */
function restoresFlags(ir: Ir, operand: Value): boolean {
  if (ir.op[operand] !== OP_OR64 || ir.op[ir.b[operand]] !== OP_FP_FLAGS) return false;
  for (let i = operand + 1; i < ir.length; i++) {
    const op = ir.op[i];
    if (op === OP_CLEAR_FP_FLAGS || op >= FIRST_FLAG_RAISING && op !== OP_FLT && op !== OP_FLE) return false;
  }
  for (let i = operand + 1; i < ir.length; i++) {
    if (ir.op[i] === OP_FLT) ir.op[i] = OP_FLT_QUIET;
    if (ir.op[i] === OP_FLE) ir.op[i] = OP_FLE_QUIET;
  }
  return true;
}

function readSatp(t: Translation, insn: number): void {
  const { ir } = t;
  ir.interpretIf(COND_NE, ir.bin(OP_AND64, ir.get(S_MSTATUS), ir.const(MSTATUS_TVM)), ir.const(0));
  t.setX(rd(insn), ir.get(S_SATP));
}

function readTime(t: Translation, insn: number): void {
  const { ir } = t;
  const enabled = ir.const(TIME_ENABLED);
  if (t.mmuIndex !== MMU_MACHINE) {
    ir.interpretIf(COND_EQ, ir.bin(OP_AND64, ir.get(S_MCOUNTEREN), enabled), ir.const(0));
  }
  if (t.mmuIndex === MMU_USER) {
    ir.interpretIf(COND_EQ, ir.bin(OP_AND64, ir.get(S_SCOUNTEREN), enabled), ir.const(0));
  }
  t.setX(rd(insn), ir.emit(OP_TIME));
}

/**
 * sstatus from S-mode. The interpreter takes over where an interrupt might become possible that is pending,
 * and where MXR changes. FS and SUM are part of the context: their new values must be known here, be the old
 * ones, or be what kernels write in two places that are passed often: SUM is cleared after an access to user
 * memory, by a register set in an earlier block; and what a kernel that does without FP returns to has it.
 */
function status(t: Translation, insn: number, op: number, writes: boolean, operand: Value): void {
  const { ir } = t;
  const machine = ir.get(S_MSTATUS); // nothing above bit 31 is kept in it
  const visible = ir.bin(OP_AND64, machine, ir.const(STATUS_SUPERVISOR));
  const fixed = STATUS_UXL | (t.fpu === CONTEXT_FPU_DIRTY ? STATUS_DIRTY : 0);
  const old = rd(insn) === 0 ? machine : ir.bin(OP_OR64, visible, ir.const64(0, fixed));
  if (!writes) return t.setX(rd(insn), old);

  let bits = ir.bin(OP_AND64, operand, ir.const(STATUS_SUPERVISOR));
  if (op === CSR_CLEAR && ir.op[bits] !== OP_CONST && t.mmuIndex === MMU_SUPERVISOR_SUM) {
    ir.interpretIf(COND_NE, bits, ir.const(MSTATUS_SUM));
    bits = ir.const(MSTATUS_SUM);
  }
  const updated = op === CSR_WRITE
    ? ir.bin(OP_OR64, ir.bin(OP_AND64, machine, ir.const(~STATUS_SUPERVISOR)), bits)
    : combine(t, op, machine, bits);

  const known = ir.op[bits] === OP_CONST;
  const returns = !known && op === CSR_WRITE && t.fpu === CONTEXT_FPU_OFF;
  const context = known
    ? nextContext(t.context, op, ir.lo[bits])
    : returns
    ? t.context & ~(3 << CONTEXT_FPU_SHIFT) | CONTEXT_FPU_CLEAN << CONTEXT_FPU_SHIFT
    : t.context;
  if (context < 0) return ir.interpret();
  const mayChange = known && op !== CSR_WRITE ? ir.lo[bits] : STATUS_SUPERVISOR;
  const inContext = known ? 0 : returns ? MSTATUS_SUM : MSTATUS_SUM | MSTATUS_FS;
  const forbidden = mayChange & (MSTATUS_MXR | inContext);
  if (returns) {
    ir.interpretIf(COND_NE, ir.bin(OP_AND64, updated, ir.const(MSTATUS_FS)), ir.const(FS_CLEAN));
  }
  if (forbidden !== 0) {
    const changed = ir.bin(OP_XOR64, machine, updated);
    ir.interpretIf(COND_NE, ir.bin(OP_AND64, changed, ir.const(forbidden)), ir.const(0));
  }
  if (op !== CSR_CLEAR && (mayChange & MSTATUS_SIE) !== 0) guardInterrupts(t, updated);

  ir.set(S_MSTATUS, updated);
  t.setX(rd(insn), old);
  if (context !== t.context) t.continueInContext(context);
}

/** Leaves the block if the new status lets interrupts in and one is pending. */
function guardInterrupts(t: Translation, updated: Value): void {
  const { ir } = t;
  const none = ir.const(0);
  const enabled = ir.bin(OP_AND64, updated, ir.const(MSTATUS_SIE));
  const taken = ir.select(COND_NE, enabled, none, ir.get(STATE_INTERRUPT_PENDING), none);
  ir.interpretIf(COND_NE, taken, none);
}

/** The context after known bits are written to, set or cleared in sstatus; -1 if that depends on old ones. */
function nextContext(context: number, op: number, bits: number): number {
  const sum = bits & MSTATUS_SUM, fs = bits & MSTATUS_FS;
  let next = context;
  if (op === CSR_WRITE || sum !== 0) {
    const on = op === CSR_SET || op === CSR_WRITE && sum !== 0;
    next = next & ~3 | (on ? MMU_SUPERVISOR_SUM : MMU_SUPERVISOR);
  }
  if (op === CSR_WRITE || fs !== 0) {
    if (op !== CSR_WRITE && fs !== MSTATUS_FS) return -1;
    let fpu = CONTEXT_FPU_CLEAN;
    if (op === CSR_CLEAR || fs === 0) fpu = CONTEXT_FPU_OFF;
    else if (fs === MSTATUS_FS) fpu = CONTEXT_FPU_DIRTY;
    next = next & ~(3 << CONTEXT_FPU_SHIFT) | fpu << CONTEXT_FPU_SHIFT;
  }
  return next;
}

/** Zicsr. */
export const CSR: Translations = {
  csrrw,
  csrrs,
  csrrc,
  csrrwi,
  csrrsi,
  csrrci,
};
