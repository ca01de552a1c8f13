/**
 * gdb's hand on a machine: holds it, lets it go on or step, and notices why it stopped.
 *
 * It moves nothing itself. The machine moves in the waits of a test, as ever (see `driver.ts`); while gdb has
 * stopped it, they wait. So what gdb does cannot change what the guest sees: a breakpoint is where a slice ends,
 * a step is a slice of one instruction, and other vCPUs take their turns during a step as they would without. Engines
 * that run all vCPUs at once have breakpoints and steps of their own, and only so many.
 */
import type { CountingEngine, Engine, ParallelEngine } from "../../accel/engine.ts";
import type { DebugHit, Watchpoint } from "../../core/debug/debug_points.ts";
import { pagesOf } from "../../core/debug/debug_points.ts";
import type { SoftwareVcpu, Vcpu } from "../../core/isa.ts";
import type { Machine, MachineExit, ParallelRunner, Runner } from "../../core/machine.ts";
import type { Driver } from "../driver.ts";
import { describeExit, type VmExit } from "../exit.ts";
import type { Resumption, Step } from "./resumption.ts";

/** Signals by gdb's numbers (gdb's `include/gdb/signals.def`). */
export const SIGNAL_INT = 2;
/** A breakpoint, a watchpoint, a step. */
export const SIGNAL_TRAP = 5;
const SIGNAL_ABORT = 6;
const SIGNAL_TERMINATED = 15;

/** Why the machine does not run. */
export type Stop =
  | { readonly kind: "signal"; readonly signal: number; readonly cpu: number; readonly hit?: DebugHit }
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "terminated"; readonly signal: number };

/** Most breakpoints that gdb may set. */
const MOST_BREAKPOINTS = 4096;

/** One gdb's control of one machine, from when it attaches until it goes. */
export class RunControl {
  /** Why the machine stopped last. */
  stop: Stop;
  /** Software breakpoints, by address; none of them is in guest memory. */
  readonly breakpoints: Set<bigint> = new Set();
  /** Hardware breakpoints, by address. */
  readonly hardwareBreakpoints: Set<bigint> = new Set();
  /** Told when the machine has stopped, or ended, while it ran for gdb. */
  onStop: (stop: Stop, note: string | undefined) => void = () => {};
  readonly #driver: Driver;
  readonly #machine: Machine;
  readonly #stepper: Runner | ParallelRunner;
  #watchpoints: readonly Watchpoint[] = [];
  #step: Step | undefined;
  #stepDone = false;
  /** The vCPU whose access stopped the machine, and which gdb will want to step past it. */
  #accessed: number | undefined;
  /** While the machine is held. */
  #gate: PromiseWithResolvers<void> | undefined = Promise.withResolvers<void>();
  /** The end that gdb was told of, in words. */
  #reported: string | undefined;

