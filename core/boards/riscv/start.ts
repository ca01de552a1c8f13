/** How a hart begins, and how one hart pokes another. */
import type { RiscvHart } from "../../decoder/riscv/hart.ts";
import { S_MIP_LINES, S_MIP_SOFTWARE } from "../../decoder/riscv/state.ts";
import { PRIV_M, PRIV_S } from "../../decoder/riscv/trap.ts";

const SSIP = 1 << 1;

/** Starts a hart as a board's boot ROM does: M-mode, a0 = hart, a1 = device tree, a2 = for firmware. */
export function startMachineMode(hart: RiscvHart, pc: number, deviceTree: number, a2: number): void {
  restart(hart, pc, PRIV_M, BigInt(deviceTree));
  hart.setRegister("a2", BigInt(a2));
}

/** Starts a hart as an SBI does: S-mode, a0 = hart, a1 = device tree or what HSM's caller passes. */
export function startSupervisorMode(hart: RiscvHart, pc: number, a1: bigint): void {
  restart(hart, pc, PRIV_S, a1);
}

/** Sets a hart's SSIP bit, which software clears. */
export function pendSupervisorSoftware(hart: RiscvHart): void {
  hart.state[S_MIP_SOFTWARE >> 2] |= SSIP;
  hart.interruptsChanged();
}

/** The levels of the interrupt lines outlast the hart's reset: they are the devices'. */
function restart(hart: RiscvHart, pc: number, privilege: number, a1: bigint): void {
  const lines = hart.state[S_MIP_LINES >> 2];
  hart.reset(BigInt(pc), privilege, BigInt(hart.index), a1);
  hart.state[S_MIP_LINES >> 2] = lines;
  hart.interruptsChanged();
}
