/**
 * The state of a KVM machine beside RAM and devices, as a plain value: what a vCPU is made of (registers, APIC,
 * pending events) and what the kernel emulates beside the vCPUs (PICs, I/O APIC, PIT, clock). `docs/kvm.md`
 * documents it. Every part is architectural; the names of the smaller structures' fields are those of Linux's
 * `<asm/kvm.h>`, which name the chips' registers.
 *
 * The order of reading and writing is that of `Documentation/virt/kvm/api.rst`: nobody runs and no exit is
 * pending; vCPUs first, then chips; within a vCPU what decides how later parts are taken comes first.
 */
import type { X86Registers } from "../../core/decoder/x86/registers.ts";
import type { PlainStruct } from "./abi/codec.ts";
import { cpuVendor } from "./cpuid.ts";
import { MSR_TSC, MSR_TSC_DEADLINE, readRegisters, writeMsrs, writeRegisters } from "./registers.ts";
import type { CpuidEntry } from "./system.ts";
import type { KvmVcpu } from "./vcpu.ts";
import type { VirtualMachine } from "./virtual_machine.ts";
import type { ChipState } from "./vm.ts";

/** One vCPU. */
export interface VcpuState {
  /** What CPUID says on it. */
  readonly cpuid: readonly CpuidEntry[];
  readonly registers: Readonly<X86Registers>;
  /** The local APIC's registers, 1024 bytes as in its page. */
  readonly lapic: Uint8Array<ArrayBuffer>;
  /** Exceptions, interrupts and NMIs that were accepted and not delivered yet: `kvm_vcpu_events`. */
  readonly events: PlainStruct;
}

/** A machine without RAM and devices. */
export interface KvmMachineState {
  readonly format: "bootwright x86_64 1";
  /** The board that the machine is. */
  readonly board: string;
  /** The processor's vendor, by CPUID. */
  readonly vendor: string;
  /** Thousands of ticks per second of the time-stamp counter. */
  readonly tscKhz: number;
  readonly vcpus: readonly VcpuState[];
  readonly chips: ChipState;
  /** The paravirtual clock in ns. */
  readonly clockNs: bigint;
}

/** A state cannot be restored here. */
export class StateError extends Error {
  override name = "StateError";
}

/** TSCs that differ by less are the same: what NTP corrects anyway. */
const TSC_TOLERANCE = 250e-6;

/** What a state is saved from and restored into. */
export type SavedVirtualMachine = Pick<VirtualMachine, "vm" | "vcpus" | "clocks">;

/** Saves a machine. No vCPU runs, none has an exit to complete. */
export function saveMachine(
  { vm, vcpus, clocks }: SavedVirtualMachine,
  cpuid: readonly (readonly CpuidEntry[])[],
  board: string,
): KvmMachineState {
  // Of one moment, whenever the registers are read.
  const { clockNs, counters } = clocks.read();
  return {
    format: "bootwright x86_64 1",
    board,
    vendor: cpuVendor(cpuid[0]),
    tscKhz: vcpus[0].tscKhz,
    vcpus: vcpus.map((vcpu, i) => ({
      cpuid: cpuid[i],
      registers: withCounter(readRegisters(vcpu, vm.system.msrs), counters[i]),
      lapic: vcpu.get("kvm_lapic_state").regs as Uint8Array<ArrayBuffer>,
      events: vcpu.get("kvm_vcpu_events"),
    })),
    chips: vm.saveChips(),
    clockNs,
  };
}

/** A copy of registers with another time-stamp counter, where there is one. */
function withCounter(registers: Readonly<X86Registers>, counter: bigint | undefined): Readonly<X86Registers> {
  const copy = { ...registers };
  return counter === undefined ? copy : { ...copy, msrs: new Map(copy.msrs).set(MSR_TSC, counter) };
}

/** Restores a machine that {@linkcode checkState} has accepted. No vCPU runs. */
export function restoreMachine({ vm, vcpus, clocks }: SavedVirtualMachine, state: KvmMachineState): void {
  state.vcpus.forEach((saved, i) => restoreVcpu(vcpus[i], saved));
  vm.restoreChips(state.chips);
  const counters = state.vcpus.map(({ registers }) => registers.msrs.get(MSR_TSC));
  clocks.set({ clockNs: state.clockNs, counters });
}

