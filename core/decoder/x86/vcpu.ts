/**
 * An x86-64 processor as the rest of the machine sees it: its registers by name, wherever the engine keeps
 * them, and its page tables.
 */
import type { MachineContext, RegisterInfo, Vcpu } from "../../isa.ts";
import { FLOAT_REGISTERS, readFloat, withFloat } from "./float_registers.ts";
import { walkPages } from "./page_walk.ts";
import {
  codeBase,
  GENERAL_REGISTERS,
  linearPc,
  LocalRegisters,
  type RegisterHolder,
  SEGMENT_REGISTERS,
  type X86Registers,
} from "./registers.ts";

const CONTROL_REGISTERS = ["cr0", "cr2", "cr3", "cr4", "cr8", "efer", "xcr0"] as const;
const DEBUG_REGISTERS = ["dr0", "dr1", "dr2", "dr3", "dr6", "dr7"] as const;
const PLAIN = [
  ...GENERAL_REGISTERS,
  "rip",
  "rflags",
  ...CONTROL_REGISTERS,
  ...DEBUG_REGISTERS,
] as const;
const TABLES = ["gdt", "idt"] as const;
const CR0_PE = 1n;
const RFLAGS_VM = 1n << 17n;

const of = (names: readonly string[], bits: number) => names.map((name): RegisterInfo => ({ name, bits }));

const REGISTERS: readonly RegisterInfo[] = [
  ...of([...GENERAL_REGISTERS, "rip", "rflags", "pc"], 64),
  ...of(SEGMENT_REGISTERS, 16),
  ...of(["fs_base", "gs_base", ...TABLES.map((name) => `${name}_base`)], 64),
  ...of(TABLES.map((name) => `${name}_limit`), 16),
  ...of([...CONTROL_REGISTERS, ...DEBUG_REGISTERS], 64),
  ...FLOAT_REGISTERS,
];

const isOneOf = <T extends string>(names: readonly T[], name: string): name is T =>
  (names as readonly string[]).includes(name);

/** One x86-64 processor. */
export class X86Vcpu implements Vcpu {
  /** Where its registers are; an engine that keeps them elsewhere replaces it. */
  holder: RegisterHolder = new LocalRegisters();

  /** Made by the machine. */
  constructor(private readonly context: MachineContext, readonly index: number) {}

  /** It halted, until an interrupt. */
  get waiting(): boolean {
    return this.holder.read().activity === "halted";
  }

  /** Nobody has started it. */
  get stopped(): boolean {
    const { activity } = this.holder.read();
    return activity === "stopped" || activity === "initialized";
  }

  wake(): void {}

  deschedule(): void {}

  registers(): readonly RegisterInfo[] {
    return REGISTERS;
  }

  register(name: string): bigint | undefined {
    const registers = this.holder.read();
    if (isOneOf(PLAIN, name)) return registers[name];
    if (isOneOf(SEGMENT_REGISTERS, name)) return BigInt(registers[name].selector);
    switch (name) {
      case "pc":
        return linearPc(registers);
      case "fs_base":
        return registers.fs.base;
      case "gs_base":
        return registers.gs.base;
      case "gdt_base":
        return registers.gdt.base;
      case "idt_base":
        return registers.idt.base;
      case "gdt_limit":
        return BigInt(registers.gdt.limit);
      case "idt_limit":
        return BigInt(registers.idt.limit);
    }
    return readFloat(registers.xsave, name);
  }

  setRegister(name: string, value: bigint): boolean {
    const registers = this.holder.read();
    const changed = changedRegister(registers, name, value);
    if (!changed) return false;
    this.holder.write({ ...registers, ...changed });
    return true;
  }

  /** "user" (ring 3), "kernel" (ring 0), "ring 1", "ring 2", "virtual-8086", or "real". */
  get mode(): string {
    const { cr0, rflags, ss } = this.holder.read();
    if (!(cr0 & CR0_PE)) return "real";
    if (rflags & RFLAGS_VM) return "virtual-8086";
    return ["kernel", "ring 1", "ring 2", "user"][ss.dpl & 3];
  }

  translateAddress(virtual: bigint): number | undefined {
    return walkPages(this.holder.read(), virtual, (address, size) => {
      const ram = this.context.rams.find((span) => span.contains(address, size));
      if (!ram) return undefined;
      const offset = address - ram.base;
      return size === 8 ? ram.view.getBigUint64(offset, true) : BigInt(ram.view.getUint32(offset, true));
    });
  }

  save(): X86Registers {
    return structuredClone(this.holder.read());
  }
}

function changedRegister(
  registers: Readonly<X86Registers>,
  name: string,
  value: bigint,
): Partial<X86Registers> | undefined {
  if (isOneOf(PLAIN, name)) return { [name]: value };
  switch (name) {
    case "pc":
      return { rip: BigInt.asUintN(64, value - codeBase(registers)) };
    case "fs_base":
      return { fs: { ...registers.fs, base: value } };
    case "gs_base":
      return { gs: { ...registers.gs, base: value } };
  }
  const xsave = withFloat(registers.xsave, name, value);
  return xsave && { xsave };
}
