/** The registers of a vCPU in KVM as the value that all engines share (`core/decoder/x86/registers.ts`). */
import {
  GENERAL_REGISTERS,
  type GeneralRegister,
  SEGMENT_REGISTERS,
  type SegmentRegister,
  type X86Activity,
  type X86Registers,
  type X86Segment,
  type X86Table,
} from "../../core/decoder/x86/registers.ts";
import type { PlainStruct } from "./abi/codec.ts";
import { ERRNO, MP_STATE } from "./abi/table.ts";
import { KvmError } from "./kvm_error.ts";
import type { KvmVcpu } from "./vcpu.ts";

const CONTROL_REGISTERS = ["cr0", "cr2", "cr3", "cr4", "cr8", "efer"] as const;

const ACTIVITIES: readonly (readonly [number, X86Activity])[] = [
  [MP_STATE.RUNNABLE, "running"],
  [MP_STATE.HALTED, "halted"],
  [MP_STATE.UNINITIALIZED, "stopped"],
  [MP_STATE.INIT_RECEIVED, "initialized"],
  [MP_STATE.SIPI_RECEIVED, "initialized"],
];

/** Memory types of physical addresses: no list of KVM's has them, but they are state (SDM volume 3, §12.11). */
const MTRRS: readonly number[] = [
  ...Array.from({ length: 16 }, (_, i) => 0x200 + i),
  ...[0x250, 0x258, 0x259],
  ...Array.from({ length: 8 }, (_, i) => 0x268 + i),
  0x2ff,
];

/** The deadline of the APIC timer: only taken once the APIC and the TSC are as they shall be. */
export const MSR_TSC_DEADLINE = 0x6e0;
/** The time-stamp counter. */
export const MSR_TSC = 0x10;

/** Whether a vCPU executes, waits or was never started. */
export function activityOf(vcpu: KvmVcpu): X86Activity {
  const { mp_state } = vcpu.get("kvm_mp_state");
  return ACTIVITIES.find(([state]) => state === mp_state)?.[1] ?? "running";
}

/** Calls once what gives a value, when it is first asked for. */
function once<T extends object>(read: () => T): () => T {
  let value: T | undefined;
  return () => value ??= read();
}

/**
 * The registers of a vCPU, which must not run for as long as they are looked at: what is large or seldom wanted is
 * read when somebody looks. Whoever keeps them makes a copy (`{ ...registers }`).
 */
export function readRegisters(vcpu: KvmVcpu, msrs: Iterable<number>): X86Registers {
  // First: it lets KVM settle an INIT or a start-up IPI that is under way, which changes the others.
  const activity = activityOf(vcpu);
  const regs = vcpu.get("kvm_regs") as Record<GeneralRegister | "rip" | "rflags", bigint>;
  const sregs = vcpu.get("kvm_sregs");
  const segments = Object.fromEntries(
    SEGMENT_REGISTERS.map((name) => [name, sregs[name] as unknown as X86Segment]),
  ) as Record<SegmentRegister, X86Segment>;
  const control = Object.fromEntries(CONTROL_REGISTERS.map((name) => [name, sregs[name]])) as Record<
    typeof CONTROL_REGISTERS[number],
    bigint
  >;
  const debug = once(() => {
    const { db: [dr0, dr1, dr2, dr3], dr6, dr7 } = vcpu.get("kvm_debugregs") as unknown as DebugRegisters;
    return { dr0, dr1, dr2, dr3, dr6, dr7 };
  });
  const rest = {
    xcr0: once(() => ({ value: readXcr0(vcpu) })),
    xsave: once(() => vcpu.getXsave()),
    msrs: once(() => vcpu.getMsrs([...msrs, ...MTRRS])),
  };
  return {
    ...regs,
    ...segments,
    gdt: sregs.gdt as unknown as X86Table,
    idt: sregs.idt as unknown as X86Table,
    ...control,
    apicBase: sregs.apic_base as bigint,
    activity,
    get dr0() {
      return debug().dr0;
    },
    get dr1() {
      return debug().dr1;
    },
    get dr2() {
      return debug().dr2;
    },
    get dr3() {
      return debug().dr3;
    },
    get dr6() {
      return debug().dr6;
    },
    get dr7() {
      return debug().dr7;
    },
    get xcr0() {
      return rest.xcr0().value;
    },
    get xsave() {
      return rest.xsave();
    },
    get msrs() {
      return rest.msrs();
    },
  };
}

/** `kvm_debugregs`. */
interface DebugRegisters {
  readonly db: readonly bigint[];
  readonly dr6: bigint;
  readonly dr7: bigint;
}

/**
 * Writes all registers of a vCPU, which must not run, in KVM's order: what decides how others are taken comes
 * first. The APIC timer's deadline is left to whoever restores the APIC.
 *
 * @throws {KvmError} when the kernel refuses one that is not so already.
 */
export function writeRegisters(vcpu: KvmVcpu, registers: Readonly<X86Registers>): void {
  const segments = Object.fromEntries(
    SEGMENT_REGISTERS.map((name) => [name, registers[name] as unknown as PlainStruct]),
  );
  const control = Object.fromEntries(CONTROL_REGISTERS.map((name) => [name, registers[name]]));
  const { gdt, idt, apicBase, dr0, dr1, dr2, dr3, dr6, dr7, rip, rflags } = registers;
  vcpu.set("kvm_sregs", {
    ...segments,
    gdt: { ...gdt },
    idt: { ...idt },
    ...control,
    apic_base: apicBase,
  });
  const general = Object.fromEntries(GENERAL_REGISTERS.map((name) => [name, registers[name]]));
  vcpu.set("kvm_regs", { ...general, rip, rflags });
  writeXcr0(vcpu, registers.xcr0);
  vcpu.setXsave(registers.xsave);
  vcpu.set("kvm_debugregs", { db: [dr0, dr1, dr2, dr3], dr6, dr7, flags: 0n });
  writeMsrs(vcpu, [...registers.msrs].filter(([number]) => number !== MSR_TSC_DEADLINE));
  const state = ACTIVITIES.find(([, activity]) => activity === registers.activity)!;
  vcpu.set("kvm_mp_state", { mp_state: state[0] });
}

/** Writes MSRs. @throws {KvmError} when the kernel refuses one that is not so already. */
export function writeMsrs(vcpu: KvmVcpu, values: readonly (readonly [number, bigint])[]): void {
  const refused = vcpu.setMsrs(values);
  if (refused.length === 0) return;
  // Many can be read, and hold what they always hold, but not be written.
  const now = vcpu.getMsrs(refused);
  const wanted = new Map(values);
  const differing = refused.filter((number) => now.get(number) !== wanted.get(number));
  if (differing.length === 0) return;
  const list = differing.map((number) => `0x${number.toString(16)}`).join(", ");
  throw new KvmError("KVM_SET_MSRS", ERRNO.EINVAL, `It took all but ${list}.`);
}

function readXcr0(vcpu: KvmVcpu): bigint {
  const { nr_xcrs, xcrs } = vcpu.get("kvm_xcrs") as unknown as {
    nr_xcrs: number;
    xcrs: { xcr: number; value: bigint }[];
  };
  return xcrs.slice(0, nr_xcrs).find(({ xcr }) => xcr === 0)?.value ?? 1n;
}

function writeXcr0(vcpu: KvmVcpu, value: bigint): void {
  const none = { xcr: 0, value: 0n };
  const xcrs = [{ xcr: 0, value }, ...Array.from({ length: 15 }, () => none)];
  vcpu.set("kvm_xcrs", { nr_xcrs: 1, flags: 0, xcrs });
}
