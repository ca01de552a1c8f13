/** Tiny RISC-V programs, instruction by instruction, and a runner for the machines that execute them. */
import { createVirtRiscv64, type VirtRiscv64Options } from "../../../core/boards/virt_riscv64.ts";
import type { Board } from "../../../core/boards/board.ts";
import { plainMemory } from "../../../core/memory.ts";
import type { SoftwareVcpu } from "../../../core/isa.ts";

export const T0 = 5, T1 = 6, A0 = 10, A7 = 17;

const i = (op: number, funct3: number, rd: number, rs1: number, imm: number) =>
  (imm << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | op) >>> 0;
/** addi rd, rs1, imm */
export const addi = (rd: number, rs1: number, imm: number): number => i(0x13, 0, rd, rs1, imm);
/** lui rd, imm20 */
export const lui = (rd: number, imm20: number): number => (imm20 << 12 | rd << 7 | 0x37) >>> 0;
/** sw rs2, 0(rs1) */
export const sw = (rs2: number, rs1: number): number => (rs2 << 20 | rs1 << 15 | 2 << 12 | 0x23) >>> 0;
/** sb rs2, 0(rs1) */
export const sb = (rs2: number, rs1: number): number => (rs2 << 20 | rs1 << 15 | 0x23) >>> 0;
export const ECALL = 0x73;
export const WFI = 0x10500073;
/** Jumps to itself. */
export const HALT = 0x6f;

/** Powers off by the test finisher. */
export const POWEROFF: readonly number[] = [
  lui(T0, 0x100),
  lui(T1, 0x5),
  addi(T1, T1, 0x555),
  sw(T1, T0),
  HALT,
];

/** Instructions as bytes. */
export function assemble(...words: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(words).buffer);
}

/** A board with 4 MiB of RAM, in memory that needs no permission. */
export function makeBoard(options: Partial<VirtRiscv64Options> & { kernel: Uint8Array }): Promise<Board> {
  return createVirtRiscv64({ memory: plainMemory, ramBytes: 4 * 2 ** 20, vcpus: 1, ...options });
}

/** Runs a board on the interpreter until it exits or guest time is up; returns what it sent. */
export function run(board: Board, limitNs = 1e6): string {
  let text = "";
  board.serial[0].onTransmit = (byte) => text += String.fromCharCode(byte);
  board.machine.run({ run: (vcpu: SoftwareVcpu, budget) => vcpu.interpret(budget) }, limitNs);
  return text;
}
