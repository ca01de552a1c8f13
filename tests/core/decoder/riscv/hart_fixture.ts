/** A hart with a megabyte of RAM and one device, and an assembler for the handful of instructions tests need. */
import { Bus } from "../../../../core/bus.ts";
import { Clock } from "../../../../core/clock.ts";
import { RiscvHart } from "../../../../core/decoder/riscv/hart.ts";
import { DebugPoints } from "../../../../core/debug/debug_points.ts";
import { type MachineContext, RunControl } from "../../../../core/isa.ts";
import { GuestRam, plainMemory } from "../../../../core/memory.ts";
import { PRIV_M } from "../../../../core/decoder/riscv/trap.ts";

export const RAM = 0x8000_0000;
export const RAM_BYTES = 0x10_0000;
export const DEVICE = 0x1000_0000;

/** A register of four bytes that logs what is done to it. */
export class ScratchDevice {
  readonly log: string[] = [];
  read(offset: number, size: number): number {
    this.log.push(`read ${size} at ${offset}`);
    return 0x11223344 + offset;
  }
  write(offset: number, value: number, size: number): void {
    this.log.push(`write ${size} at ${offset}: ${value.toString(16)}`);
  }
  reset(): void {}
}

export interface Fixture {
  readonly hart: RiscvHart;
  readonly ram: GuestRam;
  readonly clock: Clock;
  readonly control: RunControl;
  readonly device: ScratchDevice;
}

/** A hart after power-on in the given mode, at the start of RAM. */
export function newHart(privilege: number = PRIV_M): Fixture {
  const ram = new GuestRam(plainMemory, RAM, RAM_BYTES);
  const bus = new Bus([ram]);
  const device = new ScratchDevice();
  bus.map("scratch", DEVICE, 0x1000, device);
  const machine: MachineContext = {
    ram,
    rams: [ram],
    bus,
    clock: new Clock(),
    memory: plainMemory,
    control: new RunControl(),
    debug: new DebugPoints(),
  };
  const hart = new RiscvHart(machine, 0);
  hart.reset(BigInt(RAM), privilege, 0n, 0n);
  return { hart, ram, clock: machine.clock, control: machine.control, device };
}

/** Puts instruction words at an address. */
export function program(ram: GuestRam, address: number, ...words: number[]): void {
  words.forEach((word, i) => ram.view.setInt32(address - ram.base + 4 * i, word, true));
}

/** Runs a guest as the machine's loop does, until `instructions` were executed or it waits. */
export function run({ hart, clock, control }: Fixture, instructions: number): void {
  const end = clock.instructions + instructions;
  while (clock.instructions < end && !hart.waiting && !hart.stopped) {
    clock.fireDue();
    control.yield = clock.deadlineMoved = false;
    hart.interpret(Math.min(end - clock.instructions, clock.nextDueNs - clock.nowNs));
  }
  clock.fireDue();
}

// Registers
export const ZERO = 0, RA = 1, T0 = 5, T1 = 6, A0 = 10, A1 = 11, A2 = 12, A3 = 13;

const iType = (opcode: number, f3: number, rd: number, rs1: number, imm: number) =>
  imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | opcode;
const sType = (f3: number, rs1: number, rs2: number, imm: number) =>
  imm >> 5 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (imm & 31) << 7 | 0x23;

export const addi = (rd: number, rs1: number, imm: number) => iType(0x13, 0, rd, rs1, imm);
export const lb = (rd: number, rs1: number, imm = 0) => iType(0x03, 0, rd, rs1, imm);
export const lw = (rd: number, rs1: number, imm = 0) => iType(0x03, 2, rd, rs1, imm);
export const ld = (rd: number, rs1: number, imm = 0) => iType(0x03, 3, rd, rs1, imm);
export const sw = (rs2: number, rs1: number, imm = 0) => sType(2, rs1, rs2, imm);
export const sd = (rs2: number, rs1: number, imm = 0) => sType(3, rs1, rs2, imm);
export const jalr = (rd: number, rs1: number, imm = 0) => iType(0x67, 0, rd, rs1, imm);
export const jump = (offset: number) =>
  (offset >> 20) << 31 | (offset & 0x7fe) << 20 | (offset & 0x800) << 9 | (offset & 0xff000) | 0x6f;
export const csrrw = (rd: number, csr: number, rs1: number) => iType(0x73, 1, rd, rs1, csr);
export const csrrs = (rd: number, csr: number, rs1: number) => iType(0x73, 2, rd, rs1, csr);
export const csrrc = (rd: number, csr: number, rs1: number) => iType(0x73, 3, rd, rs1, csr);
export const csrr = (rd: number, csr: number) => csrrs(rd, csr, ZERO);
export const csrw = (csr: number, rs1: number) => csrrw(ZERO, csr, rs1);
const atomic = (f5: number, f3: number, rd: number, rs1: number, rs2: number) =>
  f5 << 27 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | 0x2f;
export const lrD = (rd: number, rs1: number) => atomic(2, 3, rd, rs1, 0);
export const scD = (rd: number, rs2: number, rs1: number) => atomic(3, 3, rd, rs1, rs2);
export const amoaddD = (rd: number, rs2: number, rs1: number) => atomic(0, 3, rd, rs1, rs2);
export const sfenceVma = (rs1: number) => 0x12000073 | rs1 << 15;
export const ECALL = 0x73, EBREAK = 0x100073, SRET = 0x10200073, MRET = 0x30200073, WFI = 0x10500073;
export const NOP = 0x13;
