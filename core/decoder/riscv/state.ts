/**
 * Where the RV64 vCPU keeps its registers in the state block (byte offsets), and the context word.
 * Integer registers are at STATE_INT_REGS (x0's slot always holds zero), FP registers at STATE_FP_REGS.
 */
import { STATE_FP_REGS, STATE_INT_REGS, STATE_SYSTEM } from "../../translator/layout.ts";

/** Slot of integer register x[i]. */
export const xSlot = (i: number): number => STATE_INT_REGS + 8 * i;
/** Slot of FP register f[i]. */
export const fSlot = (i: number): number => STATE_FP_REGS + 8 * i;

let next = STATE_SYSTEM;
const slot = (): number => {
  const here = next;
  next += 8;
  return here;
};

// Privileged architecture 20240411. Each is the 64-bit value of the CSR unless said otherwise.
/** 0 = U, 1 = S, 3 = M. */
export const S_PRIV = slot();
/** mstatus; sstatus is a view of it. SD is computed on reading. */
export const S_MSTATUS = slot();
export const S_MIE = slot();
/** Pending interrupts as mip reads: software's, lines' and stimecmp's. */
export const S_MIP = slot();
export const S_MEDELEG = slot();
export const S_MIDELEG = slot();
export const S_MTVEC = slot();
export const S_MEPC = slot();
export const S_MCAUSE = slot();
export const S_MTVAL = slot();
export const S_MSCRATCH = slot();
export const S_MCOUNTEREN = slot();
export const S_MENVCFG = slot();
export const S_MCOUNTINHIBIT = slot();
export const S_STVEC = slot();
export const S_SEPC = slot();
export const S_SCAUSE = slot();
export const S_STVAL = slot();
export const S_SSCRATCH = slot();
export const S_SCOUNTEREN = slot();
export const S_SENVCFG = slot();
export const S_SATP = slot();
export const S_STIMECMP = slot();
/** frm (3 bits). */
export const S_FRM = slot();
/** Accrued flags so far; those still in the host's control word are added on reading. */
export const S_FFLAGS = slot();
/** Virtual address of the load reservation; S_RESERVED says whether there is one (0 or 1). */
export const S_RESERVATION = slot();
export const S_RESERVED = slot();
/** First of 16 pmpcfg slots' worth of bytes: pmpcfg0 and pmpcfg2 as 64-bit values. */
export const S_PMPCFG0 = slot();
export const S_PMPCFG2 = slot();
/** First of 16 pmpaddr slots. */
export const S_PMPADDR0 = slot();
next += 15 * 8;
/**
 * 0 when PMP entry 0 grants everything everywhere, so that no access need be checked; else 1: then only the
 * interpreter's walk may fill a TLB. Kept with every write of a PMP register.
 */
export const S_PMP_ACTIVE = slot();
/** Interrupts as software pends them: the bits of mip a CSR write can change. S_MIP is the sum of all. */
export const S_MIP_SOFTWARE = slot();
/** Low word: interrupt lines that are asserted, by bit of mip; high word: STIP as stimecmp makes it. */
export const S_MIP_LINES = slot();
/** mcycle minus the clock's instructions (mcycle itself while mcountinhibit.CY is set). */
export const S_CYCLE_BASE = slot();
/** minstret minus the clock's instructions (minstret itself while mcountinhibit.IR is set). */
export const S_INSTRET_BASE = slot();
/**
 * The bit of its region (`superpageRegion` in `mmu.ts`) is set by every TLB fill from a superpage, until the next
 * flush of everything (all bits where the superpage is larger than 1 GiB). SFENCE.VMA of one address in such a region
 * flushes everything, since the superpage's translation is spread over many entries.
 */
export const S_SUPERPAGES = slot();
/** First free slot. */
export const S_END = next;

/**
 * The context (8 bits) a translation depends on:
 * bits 1:0 MMU index: 0 = U, 1 = S with SUM=0, 2 = S with SUM=1, 3 = M;
 * bits 3:2 FPU: 0 = off, 1 = on and not dirty, 2 = dirty;
 * bit 4: frm is not RNE.
 */
export const MMU_USER = 0;
export const MMU_SUPERVISOR = 1;
export const MMU_SUPERVISOR_SUM = 2;
export const MMU_MACHINE = 3;
export const CONTEXT_FPU_SHIFT = 2;
export const CONTEXT_FPU_OFF = 0;
export const CONTEXT_FPU_CLEAN = 1;
export const CONTEXT_FPU_DIRTY = 2;
export const CONTEXT_FRM_DYNAMIC = 16;
