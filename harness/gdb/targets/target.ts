/**
 * What gdb is told of an architecture: which registers there are, in which order, of which types, as a target
 * description in XML (gdb manual, appendix G). One row per architecture, beside this file.
 *
 * A register's number in the protocol is its place among all features' registers. The packets that carry
 * many registers at once hold those of the features marked so; gdb asks for the others one by one.
 */
import type { Vcpu } from "../../../core/isa.ts";
import type { Arch } from "../../boards.ts";

/** A register as gdb knows it. */
export interface TargetRegister {
  /** gdb's name. */
  readonly name: string;
  /** The vCPU's name for it. @default the same */
  readonly vcpu?: string;
  /** A multiple of 8. */
  readonly bits: number;
  /** A type of gdb's or of the feature. @default "int" */
  readonly type?: string;
  /** A group that `info registers GROUP` shows. */
  readonly group?: string;
  /** Not to be saved and restored around a call of a guest's function from gdb. */
  readonly keep?: boolean;
}

/** Registers that gdb expects together. */
export interface TargetFeature {
  /** As gdb's manual has it: "org.gnu.gdb.riscv.cpu". */
  readonly name: string;
  /** XML elements that define types of registers. */
  readonly types?: string;
  /** Whether the packets with many registers hold them. Features that do come first. */
  readonly general?: boolean;
  readonly registers: readonly TargetRegister[];
}

/** One architecture. */
export interface TargetRow {
  /** gdb's name of it. */
  readonly architecture: string;
  /** Its registers, those a vCPU has. */
  features(vcpu: Vcpu): readonly TargetFeature[];
  /**
   * Whether gdb takes this architecture's watchpoints to stop before the access, so that it asks for a step past it
   * before it compares what is watched.
   */
  readonly watchpointsStopBefore: boolean;
  /** The names of the registers that each stop reports: pc and what unwinding begins with. */
  readonly expedited: readonly string[];
}

/** A machine's architecture as gdb sees it. */
export class Target {
  /** The target description. */
  readonly xml: string;
  /** By number. */
  readonly registers: readonly TargetRegister[];
  /** Numbers of the registers that the packets with many registers hold, in order. */
  readonly general: readonly number[];
  /** Numbers of the registers that each stop reports. */
  readonly expedited: readonly number[];
  /** As in {@linkcode TargetRow}. */
  readonly watchpointsStopBefore: boolean;

  constructor(row: TargetRow, vcpu: Vcpu) {
    const features = row.features(vcpu);
    this.registers = features.flatMap((feature) => feature.registers);
    const count = features.filter((feature) => feature.general).flatMap((f) => f.registers).length;
    this.general = Array.from({ length: count }, (_, i) => i);
    this.expedited = row.expedited.map((name) => this.registers.findIndex((r) => r.name === name));
    this.watchpointsStopBefore = row.watchpointsStopBefore;
    this.xml = describe(row, features);
  }

  /** A register's value as the protocol has it: hexadecimal in the order of memory. Undefined: no such register. */
  read(vcpu: Vcpu, number: number): string | undefined {
    const register = this.registers[number];
    if (!register) return undefined;
    const value = vcpu.register(register.vcpu ?? register.name);
    if (value === undefined) return "xx".repeat(register.bits / 8);
    const digits = BigInt.asUintN(register.bits, value).toString(16).padStart(register.bits / 4, "0");
    return digits.match(/../g)!.toReversed().join("");
  }

  /** Writes a register from what the protocol has. False: there is none, or the value is none. */
  write(vcpu: Vcpu, number: number, hex: string): boolean {
    const register = this.registers[number];
    if (!register || !new RegExp(`^[0-9a-f]{${register.bits / 4}}$`, "i").test(hex)) return false;
    const value = BigInt(`0x${hex.match(/../g)!.toReversed().join("")}`);
    return vcpu.setRegister(register.vcpu ?? register.name, value);
  }
}

/** The rows. Their code is loaded when it is used. */
const ROWS: Readonly<Record<Arch, () => Promise<TargetRow>>> = {
  riscv64: async () => (await import("./riscv64.ts")).RISCV64,
  x86_64: async () => (await import("./x86_64.ts")).X86_64,
};

/** The row of an architecture. */
export function targetRow(arch: Arch): Promise<TargetRow> {
  return ROWS[arch]();
}

/** Without an operating system's ABI gdb steps by asking for a step, in place of setting breakpoints ahead. */
function describe(row: TargetRow, features: readonly TargetFeature[]): string {
  let number = 0;
  const lines = [
    `<?xml version="1.0"?>`,
    `<!DOCTYPE target SYSTEM "gdb-target.dtd">`,
    `<target version="1.0">`,
    `<architecture>${row.architecture}</architecture>`,
    `<osabi>none</osabi>`,
  ];
  for (const { name, types, registers } of features) {
    lines.push(`<feature name="${name}">`, ...(types === undefined ? [] : [types]));
    for (const register of registers) lines.push(describeRegister(register, number++));
    lines.push(`</feature>`);
  }
  return [...lines, `</target>`, ``].join("\n");
}

function describeRegister({ name, bits, type = "int", group, keep }: TargetRegister, number: number): string {
  const attributes = [
    `name="${name}" bitsize="${bits}" type="${type}" regnum="${number}"`,
    ...(group === undefined ? [] : [`group="${group}"`]),
    ...(keep ? [`save-restore="no"`] : []),
  ];
  return `<reg ${attributes.join(" ")}/>`;
}
