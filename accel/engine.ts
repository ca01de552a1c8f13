/** What executes vCPUs. One interface for the interpreter, the translator and KVM. */
import type { Vcpu } from "../core/isa.ts";

/** An execution engine, bound to one machine. */
export interface Engine {
  /** "interpreter", "dbt" or "kvm". */
  readonly name: string;
  /** Whether the same inputs give the same run, to the bit. */
  readonly deterministic: boolean;
  /**
   * Runs a vCPU for at most `budget` instructions (below 2^30), advancing the clock. Returns at the exact
   * instruction boundary where the budget is spent, `control.yield` was set, or the vCPU waits or stops.
   */
  run(vcpu: Vcpu, budget: number): void;
  /** Counters for benches and reports: blocks translated, TLB fills, exits by cause… */
  statistics(): Record<string, number>;
  /** Frees what the engine holds. */
  dispose(): void;
}
