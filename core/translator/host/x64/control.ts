/** Emission of structure, exits and jumps. */
import * as ir from "../../ir.ts";
import { STATE_BUDGET_ASIDE, STATE_EPOCH_CONTEXT, STATE_PC, STATE_TIME_AT_ZERO } from "../../layout.ts";
import { ALU_AND, ALU_CMP, ALU_OR, ALU_SUB } from "./assembler.ts";
import type { Emitter } from "./emitter.ts";
import { compare, compareAgain } from "./integer.ts";
import { takeBudgetBack } from "./streams.ts";
import { BUDGET, CC_NE, RAX, RCX, STATE, STATE_BIAS } from "./registers.ts";

const EPOCH_CONTEXT = STATE_EPOCH_CONTEXT - STATE_BIAS;
const BUDGET_ASIDE = STATE_BUDGET_ASIDE - STATE_BIAS;

/** Gives back the budget of instructions of this block that do not run. */
export function refund(e: Emitter, executed: number, streaming: boolean): void {
  const left = e.ir.instructions - executed;
  if (left > 0) e.asm.lea(0, BUDGET, BUDGET, left);
  if (streaming) takeBudgetBack(e.asm);
}

/** Ends a path: on to the guest pc lo/hi in the same context. All state is stored. */
export function emitJump(e: Emitter, lo: number, hi: number): void {
  const samePage = hi === e.pcHi && ((lo ^ e.pcLo) & ~0xfff) === 0;
  if (samePage) e.linkJump(lo);
  else e.cellJump(lo, hi);
}

/** Gives budget back; to what was put aside, where the budget register counts rounds that were paid for. */
function refundIf(e: Emitter, i: number): void {
  const { asm } = e;
  const cc = compareAgain(e, i);
  const budget = e.streaming ? RCX : BUDGET;
  if (e.streaming) asm.load(0, RCX, STATE, BUDGET_ASIDE);
  asm.lea(0, RAX, budget, e.ir.d[i]);
  asm.cmov(cc, 0, budget, RAX);
  if (e.streaming) asm.store(0, STATE, BUDGET_ASIDE, RCX);
}

export function branch(e: Emitter, i: number): void {
  const cc = compare(e, e.ir.a[i], e.ir.b[i], e.ir.c[i]);
  const taken = e.asm.jcc(cc);
  const lo = e.ir.lo[i], hi = e.ir.hi[i];
  if (!e.staysInRegion(lo, hi)) return e.cold.branch(taken, lo, hi);
  const executed = e.instruction + 1;
  e.cold.edge(taken, () => {
    refund(e, executed, false);
    e.jumpToHead(lo);
  });
}

function exitUnlessPc(e: Emitter, i: number): void {
  const { asm, alloc } = e;
  const pc = alloc.use(e.ir.a[i]);
  asm.movImm(RAX, e.ir.lo[i], e.ir.hi[i]);
  asm.alu(ALU_CMP, 1, pc, RAX);
  const executed = e.instruction + 1, streaming = e.streaming;
  e.cold.stores(asm.jcc(CC_NE), () => {
    refund(e, executed, streaming);
    asm.movRR(1, RAX, pc);
    e.stubs.emitProbe();
  });
}

function interpretIf(e: Emitter, i: number): void {
  const cc = compare(e, e.ir.a[i], e.ir.b[i], e.ir.c[i]);
  e.cold.interpret(e.asm.jcc(cc));
}

function interpret(e: Emitter): void {
  e.interpretHere();
}

function jump(e: Emitter, i: number): void {
  const lo = e.ir.lo[i], hi = e.ir.hi[i];
  if (e.staysInRegion(lo, hi)) return e.edge(lo);
  e.alloc.storeDirty();
  emitJump(e, lo, hi);
}

function jumpIndirect(e: Emitter, i: number): void {
  e.alloc.loadInto(e.ir.a[i], RAX);
  e.alloc.storeDirty();
  e.stubs.emitProbe();
}

function jumpContext(e: Emitter, i: number): void {
  const { asm, alloc } = e;
  if (e.ir.a[i] >= 0) alloc.use(e.ir.a[i]);
  alloc.storeDirty();
  asm.load(0, RCX, STATE, EPOCH_CONTEXT);
  asm.aluImm(ALU_AND, 0, RCX, -256);
  asm.aluImm(ALU_OR, 0, RCX, e.ir.c[i]);
  asm.store(0, STATE, EPOCH_CONTEXT, RCX);
  if (e.ir.a[i] >= 0) {
    asm.movRR(1, RAX, alloc.use(e.ir.a[i]));
    asm.jmpTo(e.stubs.lookupIndirect);
  } else e.cellJump(e.ir.lo[i], e.ir.hi[i]);
}

function leave(e: Emitter, i: number): void {
  const { asm } = e;
  e.alloc.storeDirty();
  asm.movImm(RAX, e.ir.lo[i], e.ir.hi[i]);
  asm.store(1, STATE, STATE_PC - STATE_BIAS, RAX);
  asm.jmpTo(e.stubs.leave);
}

/** Guest time now = time at budget 0 - budget left, counting from the current instruction's start. */
function time(e: Emitter): void {
  const { asm } = e;
  const dst = e.alloc.define();
  asm.lea(0, RAX, BUDGET, e.ir.instructions - e.instruction);
  asm.load(1, dst, STATE, STATE_TIME_AT_ZERO - STATE_BIAS);
  asm.alu(ALU_SUB, 1, dst, RAX);
}

function get(e: Emitter, i: number): void {
  if (!e.ir.stub) return e.alloc.getSlot(e.ir.a[i]);
  e.asm.load(1, e.alloc.define(), STATE, e.ir.a[i] - STATE_BIAS);
}

function set(e: Emitter, i: number): void {
  if (!e.ir.stub) return e.alloc.setSlot(e.ir.a[i], e.ir.b[i]);
  const v = e.ir.b[i], disp = e.ir.a[i] - STATE_BIAS;
  if (e.ir.isConst32(v)) e.asm.storeImm(1, STATE, disp, e.ir.lo[v]);
  else e.asm.store(1, STATE, disp, e.alloc.use(v));
}

function returnValue(e: Emitter, i: number): void {
  e.alloc.loadInto(e.ir.a[i], RAX);
  e.asm.ret();
  e.alloc.forgetAll();
}

/** Registers this file's emitters. */
export function registerControl(table: ((e: Emitter, i: number) => void)[]): void {
  table[ir.OP_GET] = get;
  table[ir.OP_SET] = set;
  table[ir.OP_TIME] = time;
  table[ir.OP_REFUND_IF] = refundIf;
  table[ir.OP_BRANCH] = branch;
  table[ir.OP_EXIT_UNLESS_PC] = exitUnlessPc;
  table[ir.OP_INTERPRET_IF] = interpretIf;
  table[ir.OP_INTERPRET] = interpret;
  table[ir.OP_JUMP] = jump;
  table[ir.OP_JUMP_IND] = jumpIndirect;
  table[ir.OP_JUMP_CONTEXT] = jumpContext;
  table[ir.OP_LEAVE] = leave;
  table[ir.OP_LABEL] = (e, i) => e.placeLabel(e.ir.a[i]);
  table[ir.OP_GOTO] = (e, i) => e.jumpToLabel(e.asm.jmp(), e.ir.a[i]);
  table[ir.OP_GOTO_IF] = (e, i) => {
    const cc = compare(e, e.ir.a[i], e.ir.b[i], e.ir.c[i]);
    e.jumpToLabel(e.asm.jcc(cc), e.ir.lo[i]);
  };
  table[ir.OP_RETURN] = returnValue;
}
