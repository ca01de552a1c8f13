/**
 * Traps: entering a handler by exception or interrupt, and returning with MRET and SRET. Privileged
 * architecture 20240411, sections 3.1.6 (mstatus), 3.1.9 (interrupts), 3.3.2 and 12.1.1.
 */
import type { RiscvHart } from "./hart.ts";
import {
  S_MCAUSE,
  S_MEDELEG,
  S_MEPC,
  S_MIDELEG,
  S_MIE,
  S_MIP,
  S_MSTATUS,
  S_MTVAL,
  S_MTVEC,
  S_PRIV,
  S_RESERVED,
  S_SCAUSE,
  S_SEPC,
  S_STVAL,
  S_STVEC,
} from "./state.ts";

/** Privilege levels. */
export const PRIV_U = 0;
/** Privilege level. */
export const PRIV_S = 1;
/** Privilege level. */
export const PRIV_M = 3;

/** Exception causes that are not made from a kind of access (mcause, table 3.6). */
export const CAUSE_FETCH_ACCESS = 1;
/** Exception cause. */
export const CAUSE_ILLEGAL = 2;
/** Exception cause. */
export const CAUSE_BREAKPOINT = 3;
/** Exception cause. */
export const CAUSE_LOAD_MISALIGNED = 4;
/** Exception cause. */
export const CAUSE_STORE_MISALIGNED = 6;
/** Exception cause; plus the privilege level. */
export const CAUSE_ECALL = 8;

// The low word of mstatus, section 3.1.6
/** mstatus: S-mode's interrupts enabled. */
export const MSTATUS_SIE = 1 << 1;
/** mstatus: M-mode's interrupts enabled. */
export const MSTATUS_MIE = 1 << 3;
/** mstatus: SIE before the trap to S-mode. */
export const MSTATUS_SPIE = 1 << 5;
/** mstatus: MIE before the trap to M-mode. */
export const MSTATUS_MPIE = 1 << 7;
/** mstatus: set if the trap to S-mode came from S-mode. */
export const MSTATUS_SPP = 1 << 8;
/** mstatus: place of MPP. */
export const MSTATUS_MPP_SHIFT = 11;
/** mstatus: mode the trap to M-mode came from. */
export const MSTATUS_MPP: number = 3 << MSTATUS_MPP_SHIFT;
/** mstatus: state of the FPU: 0 off, 3 dirty. */
export const MSTATUS_FS: number = 3 << 13;
/** mstatus: M-mode's data accesses are made as MPP's. */
export const MSTATUS_MPRV = 1 << 17;
/** mstatus: S-mode may access user pages. */
export const MSTATUS_SUM = 1 << 18;
/** mstatus: executable pages may be read. */
export const MSTATUS_MXR = 1 << 19;
/** mstatus: satp and SFENCE.VMA are not for S-mode. */
export const MSTATUS_TVM = 1 << 20;
/** mstatus: WFI is not for S-mode. */
export const MSTATUS_TW = 1 << 21;
/** mstatus: SRET is not for S-mode. */
export const MSTATUS_TSR = 1 << 22;

const INTERRUPT_BIT = 1 << 31; // in the high word of a cause
/** MEI, MSI, MTI, SEI, SSI, STI. */
const INTERRUPT_PRIORITY = [11, 3, 7, 9, 1, 5];

/**
 * Enters the handler for an exception or interrupt that hits the instruction at the hart's pc; the next
 * instruction is the handler's.
 */
