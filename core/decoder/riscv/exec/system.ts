/**
 * Fences, environment calls, CSR access and privileged instructions (unprivileged specification, "RV32I",
 * "Zifencei", "Zicsr", "Zihintpause"; privileged specification, "Machine-Mode Privileged Instructions",
 * "Supervisor Instructions", "Svinval"). The rules are the vCPU's; here is only who asks it for what.
 */
import { csr, rd, rs1, rs2, uimm } from "../decode.ts";
import { S_PRIV } from "../state.ts";
import type { Hart, Semantics } from "./hart_interface.ts";
import { at1, set } from "./registers.ts";

const WRITE = 0;
const SET = 1;
const CLEAR = 2;
const USER = 0;

function accessCsr(h: Hart, insn: number, op: number, valueLo: number, valueHi: number): void {
  // Without a destination csrrw does not read; without a source the others do not write.
  const reads = op !== WRITE || rd(insn) !== 0;
  const writes = op === WRITE || rs1(insn) !== 0;
  if (h.csr(csr(insn), op, reads, writes, valueLo, valueHi, insn)) set(h, insn, h.lo, h.hi);
}

/** Invalidation is done at once, so what orders it has nothing to do where it is permitted. */
function orderInvalidation(h: Hart, insn: number): void {
  if (h.state[S_PRIV >> 2] === USER) h.illegal(insn);
}

/** Everything that concerns the hart as a whole. */
export const SYSTEM: Semantics = {
  illegal: (h, insn) => h.illegal(insn),
  fence: (h) => h.fence(),
  pause: () => {},
  "fence.i": (h) => h.fenceI(),
  ecall: (h) => h.ecall(),
  ebreak: (h) => h.ebreak(),

  // Zicsr
  csrrw: (h, insn) => accessCsr(h, insn, WRITE, h.state[at1(insn)], h.state[at1(insn) + 1]),
  csrrs: (h, insn) => accessCsr(h, insn, SET, h.state[at1(insn)], h.state[at1(insn) + 1]),
  csrrc: (h, insn) => accessCsr(h, insn, CLEAR, h.state[at1(insn)], h.state[at1(insn) + 1]),
  csrrwi: (h, insn) => accessCsr(h, insn, WRITE, uimm(insn), 0),
  csrrsi: (h, insn) => accessCsr(h, insn, SET, uimm(insn), 0),
  csrrci: (h, insn) => accessCsr(h, insn, CLEAR, uimm(insn), 0),

  // Privileged
  sret: (h, insn) => h.sret(insn),
  mret: (h, insn) => h.mret(insn),
  wfi: (h, insn) => h.wfi(insn),
  "sfence.vma": (h, insn) => h.sfenceVma(rs1(insn), rs2(insn), insn),
  "sinval.vma": (h, insn) => h.sfenceVma(rs1(insn), rs2(insn), insn),
  "sfence.w.inval": orderInvalidation,
  "sfence.inval.ir": orderInvalidation,
};
