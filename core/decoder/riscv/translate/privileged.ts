/**
 * Crossing between U-mode and S-mode (privileged specification, sections 3.3.1, 3.3.2 and 12.1.1): system
 * calls that are delegated, and the return from them. What `../trap.ts` does, for these two cases.
 */
import {
  COND_EQ,
  COND_NE,
  OP_AND64,
  OP_JUMP_CONTEXT,
  OP_OR64,
  OP_SHL64,
  OP_SHR64,
  type Value,
} from "../../../translator/ir.ts";
import { STATE_INTERRUPT_PENDING } from "../../../translator/layout.ts";
import {
  MMU_SUPERVISOR,
  MMU_SUPERVISOR_SUM,
  MMU_USER,
  S_MEDELEG,
  S_MSTATUS,
  S_PRIV,
  S_RESERVED,
  S_SCAUSE,
  S_SEPC,
  S_STVAL,
  S_STVEC,
} from "../state.ts";
import {
  CAUSE_ECALL,
  MSTATUS_MPRV,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  MSTATUS_SUM,
  MSTATUS_TSR,
  PRIV_S,
  PRIV_U,
} from "../trap.ts";
import type { Translation, Translations } from "./translation.ts";

const SPIE_OVER_SIE = 4; // bits between the two

/** Ends the block with a jump to a pc that is a value, with the MMU index of another mode. */
function jumpTo(t: Translation, pc: Value, mmuIndex: number): void {
  t.ir.emit(OP_JUMP_CONTEXT, pc, 0, t.context & ~3 | mmuIndex);
  t.ir.ended = true;
}

function ecall(t: Translation, _insn: number): void {
  const { ir } = t;
  if (t.mmuIndex !== MMU_USER) return ir.interpret();
  const zero = ir.const(0);
  const status = ir.get(S_MSTATUS);
  ir.interpretIf(COND_EQ, ir.bin(OP_AND64, ir.get(S_MEDELEG), ir.const(1 << CAUSE_ECALL)), zero);
  ir.interpretIf(COND_NE, ir.bin(OP_AND64, status, ir.const(MSTATUS_SUM)), zero);
  const enabled = ir.bin(OP_AND64, status, ir.const(MSTATUS_SIE));
  const others = ir.bin(OP_AND64, status, ir.const(~(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE)));
  ir.set(S_MSTATUS, ir.bin(OP_OR64, others, ir.bin(OP_SHL64, enabled, ir.const(SPIE_OVER_SIE))));
  ir.set(S_SEPC, t.pcRelative(0));
  ir.set(S_SCAUSE, ir.const(CAUSE_ECALL));
  ir.set(S_STVAL, zero);
  ir.set(S_PRIV, ir.const(PRIV_S));
  ir.set(S_RESERVED, zero);
  jumpTo(t, ir.bin(OP_AND64, ir.get(S_STVEC), ir.const(-4)), MMU_SUPERVISOR);
}

/** To U-mode, where S-mode's interrupts are always enabled, so that none may be pending. */
function sret(t: Translation, _insn: number): void {
  const { ir } = t;
  if (t.mmuIndex !== MMU_SUPERVISOR && t.mmuIndex !== MMU_SUPERVISOR_SUM) return ir.interpret();
  const zero = ir.const(0);
  const status = ir.get(S_MSTATUS);
  ir.interpretIf(COND_NE, ir.bin(OP_AND64, status, ir.const(MSTATUS_TSR | MSTATUS_SPP)), zero);
  ir.interpretIf(COND_NE, ir.get(STATE_INTERRUPT_PENDING), zero);
  const enabled = ir.bin(OP_AND64, status, ir.const(MSTATUS_SPIE));
  const others = ir.bin(OP_AND64, status, ir.const(~(MSTATUS_SIE | MSTATUS_MPRV)));
  const restored = ir.bin(OP_OR64, others, ir.bin(OP_SHR64, enabled, ir.const(SPIE_OVER_SIE)));
  ir.set(S_MSTATUS, ir.bin(OP_OR64, restored, ir.const(MSTATUS_SPIE)));
  ir.set(S_PRIV, ir.const(PRIV_U));
  jumpTo(t, ir.get(S_SEPC), MMU_USER);
}

/** Environment calls and returns. */
export const PRIVILEGED: Translations = {
  ecall,
  sret,
};
