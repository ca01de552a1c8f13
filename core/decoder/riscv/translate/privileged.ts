/**
 * Crossing between U-mode and S-mode (privileged specification, sections 3.3.1, 3.3.2 and 12.1.1): system
 * calls that are delegated, and the return from them. What `../trap.ts` does, for these two cases. And fences
 * that concern one page, and those with nothing to do (sections 12.2.1 and 12.3; Zifencei).
 */
import {
  COND_EQ,
  COND_GEU,
  COND_NE,
  OP_ADD32,
  OP_ADD64,
  OP_AND64,
  OP_JUMP_CONTEXT,
  OP_OR64,
  OP_SHL64,
  OP_SHR64,
  OP_STATE_ADDRESS,
  type Value,
} from "../../../translator/ir.ts";
import {
  MMU_INDEXES,
  STATE_EPOCH_CONTEXT,
  STATE_INTERRUPT_PENDING,
  STATE_MIRRORED,
  STATE_TLB,
  TLB_ENTRIES,
  TLB_FETCH,
  TLB_GUARDED,
  TLB_INVALID,
  TLB_OFFSET_MASK,
  TLB_TABLE_BYTES,
} from "../../../translator/layout.ts";
import { rs1 } from "../decode.ts";
import { superpageRegion } from "../walker.ts";
import {
  MMU_MACHINE,
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
  S_SUPERPAGES,
} from "../state.ts";
import {
  CAUSE_ECALL,
  MSTATUS_MPRV,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  MSTATUS_SUM,
  MSTATUS_TSR,
  MSTATUS_TVM,
  PRIV_S,
  PRIV_U,
} from "../trap.ts";
import type { Translation, Translations } from "./translation.ts";

/** What begins an epoch, and epochs so late that one fence might use up the rest: the interpreter's. */
const NEXT_EPOCH = 256;
const LAST_EPOCHS = -MMU_INDEXES * NEXT_EPOCH;
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

/** Instructions are always fetched from memory as it is: a store to translated code drops the translation. */
function fenceI(_t: Translation, _insn: number): void {}

/** Invalidation is done at once, so that there is nothing to order. */
function fenceInvalidation(t: Translation, _insn: number): void {
  if (t.mmuIndex === MMU_USER) t.ir.interpret();
}

/**
 * Forgets the translations of one page, in every table, as `Mmu.flushPage` does; the interpreter flushes
 * everything, regions with superpages, and pages that are mirrored. The next instruction is looked up anew, for its page may be gone.
 */
function sfenceVma(t: Translation, insn: number): void {
  const { ir } = t;
  if (t.mmuIndex === MMU_USER || rs1(insn) === 0) return ir.interpret();
  const zero = ir.const(0), invalid = ir.const(TLB_INVALID);
  if (t.mmuIndex !== MMU_MACHINE) {
    ir.interpretIf(COND_NE, ir.bin(OP_AND64, ir.get(S_MSTATUS), ir.const(MSTATUS_TVM)), zero);
  }
  const virtual = t.x(rs1(insn));
  const region = ir.bin(OP_SHR64, ir.get(S_SUPERPAGES), superpageRegion(ir, virtual));
  ir.interpretIf(COND_NE, ir.bin(OP_AND64, region, ir.const(1)), zero);
  const epochAddress = ir.emit(OP_STATE_ADDRESS, 0, 0, 0, 0, STATE_EPOCH_CONTEXT);
  let epoch = ir.hostLoad(4, false, epochAddress, 0);
  ir.interpretIf(COND_GEU, epoch, ir.const64(LAST_EPOCHS, 0));

  const number = ir.bin(OP_AND64, ir.bin(OP_SHR64, virtual, ir.const(12)), ir.const(TLB_ENTRIES - 1));
  const mirrored = ir.bin(OP_ADD64, number, ir.emit(OP_STATE_ADDRESS, 0, 0, 0, 0, STATE_MIRRORED));
  ir.interpretIf(COND_NE, ir.hostLoad(1, false, mirrored, 0), zero);

  const page = ir.bin(OP_AND64, virtual, ir.const(-4096));
  const offset = ir.bin(OP_AND64, ir.bin(OP_SHR64, virtual, ir.const(8)), ir.const(TLB_OFFSET_MASK));
  const entries = ir.bin(OP_ADD64, offset, ir.emit(OP_STATE_ADDRESS, 0, 0, 0, 0, STATE_TLB));
  for (let table = 0; table < 3 * MMU_INDEXES; table++) {
    const tag = ir.hostLoad(8, false, entries, table * TLB_TABLE_BYTES);
    const tagged = table % 3 === TLB_FETCH ? tag : ir.bin(OP_AND64, tag, ir.const(~TLB_GUARDED));
    ir.hostStore(8, entries, table * TLB_TABLE_BYTES, ir.select(COND_EQ, tagged, page, invalid, tag));
    if (table % 3 === TLB_FETCH) {
      epoch = ir.bin(OP_ADD32, epoch, ir.select(COND_EQ, tag, page, ir.const(NEXT_EPOCH), zero));
    }
  }
  ir.hostStore(4, epochAddress, 0, epoch);
  ir.jumpIndirect(t.linkAddress());
}

/** Environment calls, returns and fences. */
export const PRIVILEGED: Translations = {
  ecall,
  sret,
  "fence.i": fenceI,
  "sfence.vma": sfenceVma,
  "sinval.vma": sfenceVma,
  "sfence.w.inval": fenceInvalidation,
  "sfence.inval.ir": fenceInvalidation,
};
