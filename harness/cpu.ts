/** A vCPU as a test sees it, by the ISA's own names. */
import type { Vcpu } from "../core/isa.ts";
import { type CpuPosition, InputError } from "./errors.ts";
import { didYouMean } from "./suggest.ts";

/** One vCPU of a machine that stands still. */
export class Cpu {
  readonly #vcpu: Vcpu;
  readonly #assertOpen: () => void;

  /** Made by {@linkcode Vm.cpu}. */
  constructor(vcpu: Vcpu, assertOpen: () => void) {
    this.#vcpu = vcpu;
    this.#assertOpen = assertOpen;
  }

  /** Its number, from 0. */
  get index(): number {
    return this.#vcpu.index;
  }

  /** Program counter: the next instruction to execute. */
  get pc(): bigint {
    return this.register("pc");
  }

  /** Privilege mode: "user", "supervisor", "machine", or the ISA's equivalents. */
  get mode(): string {
    this.#assertOpen();
    return this.#vcpu.mode;
  }

  /** Whether it executes, waits for an interrupt, or was never started (or stopped). */
  get state(): CpuPosition["state"] {
    this.#assertOpen();
    return this.#vcpu.stopped ? "stopped" : this.#vcpu.waiting ? "waiting" : "running";
  }

  /** Every register worth showing, by ABI name, in the ISA's order; floating point as raw bits. */
  get registers(): Readonly<Record<string, bigint>> {
    this.#assertOpen();
    return Object.fromEntries(this.#vcpu.registers().map(({ name }) => [name, this.#vcpu.register(name)!]));
  }

  /**
   * A register by its ABI or architectural name: general, floating point (raw bits), `pc`, system register.
   *
   * @throws {InputError} when the ISA has no register of that name.
   */
  register(name: string): bigint {
    this.#assertOpen();
    const value = this.#vcpu.register(name);
    if (value === undefined) throw this.#unknown(name);
    return value;
  }

  /**
   * Writes a register.
   *
   * @throws {InputError} when the ISA has no writable register of that name.
   */
  setRegister(name: string, value: bigint): void {
    this.#assertOpen();
    const bits = this.#vcpu.registers().find((register) => register.name === name)?.bits ?? 64;
    if (!this.#vcpu.setRegister(name, BigInt.asUintN(bits, value))) throw this.#unknown(name);
  }

  /** Where it stands, for reports. */
  position(): CpuPosition {
    return { index: this.index, pc: this.pc, mode: this.mode, state: this.state };
  }

  #unknown(name: string): InputError {
    const names = this.#vcpu.registers().map((register) => register.name);
    return new InputError(`This vCPU has no register "${name}".${didYouMean(name, names)}`);
  }
}
