/** Counts which instructions guests execute, and whether as generated code. */
import { INSTRUCTIONS, type Row } from "../../core/decoder/riscv/encodings.ts";
import { EXEC, type Execute } from "../../core/decoder/riscv/exec/mod.ts";
import type { Machine } from "../../core/machine.ts";

/** Counts what the interpreter executes from its making until it is disposed. */
export class CoverageCounter implements Disposable {
  /** By machines that only interpret: that is, at all. */
  readonly #executed = new Float64Array(INSTRUCTIONS.length);
  /** By machines that translate, where they interpret. */
  readonly #interpreted = new Float64Array(INSTRUCTIONS.length);
  readonly #translating = new WeakSet<object>();
  readonly #table = EXEC as Execute[];
  readonly #original = [...EXEC];

  constructor() {
    this.#original.forEach((execute, id) => {
      this.#table[id] = (hart, insn) => {
        (this.#translating.has(hart) ? this.#interpreted : this.#executed)[id]++;
        execute(hart, insn);
      };
    });
  }

  /** Says that a machine translates. It must run what another one interprets. */
  translates(machine: Machine): void {
    for (const vcpu of machine.vcpus) this.#translating.add(vcpu);
  }

  /** How often an instruction was executed. */
  executed(row: Row): number {
    return this.#executed[INSTRUCTIONS.indexOf(row)];
  }

  /** How often it was executed as generated code. */
  native(row: Row): number {
    const id = INSTRUCTIONS.indexOf(row);
    return this.#executed[id] - this.#interpreted[id];
  }

  [Symbol.dispose](): void {
    this.#original.forEach((execute, id) => this.#table[id] = execute);
  }
}
