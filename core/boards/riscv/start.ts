/** How a hart begins, and how one hart pokes another. */
import type { RiscvHart } from "../../decoder/riscv/hart.ts";
import { S_MIP_SOFTWARE } from "../../decoder/riscv/state.ts";
import { PRIV_M, PRIV_S } from "../../decoder/riscv/trap.ts";

const SSIP = 1 << 1;

/** Starts a hart as a board's boot ROM does: M-mode, a0 = hart, a1 = device tree, a2 = for firmware. */
export function startMachineMode(hart: RiscvHart, pc: number, deviceTree: number, a2: number): void {
  hart.reset(BigInt(pc), PRIV_M, BigInt(hart.index), BigInt(deviceTree));
  hart.setRegister("a2", BigInt(a2));
}

/** Starts a hart as an SBI does: S-mode, a0 = hart, a1 = device tree or what HSM's caller passes. */
export function startSupervisorMode(hart: RiscvHart, pc: number, a1: bigint): void {
  hart.reset(BigInt(pc), PRIV_S, BigInt(hart.index), a1);
}

/** Sets a hart's SSIP bit, which software clears. */
export function pendSupervisorSoftware(hart: RiscvHart): void {
  hart.state[S_MIP_SOFTWARE >> 2] |= SSIP;
  hart.interruptsChanged();
}
