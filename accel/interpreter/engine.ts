/** The interpreter as an engine: runs everywhere, needs no permission, and is the oracle of the others. */
import type { SoftwareVcpu } from "../../core/isa.ts";
import type { CountingEngine } from "../engine.ts";

/** Runs vCPUs one instruction at a time. */
export class InterpreterEngine implements CountingEngine {
  readonly name = "interpreter";
  readonly deterministic = true;

  run(vcpu: SoftwareVcpu, budget: number): void {
    vcpu.interpret(budget);
  }

  statistics(): Record<string, number> {
    return {};
  }

  dispose(): void {}
}
