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
import { ERRNO, MP_STATE, STRUCTS } from "./abi/table.ts";
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
  vcpu.setBytes("kvm_sregs", sregsBytes(registers));
  vcpu.setBytes("kvm_regs", regsBytes(registers));
  writeXcr0(vcpu, registers.xcr0);
  vcpu.setXsave(registers.xsave);
  writeDebugRegisters(vcpu, registers);
  writeMsrs(vcpu, [...registers.msrs].filter(([number]) => number !== MSR_TSC_DEADLINE));
  writeActivity(vcpu, registers.activity);
}

/**
 * Does what {@linkcode writeRegisters} does to a vCPU that was just made: what has the value that it was made with
 * already (AMD's manual, volume 2, §14.1.3) is left alone, which is nearly all that a board does not set up.
 */
export function writeFirstRegisters(vcpu: KvmVcpu, registers: Readonly<X86Registers>): void {
  vcpu.setBytes("kvm_sregs", sregsBytes(registers));
  vcpu.setBytes("kvm_regs", regsBytes(registers));
  if (registers.xcr0 !== 1n) writeXcr0(vcpu, registers.xcr0);
  // KVM leaves the FPU as FNINIT does.
  vcpu.setXsave(registers.xsave);
  const { dr0, dr1, dr2, dr3, dr6, dr7, msrs, activity } = registers;
  if ((dr0 | dr1 | dr2 | dr3) !== 0n || dr6 !== POWER_ON_DR6 || dr7 !== POWER_ON_DR7) {
    writeDebugRegisters(vcpu, registers);
  }
  if (msrs.size > 0) writeMsrs(vcpu, [...msrs]);
  if (activity !== (vcpu.index === 0 ? "running" : "stopped")) writeActivity(vcpu, activity);
}

const POWER_ON_DR6 = 0xffff_0ff0n, POWER_ON_DR7 = 0x400n;

function writeDebugRegisters(vcpu: KvmVcpu, registers: Readonly<X86Registers>): void {
  const { dr0, dr1, dr2, dr3, dr6, dr7 } = registers;
  vcpu.set("kvm_debugregs", { db: [dr0, dr1, dr2, dr3], dr6, dr7, flags: 0n });
}

function writeActivity(vcpu: KvmVcpu, activity: X86Activity): void {
  const [state] = ACTIVITIES.find(([, name]) => name === activity)!;
  vcpu.set("kvm_mp_state", { mp_state: state });
}

const REGS = STRUCTS.kvm_regs, SREGS = STRUCTS.kvm_sregs;
const SEGMENT = STRUCTS.kvm_segment.fields, TABLE = STRUCTS.kvm_dtable.fields;

// Without the codec's names and checks: every machine begins with these.

/** `kvm_regs` */
function regsBytes(registers: Readonly<X86Registers>): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(REGS.bytes));
  for (const name of GENERAL_REGISTERS) view.setBigUint64(REGS.fields[name][0], registers[name], true);
  view.setBigUint64(REGS.fields.rip[0], registers.rip, true);
  view.setBigUint64(REGS.fields.rflags[0], registers.rflags, true);
  return new Uint8Array(view.buffer);
}

/** `kvm_sregs` */
function sregsBytes(registers: Readonly<X86Registers>): Uint8Array<ArrayBuffer> {
  const { bytes, fields } = SREGS;
  const view = new DataView(new ArrayBuffer(bytes));
  for (const name of SEGMENT_REGISTERS) writeSegment(view, fields[name][0], registers[name]);
  writeTable(view, fields.gdt[0], registers.gdt);
  writeTable(view, fields.idt[0], registers.idt);
  for (const name of CONTROL_REGISTERS) view.setBigUint64(fields[name][0], registers[name], true);
  view.setBigUint64(fields.apic_base[0], registers.apicBase, true);
  return new Uint8Array(view.buffer);
}

function writeSegment(view: DataView, at: number, segment: X86Segment): void {
  view.setBigUint64(at + SEGMENT.base[0], segment.base, true);
  view.setUint32(at + SEGMENT.limit[0], segment.limit, true);
  view.setUint16(at + SEGMENT.selector[0], segment.selector, true);
  view.setUint8(at + SEGMENT.type[0], segment.type);
  view.setUint8(at + SEGMENT.present[0], segment.present);
  view.setUint8(at + SEGMENT.dpl[0], segment.dpl);
  view.setUint8(at + SEGMENT.db[0], segment.db);
  view.setUint8(at + SEGMENT.s[0], segment.s);
  view.setUint8(at + SEGMENT.l[0], segment.l);
  view.setUint8(at + SEGMENT.g[0], segment.g);
  view.setUint8(at + SEGMENT.avl[0], segment.avl);
  view.setUint8(at + SEGMENT.unusable[0], segment.unusable);
}

function writeTable(view: DataView, at: number, { base, limit }: X86Table): void {
  view.setBigUint64(at + TABLE.base[0], base, true);
  view.setUint16(at + TABLE.limit[0], limit, true);
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
