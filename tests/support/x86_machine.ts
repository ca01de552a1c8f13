/**
 * A bare x86-64 machine for engine tests: RAM at 0 and what a test maps, no firmware, no board. Guests are byte
 * arrays; they begin in the mode that a test asks for.
 */
import {
  LocalRegisters,
  powerOnRegisters,
  realModeSegment,
  type RegisterHolder,
  type X86RegisterPort,
  type X86Registers,
  type X86Segment,
} from "../../core/decoder/x86/registers.ts";
import type { Isa, RegisterInfo, Vcpu } from "../../core/isa.ts";
import type { Device } from "../../core/devices/device.ts";
import { Machine } from "../../core/machine.ts";
import { mappedMemory } from "../../accel/ffi/memory.ts";
import { KvmEngine, type KvmOptions } from "../../accel/kvm/engine.ts";

/** A vCPU that only has registers: the engine executes it. */
export class BareX86Vcpu implements Vcpu, X86RegisterPort {
  readonly state: Int32Array<ArrayBuffer> = new Int32Array(0);
  readonly stateAddress = 0;
  readonly exceptions = 0;
  waiting = false;
  stopped = false;
  holder: RegisterHolder = new LocalRegisters();
  readonly mode = "unknown";

  constructor(readonly index: number) {}

  interpret(): void {
    throw new Error("Nothing here interprets x86");
  }
  wake(): void {}
  takeInterrupt(): void {}
  context(): number {
    return -1;
  }
  fetchOffset(): number {
    return -1;
  }
  collectHostFlags: () => number = () => 0;
  dropStoreTranslations(): void {}
  deschedule(): void {}
  registers(): readonly RegisterInfo[] {
    return [{ name: "rip", bits: 64 }];
  }
  register(name: string): bigint | undefined {
    const value = (this.holder.read() as unknown as Record<string, unknown>)[name];
    return typeof value === "bigint" ? value : undefined;
  }
  setRegister(name: string, value: bigint): boolean {
    if (this.register(name) === undefined) return false;
    this.holder.write({ ...this.holder.read(), [name]: value });
    return true;
  }
  translateAddress(virtual: bigint): number | undefined {
    return Number(virtual);
  }
  save(): unknown {
    return this.holder.read();
  }
}

const bareX86: Isa = {
  name: "x86_64",
  createVcpu: (_, index) => new BareX86Vcpu(index),
  createFrontEnd: () => {
    throw new Error("Nothing here translates x86");
  },
};

/** Where guests are put and begin. */
export const CODE = 0x1000;
/** Page tables that map the first gigabyte onto itself, for long mode. */
const PAGE_TABLES = 0x8000;
const GDT = 0x7000;
/** The stack grows down from here. */
export const STACK = 0x7000;
/** A port that prints. */
export const PRINT_PORT = 0xe9;
/** A port that ends the machine with what is written as its code. */
export const EXIT_PORT = 0xf4;

/** How a guest begins. */
export type Mode = "real" | "protected" | "long" | "user";

/** What a machine is made from. */
export interface BareOptions extends KvmOptions {
  readonly code: readonly number[] | Uint8Array;
  /** @default "real" */
  readonly mode?: Mode;
  /** @default 1 */
  readonly vcpus?: number;
  /** @default 2 MiB */
  readonly ramBytes?: number;
  /** More RAM elsewhere. @default none */
  readonly highRam?: { readonly base: number; readonly size: number };
}

/** A machine under KVM with a port that prints and one that ends it. */
export class BareMachine implements Disposable {
  readonly machine: Machine;
  readonly engine: KvmEngine;
  readonly vcpus: readonly BareX86Vcpu[];
  /** What the guest printed. */
  readonly printed: number[] = [];
  /** Told of every byte. */
  onPrint: (byte: number) => void = () => {};

  constructor(options: BareOptions) {
    const { mode = "real", vcpus = 1, ramBytes = 2 << 20, highRam } = options;
    this.machine = new Machine({
      ...{ isa: bareX86, memory: mappedMemory, ramBase: 0, ramSize: ramBytes, vcpus },
      ...(highRam && { moreRam: highRam }),
    });
    const { machine } = this;
    this.vcpus = machine.vcpus as unknown as readonly BareX86Vcpu[];
    machine.ports.map(
      "print",
      PRINT_PORT,
      1,
      writeOnly((value) => {
        this.printed.push(value);
        this.onPrint(value);
      }),
    );
    machine.ports.map(
      "exit",
      EXIT_PORT,
      4,
      writeOnly((code) => machine.requestExit({ kind: "debugExit", code })),
    );
    machine.ram.write(CODE, Uint8Array.from(options.code));
    for (const [address, words] of TABLES) machine.ram.write(address, new Uint8Array(words.buffer));
    for (const vcpu of this.vcpus) vcpu.holder.powerOn(startRegisters(mode, vcpu.index));
    try {
      this.engine = new KvmEngine(machine, options);
    } catch (error) {
      machine.dispose();
      throw error;
    }
  }