/** Restores one vCPU. */
export function restoreVcpu(vcpu: KvmVcpu, { registers, lapic, events }: VcpuState): void {
  writeRegisters(vcpu, registers);
  vcpu.set("kvm_lapic_state", { regs: lapic });
  const deadline = registers.msrs.get(MSR_TSC_DEADLINE);
  if (deadline !== undefined) writeMsrs(vcpu, [[MSR_TSC_DEADLINE, deadline]]);
  vcpu.set("kvm_vcpu_events", events);
}

/** What a state is to be restored into. */
export interface StateTarget {
  readonly board: string;
  readonly vcpus: number;
  readonly tscKhz: number;
  /** What the host's KVM can give a guest. */
  readonly supportedCpuid: readonly CpuidEntry[];
}

/**
 * Says whether a state can be restored.
 *
 * @throws {StateError} when it is none, or of another board or processor.
 */
export function checkState(state: KvmMachineState, target: StateTarget): void {
  if (state?.format !== "bootwright x86_64 1") {
    throw new StateError("This is no saved state of an x86-64 machine, or one of another version.");
  }
  if (state.board !== target.board) {
    throw new StateError(
      `The state is of a machine of board ${state.board}, and this one is ${target.board}; ` +
        "restore it into a machine of the same board.",
    );
  }
  if (state.vcpus.length !== target.vcpus) {
    throw new StateError(
      `The state is of a machine with ${state.vcpus.length} vCPUs, and this one has ${target.vcpus}.`,
    );
  }
  const vendor = cpuVendor(target.supportedCpuid);
  if (state.vendor !== vendor) {
    throw new StateError(
      `The state is of a machine whose processor is ${state.vendor}, and this host's is ${vendor}; ` +
        "a guest cannot move between the two.",
    );
  }
  if (Math.abs(state.tscKhz - target.tscKhz) > target.tscKhz * TSC_TOLERANCE) {
    throw new StateError(
      `The state is of a machine whose time-stamp counter runs at ${state.tscKhz} kHz, and this host's runs ` +
        `at ${target.tscKhz} kHz; the guest's clocks would be wrong.`,
    );
  }
  for (const { cpuid } of state.vcpus) checkFeatures(cpuid, target.supportedCpuid);
}

/** Feature words, and bits of them that are not the host's to give. */
const FEATURE_WORDS:
  readonly (readonly [leaf: number, index: number, output: keyof CpuidEntry, own: number])[] = [
    [0x1, 0, "ecx", 1 << 24 | 1 << 27 | 1 << 31], // TSC deadline, OSXSAVE, under a hypervisor
    [0x1, 0, "edx", 1 << 28], // several cores
    [0x7, 0, "ebx", 0],
    [0x7, 0, "ecx", 1 << 4], // OSPKE
    [0x7, 0, "edx", 0],
    [0x7, 1, "eax", 0],
    [0xd, 0, "eax", 0],
    [0x80000001, 0, "ecx", 1 << 1], // several cores
    [0x80000001, 0, "edx", 0],
  ];

function checkFeatures(saved: readonly CpuidEntry[], supported: readonly CpuidEntry[]): void {
  const word = (table: readonly CpuidEntry[], leaf: number, index: number, output: keyof CpuidEntry) =>
    table.find((entry) => entry.function === leaf && entry.index === index)?.[output] ?? 0;
  for (const [leaf, index, output, own] of FEATURE_WORDS) {
    const missing = word(saved, leaf, index, output) & ~word(supported, leaf, index, output) & ~own;
    if (missing === 0) continue;
    throw new StateError(
      `The state is of a machine whose processor has features that this host's lacks ` +
        `(CPUID 0x${leaf.toString(16)}.${index} ${output}, bits 0x${(missing >>> 0).toString(16)}); ` +
        "save it from a machine with a lower CPU model.",
    );
  }
}
