/**
 * The architectural registers of an x86-64 vCPU as a plain value: what boards set up, what tests look at, what
 * snapshots hold, whichever engine executes. An engine that keeps them elsewhere (KVM: in the kernel) takes a
 * vCPU's {@linkcode RegisterHolder} over. References are to AMD's Architecture Programmer's Manual, volume 2.
 */

/** A segment register with its hidden part (§4.5.1). */
export interface X86Segment {
  selector: number;
  base: bigint;
  /** In bytes, with the granularity applied. */
  limit: number;
  /** The descriptor's four type bits. */
  type: number;
  /** Descriptor bits, 0 or 1 (`dpl`: 0 to 3). */
  s: number;
  dpl: number;
  present: number;
  avl: number;
  l: number;
  db: number;
  g: number;
  /** 1 where the register holds no segment: a null selector was loaded. */
  unusable: number;
}

/** GDTR or IDTR. */
export interface X86Table {
  base: bigint;
  limit: number;
}

/** What a vCPU does when it is its turn. */
export type X86Activity =
  /** Executes. */
  | "running"
  /** HLT: waits for an interrupt. */
  | "halted"
  /** Waits for INIT: a vCPU that was never started. */
  | "stopped"
  /** Had its INIT and waits for a start-up IPI. */
  | "initialized";

/** The general registers, in the order of their encoding. */
export const GENERAL_REGISTERS = [
  ...["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"] as const,
  ...["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"] as const,
] as const;

/** The segment registers. */
export const SEGMENT_REGISTERS = ["es", "cs", "ss", "ds", "fs", "gs", "ldt", "tr"] as const;

/** A name of {@linkcode GENERAL_REGISTERS}. */
export type GeneralRegister = typeof GENERAL_REGISTERS[number];
/** A name of {@linkcode SEGMENT_REGISTERS}. */
export type SegmentRegister = typeof SEGMENT_REGISTERS[number];

/** All registers. 64-bit ones are bigints below 2^64. */
export interface X86Registers extends Record<GeneralRegister, bigint>, Record<SegmentRegister, X86Segment> {
  rip: bigint;
  rflags: bigint;
  gdt: X86Table;
  idt: X86Table;
  cr0: bigint;
  cr2: bigint;
  cr3: bigint;
  cr4: bigint;
  cr8: bigint;
  efer: bigint;
  /** The APIC_BASE MSR. */
  apicBase: bigint;
  dr0: bigint;
  dr1: bigint;
  dr2: bigint;
  dr3: bigint;
  dr6: bigint;
  dr7: bigint;
  xcr0: bigint;
  /** FPU, SSE and whatever XCR0 adds, as XSAVE lays them out in its standard form (§11.5.2); 576 bytes or more. */
  xsave: Uint8Array<ArrayBuffer>;
  /** Model-specific registers by number, without those that have a name above. */
  msrs: ReadonlyMap<number, bigint>;
  activity: X86Activity;
}

const EFER_LMA = 1n << 10n;

/** What is added to rip: nothing in 64-bit code. */
export function codeBase({ cs, efer }: Readonly<X86Registers>): bigint {
  return cs.l && efer & EFER_LMA ? 0n : cs.base;
}

/** The linear address of the next instruction. */
export function linearPc(registers: Readonly<X86Registers>): bigint {
  return BigInt.asUintN(64, codeBase(registers) + registers.rip);
}

/** Where a vCPU's registers are. Only used while the machine stands still. */
export interface RegisterHolder {
  /** The registers now. The caller does not change the value. */
  read(): Readonly<X86Registers>;
  /** Replaces the registers. MSRs that are not in the map stay. */
  write(registers: Readonly<X86Registers>): void;
  /** The same for a vCPU after a reset: what the registers do not show is as after power-on, too. */
  powerOn(registers: Readonly<X86Registers>): void;
}

/** What an engine that keeps registers elsewhere needs of a vCPU. */
export interface X86RegisterPort {
  /** Where the registers are; the engine replaces it when it takes over. */
  holder: RegisterHolder;
}

/** Registers that nobody but the vCPU has. */
export class LocalRegisters implements RegisterHolder {
  #registers: Readonly<X86Registers> | undefined;

  read(): Readonly<X86Registers> {
    return this.#registers ??= powerOnRegisters(0);
  }

  write(registers: Readonly<X86Registers>): void {
    this.#registers = registers;
  }

  powerOn(registers: Readonly<X86Registers>): void {
    this.#registers = registers;
  }
}

const APIC_BASE = 0xfee0_0000n, APIC_ENABLED = 1n << 11n, APIC_BOOT_CPU = 1n << 8n;
/** Bytes of an XSAVE area without extensions, and offsets in it. */
const XSAVE_BYTES = 576, FCW = 0, FTW = 4, MXCSR = 24, XSTATE_BV = 512;

const POWER_ON_XSAVE = powerOnXsave();

function powerOnXsave(): Uint8Array<ArrayBuffer> {
  const xsave = new Uint8Array(XSAVE_BYTES);
  const area = new DataView(xsave.buffer);
  area.setUint16(FCW, 0x0040, true);
  area.setUint8(FTW, 0xff);
  area.setUint32(XSTATE_BV, 3, true); // x87 and SSE are as written here
  area.setUint32(MXCSR, 0x1f80, true);
  return xsave;
}

/** The registers after power-on or reset (§14.1.3): real mode, at 0xfffffff0. */
export function powerOnRegisters(vcpu: number): X86Registers {
  return {
    rax: 0n,
    rcx: 0n,
    rdx: 0n,
    rbx: 0n,
    rsp: 0n,
    rbp: 0n,
    rsi: 0n,
    rdi: 0n,
    r8: 0n,
    r9: 0n,
    r10: 0n,
    r11: 0n,
    r12: 0n,
    r13: 0n,
    r14: 0n,
    r15: 0n,
    rip: 0xfff0n,
    rflags: 2n,
    cs: { ...realModeSegment(0xf000), base: 0xffff_0000n, type: 11 },
    es: realModeSegment(0),
    ss: realModeSegment(0),
    ds: realModeSegment(0),
    fs: realModeSegment(0),
    gs: realModeSegment(0),
    ldt: { ...realModeSegment(0), type: 2, s: 0 },
    tr: { ...realModeSegment(0), type: 11, s: 0 },
    gdt: { base: 0n, limit: 0xffff },
    idt: { base: 0n, limit: 0xffff },
    cr0: 0x6000_0010n,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    efer: 0n,
    apicBase: APIC_BASE | APIC_ENABLED | (vcpu === 0 ? APIC_BOOT_CPU : 0n),
    dr0: 0n,
    dr1: 0n,
    dr2: 0n,
    dr3: 0n,
    dr6: 0xffff_0ff0n,
    dr7: 0x400n,
    xcr0: 1n,
    xsave: POWER_ON_XSAVE.slice(),
    msrs: new Map(),
    activity: vcpu === 0 ? "running" : "stopped",
  };
}

/** A data segment as real mode has it, its base 16 times its selector. */
export function realModeSegment(selector: number): X86Segment {
  return {
    selector,
    base: BigInt(selector) << 4n,
    limit: 0xffff,
    type: 3,
    s: 1,
    dpl: 0,
    present: 1,
    avl: 0,
    l: 0,
    db: 0,
    g: 0,
    unusable: 0,
  };
}