export function enterTrap(
  h: RiscvHart,
  cause: number,
  tvalLo: number,
  tvalHi: number,
  interrupt: boolean,
): void {
  const s = h.state;
  const from = s[S_PRIV >> 2];
  let status = s[S_MSTATUS >> 2];
  const delegated = s[(interrupt ? S_MIDELEG : S_MEDELEG) >> 2] >>> cause & 1;
  const causeHi = interrupt ? INTERRUPT_BIT : 0;
  let vector: number;
  if (delegated && from !== PRIV_M) {
    setPair(s, S_SEPC, h.pcLo, h.pcHi);
    setPair(s, S_SCAUSE, cause, causeHi);
    setPair(s, S_STVAL, tvalLo, tvalHi);
    const enabled = status & MSTATUS_SIE;
    status &= ~(MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE);
    if (from === PRIV_S) status |= MSTATUS_SPP;
    if (enabled) status |= MSTATUS_SPIE;
    s[S_PRIV >> 2] = PRIV_S;
    vector = S_STVEC;
  } else {
    setPair(s, S_MEPC, h.pcLo, h.pcHi);
    setPair(s, S_MCAUSE, cause, causeHi);
    setPair(s, S_MTVAL, tvalLo, tvalHi);
    const enabled = status & MSTATUS_MIE;
    status &= ~(MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MIE);
    status |= from << MSTATUS_MPP_SHIFT;
    if (enabled) status |= MSTATUS_MPIE;
    s[S_PRIV >> 2] = PRIV_M;
    vector = S_MTVEC;
  }
  s[S_MSTATUS >> 2] = status;
  s[S_RESERVED >> 2] = 0;
  const base = s[vector >> 2];
  const target = (base & ~3) + (base & 1 && interrupt ? 4 * cause : 0) | 0;
  h.nextLo = target;
  h.nextHi = s[(vector >> 2) + 1] + (target >>> 0 < (base & ~3) >>> 0 ? 1 : 0) | 0;
  h.modeChanged();
}

/** MRET. The caller has checked that it is allowed. */
export function returnFromMachine(h: RiscvHart): void {
  const s = h.state;
  let status = s[S_MSTATUS >> 2];
  const to = (status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT;
  const enabled = status & MSTATUS_MPIE;
  status &= ~(MSTATUS_MPP | MSTATUS_MIE);
  status |= MSTATUS_MPIE;
  if (enabled) status |= MSTATUS_MIE;
  leaveHandler(h, to, status, S_MEPC);
}

/** SRET. The caller has checked that it is allowed. */
export function returnFromSupervisor(h: RiscvHart): void {
  const s = h.state;
  let status = s[S_MSTATUS >> 2];
  const to = status & MSTATUS_SPP ? PRIV_S : PRIV_U;
  const enabled = status & MSTATUS_SPIE;
  status &= ~(MSTATUS_SPP | MSTATUS_SIE);
  status |= MSTATUS_SPIE;
  if (enabled) status |= MSTATUS_SIE;
  leaveHandler(h, to, status, S_SEPC);
}

function leaveHandler(h: RiscvHart, to: number, status: number, epc: number): void {
  const s = h.state;
  s[S_MSTATUS >> 2] = to === PRIV_M ? status : status & ~MSTATUS_MPRV;
  s[S_PRIV >> 2] = to;
  h.nextLo = s[epc >> 2];
  h.nextHi = s[(epc >> 2) + 1];
  h.modeChanged();
}

/** The interrupt to take now; -1 if none is pending, enabled and allowed by the current privilege. */
export function selectInterrupt(s: Int32Array): number {
  const pending = s[S_MIP >> 2] & s[S_MIE >> 2];
  if (pending === 0) return -1;
  const privilege = s[S_PRIV >> 2];
  const status = s[S_MSTATUS >> 2];
  const delegated = s[S_MIDELEG >> 2];
  let taken = 0;
  if (privilege < PRIV_M || status & MSTATUS_MIE) taken = pending & ~delegated;
  if (taken === 0 && (privilege < PRIV_S || (privilege === PRIV_S && status & MSTATUS_SIE))) {
    taken = pending & delegated;
  }
  if (taken === 0) return -1;
  for (const code of INTERRUPT_PRIORITY) if (taken >>> code & 1) return code;
  return -1;
}

function setPair(s: Int32Array, offset: number, lo: number, hi: number): void {
  s[offset >> 2] = lo;
  s[(offset >> 2) + 1] = hi;
}
