/**
 * One guest computer and its run loop: a board's RAM, devices, vCPUs and clock, driven by an engine.
 *
 * The loop is where determinism lives. It computes how far the vCPU whose turn it is may run (its quantum,
 * the next timer, the caller's limit), lets the engine run exactly that far, and fires timers at exact guest
 * times. Where the caller cuts a run in two changes nothing: the turn and what is left of the quantum are
 * machine state.
 */
import { Bus } from "./bus.ts";
import { Clock } from "./clock.ts";
import { DebugPoints } from "./debug/debug_points.ts";
import { InterruptPins } from "./devices/interrupt_pins.ts";
import type { Isa, MachineContext, Vcpu } from "./isa.ts";
import { RunControl } from "./isa.ts";
import { GuestRam, type HostMemory } from "./memory.ts";
import { Ports } from "./ports.ts";

/** Why a machine stopped for good. */
export type MachineExit =
  /** `failure` is there where the guest said that it ends because it has failed. */
  | { readonly kind: "poweroff"; readonly failure?: string }
  | { readonly kind: "reset"; readonly failure?: string }
  | { readonly kind: "debugExit"; readonly code: number }
  | { readonly kind: "tripleFault"; readonly detail: string }
  /** The guest's kernel crashed; it said so. */
  | { readonly kind: "panic"; readonly detail: string }
  | { readonly kind: "hang"; readonly detail: string }
  /** What executes the guest gave up on it. */
  | { readonly kind: "engineError"; readonly detail: string };

/** What the run loop needs of an engine that counts instructions (`accel/engine.ts` is the full interface). */
export interface Runner {
  run(vcpu: Vcpu, budget: number): void;
}

/** What takes the place of the run loop for an engine that runs all vCPUs at once, in real time. */
export interface ParallelRunner {
  /** {@linkcode Machine.run} under this engine. No vCPU runs any more when it returns. */
  runMachine(machine: Machine, limitNs: number, hostDeadlineMs: number): void;
}

/** What every machine is made from. */
export interface MachineOptions {
  readonly isa: Isa;
  readonly memory: HostMemory;
  readonly ramBase: number;
  /** Bytes, a multiple of the page size. */
  readonly ramSize: number;
  readonly vcpus: number;
  /** More RAM elsewhere: guest-physical address and bytes, as of the first. @default none */
  readonly moreRam?: { readonly base: number; readonly size: number };
}

/** Instructions a vCPU runs before the next one's turn, with more than one vCPU. */
export const QUANTUM_INSTRUCTIONS = 20_000;
/** Longest single engine run, in instructions: keeps budgets small integers. */
const MAX_RUN = 1 << 29;

/** Milliseconds between looks at the host's clock, and the fewest and the most instructions that may take. */
const SLICE_MS = 4, LEAST_SLICE = 1 << 16, MOST_SLICE = 1 << 25;

/** One guest computer. */
export class Machine implements MachineContext {
  readonly isa: Isa;
  readonly memory: HostMemory;
  readonly ram: GuestRam;
  readonly rams: readonly GuestRam[];
  readonly bus: Bus;
  /** The port space, where the ISA has one; nothing is mapped there otherwise. */
  readonly ports: Ports = new Ports();
  /** The inputs of an interrupt controller that the engine provides, where it does. */
  readonly interruptPins: InterruptPins = new InterruptPins();
  readonly clock: Clock = new Clock();
  readonly control: RunControl = new RunControl();
  readonly debug: DebugPoints = new DebugPoints(
    () => this.requestStop(),
    (lo, hi) => this.vcpus.forEach((vcpu) => vcpu.watchedPageChanged?.(lo, hi)),
  );
  readonly vcpus: readonly Vcpu[];
  /** Why the machine stopped for good, once it has. */
  exit: MachineExit | undefined;
  /** Asks {@linkcode Machine.run} to return at the current instruction boundary. */
  stopRequested = false;
  #turn = 0;
  /** Instructions until the next look at the host's clock, where there is a deadline by it. */
  #slice = LEAST_SLICE;
  #quantumLeft = QUANTUM_INSTRUCTIONS;

  constructor(options: MachineOptions) {
    this.isa = options.isa;
    this.memory = options.memory;
    this.ram = new GuestRam(options.memory, options.ramBase, options.ramSize);
    const { moreRam } = options;
    this.rams = moreRam ? [this.ram, new GuestRam(options.memory, moreRam.base, moreRam.size)] : [this.ram];
    this.bus = new Bus(this.rams);
    const vcpus: Vcpu[] = [];
    for (let i = 0; i < options.vcpus; i++) vcpus.push(this.isa.createVcpu(this, i));
    this.vcpus = vcpus;
  }