  /**
   * Takes hold of a machine that stands still.
   *
   * @param engine The machine's.
   * @param stepsPastAccess Whether gdb asks for a step past each access that a watchpoint stopped at. It gets none,
   * since the access has been made.
   */
  constructor(
    driver: Driver,
    private readonly engine: Engine,
    private readonly stepsPastAccess: boolean,
  ) {
    this.#driver = driver;
    this.#machine = driver.machine;
    this.#stepper = "runMachine" in engine
      ? { runMachine: (_, ...limits) => this.#stepInParallel(engine, ...limits) }
      : { run: (vcpu, budget) => this.#runStep(engine, vcpu, budget) };
    const { exit } = this.#machine;
    this.stop = exit && isOver(exit) ? lastStop(exit) : this.#signal(SIGNAL_TRAP);
    this.#reported = exit && describeExit(exit);
  }

  /** Whether the machine runs, or will as soon as it is awaited. */
  get running(): boolean {
    return this.#gate === undefined;
  }

  /** What runs vCPUs. */
  get runner(): Runner | ParallelRunner {
    return this.#step ? this.#stepper : this.engine;
  }

  /**
   * A promise for the moment when a wait may go on; undefined where it may now.
   *
   * @param end Why the wait will end otherwise.
   */
  hold(end: VmExit | undefined): Promise<void> | undefined {
    if (end && this.running && !isBudget(end) && describeExit(end) !== this.#reported) this.#ended(end);
    return this.#gate?.promise;
  }

  /** The machine has moved. */
  moved(): void {
    const { hit } = this.#machine.debug;
    if (!this.running) return;
    if (hit) {
      if (hit.watchpoint && this.stepsPastAccess) this.#accessed = hit.cpu;
      this.#halt({ kind: "signal", signal: SIGNAL_TRAP, cpu: hit.cpu, hit });
    } else if (this.#stepDone) this.#halt({ kind: "signal", signal: SIGNAL_TRAP, cpu: this.#step!.cpu });
  }

  /** Stops the machine where it is. */
  interrupt(): void {
    if (this.running) this.#halt(this.#signal(SIGNAL_INT));
  }

  /** Lets the machine go on. */
  resume(how: Resumption): void {
    const { debug } = this.#machine;
    const accessed = this.#accessed;
    this.#accessed = undefined;
    if (how.kind === "step" && how.cpu === accessed) {
      return this.#tell({ kind: "signal", signal: SIGNAL_TRAP, cpu: accessed });
    }
    this.#step = how.kind === "step" ? how : undefined;
    this.#stepDone = false;
    // Other vCPUs may take their turns while one steps past a breakpoint, and shall not miss it.
    if (!this.#step?.alone) {
      debug.setBreakpoints(this.#allBreakpoints());
      debug.setWatchpoints(this.#watchpoints);
    }
    debug.hit = undefined;
    const { exit } = this.#machine;
    if (exit?.kind === "hang") {
      this.#driver.revive();
      this.#reported = undefined;
    }
    this.#open();
    // Where the machine has ended, there will be nothing to wait for.
    if (exit && this.#reported) this.#tell(lastStop(exit));
  }

  /** Sets a breakpoint in one of the two sets. False when there are too many. */
  addBreakpoint(set: Set<bigint>, address: bigint): boolean {
    const all = this.#allBreakpoints().add(address);
    if (all.size > MOST_BREAKPOINTS || !this.#canStopAt(all, this.#watchpoints)) return false;
    set.add(address);
    return true;
  }

  #allBreakpoints(): Set<bigint> {
    return this.breakpoints.union(this.hardwareBreakpoints);
  }

  #canStopAt(breakpoints: ReadonlySet<bigint>, watchpoints: readonly Watchpoint[]): boolean {
    const { engine } = this;
    return !("canStopAt" in engine) || engine.canStopAt(breakpoints.size, watchpoints);
  }

  /** Sets a watchpoint. False when that is more than can be watched, or of a kind that cannot. */
  addWatchpoint(watchpoint: Watchpoint): boolean {
    const watchpoints = [...this.#watchpoints.filter((other) => !isSame(other, watchpoint)), watchpoint];
    if (!this.#canStopAt(this.#allBreakpoints(), watchpoints)) return false;
    try {
      pagesOf(watchpoints);
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
    this.#watchpoints = watchpoints;
    return true;
  }

  /** Takes a watchpoint away. */
  removeWatchpoint(watchpoint: Watchpoint): void {
    this.#watchpoints = this.#watchpoints.filter((other) => !isSame(other, watchpoint));
  }

  /** Presses reset, and holds the machine where it begins. */
  reset(): void {
    this.#driver.reset();
    this.#reported = undefined;
    this.stop = this.#signal(SIGNAL_TRAP);
  }

  /** Pulls the plug. The machine's exit is "poweroff". */
  kill(): void {
    this.#driver.revive();
    this.#machine.requestExit({ kind: "poweroff" });
    this.#reported = describeExit(this.#machine.exit!);
  }

  /** Lets go of the machine, which keeps no breakpoint. */
  release(): void {
    const { debug } = this.#machine;
    this.#step = undefined;
    debug.setBreakpoints(new Set());
    debug.setWatchpoints([]);
    debug.hit = undefined;
    this.#open();
  }

  /** One step of one instruction; a step through a range goes on in the next slice. */
  #stepInParallel(engine: ParallelEngine, limitNs: number, hostDeadlineMs: number): void {
    const step = this.#step!;
    if (!engine.stepMachine(step, limitNs, hostDeadlineMs)) return;
    this.#stepDone = leaves(step, this.#machine.vcpus[step.cpu].register("pc")!);
  }

  #runStep(engine: CountingEngine, vcpu: Vcpu, budget: number): void {
    const step = this.#step!;
    if (vcpu.index !== step.cpu) return engine.run(vcpu, budget);
    const { clock, control, debug } = this.#machine;
    const end = clock.instructions + budget;
    debug.letPass(vcpu.register("pc"));
    do {
      (vcpu as SoftwareVcpu).interpret(1);
      debug.letPass(undefined);
      if (debug.hit) return;
      if (leaves(step, vcpu.register("pc")!)) {
        this.#stepDone = true;
        this.#machine.requestStop();
      }
    } while (
      clock.instructions < end && !control.yield && !clock.deadlineMoved && !vcpu.waiting && !vcpu.stopped
    );
  }

  /** The machine has come to its end, or the wait to its own. */
  #ended(end: VmExit): void {
    this.#reported = describeExit(end);
    if (isOver(end)) this.#tell(lastStop(end));
    else this.#halt(this.#signal(SIGNAL_ABORT), `${this.#reported}\n`);
  }

  #halt(stop: Stop, note?: string): void {
    this.#gate = Promise.withResolvers();
    this.#tell(stop, note);
  }

  #tell(stop: Stop, note?: string): void {
    this.stop = stop;
    this.onStop(stop, note);
  }

  #open(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  /** A stop of the vCPU that runs, if one does. */
  #signal(signal: number): Stop {
    const { vcpus } = this.#machine;
    return { kind: "signal", signal, cpu: vcpus.find((vcpu) => !vcpu.waiting && !vcpu.stopped)?.index ?? 0 };
  }
}

/** Whether a step ends at a pc. */
function leaves({ from, to }: Step, pc: bigint): boolean {
  return pc < from || pc >= to;
}

/** Whether a wait ends for want of time, which is no news about the machine. */
function isBudget(end: VmExit): boolean {
  return end.kind === "guestBudget" || end.kind === "hostWatchdog";
}

/** Whether it is an end at which there is nothing to look at: the machine did what it wanted to. */
function isOver(end: VmExit): end is MachineExit {
  return end.kind === "poweroff" || end.kind === "reset" || end.kind === "debugExit";
}

/** What gdb is told when there will be nothing more. */
function lastStop(exit: MachineExit): Stop {
  switch (exit.kind) {
    case "poweroff":
      return { kind: "exited", code: 0 };
    case "debugExit":
      return { kind: "exited", code: exit.code & 255 };
    case "reset":
      return { kind: "terminated", signal: SIGNAL_TERMINATED };
    case "tripleFault":
    case "panic":
    case "engineError":
    case "hang":
      return { kind: "terminated", signal: SIGNAL_ABORT };
  }
}

function isSame(a: Watchpoint, b: Watchpoint): boolean {
  return a.kind === b.kind && a.address === b.address && a.length === b.length;
}