  /** What the guest printed, as text. */
  get text(): string {
    return String.fromCharCode(...this.printed);
  }

  /** Runs for so much guest time. */
  run(ns = 2e9): void {
    this.machine.run(this.engine, this.machine.clock.nowNs + ns);
  }

  /** Presses reset. */
  reset(mode: Mode = "real"): void {
    this.machine.exit = undefined;
    for (const vcpu of this.vcpus) vcpu.holder.powerOn(startRegisters(mode, vcpu.index));
  }

  [Symbol.dispose](): void {
    this.engine.dispose();
    this.machine.dispose();
  }
}

function writeOnly(write: (value: number) => void): Device {
  return { read: () => 0, write: (_, value) => write(value), reset: () => {} };
}

const CODE32: X86Segment = {
  ...realModeSegment(0),
  ...{ selector: 0x08, limit: 0xffff_ffff, type: 11, db: 1, g: 1 },
};
const DATA: X86Segment = { ...CODE32, selector: 0x10, type: 3 };
const CODE64: X86Segment = { ...CODE32, selector: 0x18, db: 0, l: 1 };
const USER_CODE: X86Segment = { ...CODE64, selector: 0x23, dpl: 3 };
const USER_DATA: X86Segment = { ...DATA, selector: 0x2b, dpl: 3 };
const CR0_PROTECTED = 0x0000_0011n, CR0_PAGING = 0x8000_0000n;
const CR4_PAE = 0x20n;
const EFER_LONG = 0x500n;
/** I/O privilege level 3: user code may use ports. */
const RFLAGS_IOPL3 = 0x3000n;

const PRESENT = 7n, LARGE_PAGE = 0x80n;

/** The descriptors of the segments above, and an identity map of the first gigabyte for all. */
const TABLES: readonly (readonly [address: number, words: BigUint64Array<ArrayBuffer>])[] = [
  [
    GDT,
    BigUint64Array.of(
      0n,
      0x00cf_9b00_0000_ffffn,
      0x00cf_9300_0000_ffffn,
      0x00af_9b00_0000_ffffn,
      0x00af_fb00_0000_ffffn,
      0x00cf_f300_0000_ffffn,
    ),
  ],
  [PAGE_TABLES, BigUint64Array.of(BigInt(PAGE_TABLES + 0x1000) | PRESENT)],
  [PAGE_TABLES + 0x1000, BigUint64Array.of(BigInt(PAGE_TABLES + 0x2000) | PRESENT)],
  [
    PAGE_TABLES + 0x2000,
    BigUint64Array.from({ length: 512 }, (_, i) => BigInt(i) << 21n | PRESENT | LARGE_PAGE),
  ],
];

/** The registers with which a guest begins in a mode. */
export function startRegisters(mode: Mode, vcpu = 0): X86Registers {
  const common = powerOnRegisters(vcpu);
  Object.assign(common, { rip: BigInt(CODE), rsp: BigInt(STACK), gdt: { base: BigInt(GDT), limit: 47 } });
  const flat = (code: X86Segment, data: X86Segment) => ({
    ...{ cs: code, ds: data, es: data, ss: data, fs: data, gs: data },
  });
  const paging = {
    cr0: CR0_PROTECTED | CR0_PAGING,
    cr3: BigInt(PAGE_TABLES),
    cr4: CR4_PAE,
    efer: EFER_LONG,
  };
  switch (mode) {
    case "real":
      return { ...common, cs: { ...realModeSegment(0), type: 11 } };
    case "protected":
      return { ...common, ...flat(CODE32, DATA), cr0: CR0_PROTECTED };
    case "long":
      return { ...common, ...flat(CODE64, DATA), ...paging };
    case "user":
      return { ...common, ...flat(USER_CODE, USER_DATA), ...paging, rflags: 2n | RFLAGS_IOPL3 };
  }
}