  /** The RAM that holds the whole of `[address, address + size)`, guest-physical; undefined where none does. */
  ramAt(address: number, size: number): GuestRam | undefined {
    return this.rams.find((ram) => ram.contains(address, size));
  }

  /** Makes {@linkcode Machine.run} return at the next instruction boundary. */
  requestStop(): void {
    this.stopRequested = true;
    this.control.yield = true;
  }

  /** Ends the machine's life with the given reason, at the next instruction boundary. */
  requestExit(exit: MachineExit): void {
    this.exit ??= exit;
    this.requestStop();
  }

  /**
   * Runs until guest time `limitNs`, a requested stop, an exit, or the host deadline, whichever is first.
   *
   * @param limitNs Guest time in ns.
   * @param hostDeadlineMs `performance.now()` value after which the loop returns; it is looked at every few
   * milliseconds, and never changes what the guest sees.
   */
  run(runner: Runner | ParallelRunner, limitNs: number, hostDeadlineMs = Infinity): void {
    this.stopRequested = false;
    if ("runMachine" in runner) return runner.runMachine(this, limitNs, hostDeadlineMs);
    const isTimed = hostDeadlineMs !== Infinity;
    const { clock, control } = this;
    let nowMs = isTimed ? performance.now() : 0;
    while (!this.exit && !this.stopRequested) {
      clock.fireDue();
      if (this.stopRequested || clock.nowNs >= limitNs) return;
      const vcpu = this.#next();
      if (!vcpu) {
        this.#skipIdle(limitNs);
        continue;
      }
      let budget = Math.min(
        clock.nextDueNs - clock.nowNs,
        limitNs - clock.nowNs,
        isTimed ? this.#slice : MAX_RUN,
      );
      if (this.vcpus.length > 1) budget = Math.min(budget, this.#quantumLeft);
      control.yield = false;
      clock.deadlineMoved = false;
      const before = clock.instructions;
      runner.run(vcpu, budget);
      const ran = clock.instructions - before;
      this.#quantumLeft -= ran;
      if (!isTimed) continue;
      const sinceMs = nowMs;
      nowMs = performance.now();
      if (nowMs >= hostDeadlineMs) return;
      this.#adaptSlice(ran, nowMs - sinceMs);
    }
  }

  /** A look at the host's clock costs a run of the engine: they are made about as far apart as {@linkcode SLICE_MS}. */
  #adaptSlice(ran: number, ms: number): void {
    if (ms > 2 * SLICE_MS) this.#slice = Math.max(this.#slice / 2, LEAST_SLICE);
    else if (ran === this.#slice && 2 * ms < SLICE_MS) this.#slice = Math.min(2 * this.#slice, MOST_SLICE);
  }

  /** The vCPU whose turn it is, passing over those that wait; undefined when all do. */
  #next(): Vcpu | undefined {
    const { vcpus } = this;
    if (vcpus.length === 1) {
      const only = vcpus[0];
      if (only.waiting) only.wake();
      return only.waiting || only.stopped ? undefined : only;
    }
    for (let tried = 0; tried <= vcpus.length; tried++) {
      const vcpu = vcpus[this.#turn];
      if (vcpu.waiting) vcpu.wake();
      if (!vcpu.waiting && !vcpu.stopped && this.#quantumLeft > 0) return vcpu;
      vcpu.deschedule();
      this.#turn = (this.#turn + 1) % vcpus.length;
      this.#quantumLeft = QUANTUM_INSTRUCTIONS;
    }
    return undefined;
  }

  /** Nothing runs: jump to the next timer. Without one nothing can ever happen again. */
  #skipIdle(limitNs: number): void {
    const { clock } = this;
    if (clock.nextDueNs === Infinity) {
      this.exit = {
        kind: "hang",
        detail: "every vCPU waits for an interrupt and no timer is armed: " +
          "the guest can never progress",
      };
      return;
    }
    const target = Math.min(clock.nextDueNs, limitNs);
    if (target > clock.nowNs) clock.idleNs += target - clock.nowNs;
  }

  /** Gives the machine's memory back to the host. */
  dispose(): void {
    for (const ram of this.rams) ram.free();
  }
}
