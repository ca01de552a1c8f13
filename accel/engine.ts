/**
 * What executes vCPUs. One interface for the interpreter, the translator and KVM, in two kinds: engines that
 * count instructions are given one vCPU and a budget at a time, by the machine's run loop; engines that cannot
 * run all vCPUs at once, in real time.
 */
import type { Watchpoint } from "../core/debug/debug_points.ts";
import type { Vcpu } from "../core/isa.ts";
import type { ParallelRunner } from "../core/machine.ts";

/** What engines of both kinds have. */
interface EngineBase {
  /** "interpreter", "dbt" or "kvm". */
  readonly name: string;
  /** Whether the same inputs give the same run, to the bit. */
  readonly deterministic: boolean;
  /** Counters for benches and reports: blocks translated, TLB fills, exits by cause… */
  statistics(): Record<string, number>;
  /** Frees what the engine holds. */
  dispose(): void;
}

/** An engine that counts instructions, bound to one machine. */
export interface CountingEngine extends EngineBase {
  /**
   * Runs a vCPU for at most `budget` instructions (below 2^30), advancing the clock. Returns at the exact
   * instruction boundary where the budget is spent, `control.yield` was set, or the vCPU waits or stops.
   */
  run(vcpu: Vcpu, budget: number): void;
}

/** A vCPU that a debugger lets execute one instruction. */
export interface Step {
  /** Its number. */
  readonly cpu: number;
  /** Whether the others stand still meanwhile. */
  readonly alone: boolean;
}

/** An engine that runs all vCPUs of its machine at once. It stops where `machine.debug` says. */
export interface ParallelEngine extends EngineBase, ParallelRunner {
  /** Whether so many breakpoints and these watchpoints can be had at a time. */
  canStopAt(breakpoints: number, watchpoints: readonly Watchpoint[]): boolean;
  /**
   * {@linkcode ParallelRunner.runMachine}, which ends when the given vCPU has executed an instruction: true then. A
   * breakpoint at that instruction does not stop it.
   */
  stepMachine(step: Step, limitNs: number, hostDeadlineMs: number): boolean;
}

/** An execution engine, bound to one machine. */
export type Engine = CountingEngine | ParallelEngine;
