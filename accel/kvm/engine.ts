/**
 * KVM as an engine: the host's processor executes the guest. The first vCPU runs on the machine's own thread, in
 * slices that a timer ends; the others each have a thread and hand their exits over (`vcpu_thread.ts`), so that
 * devices, timers and consoles live on one thread as under the other engines.
 *
 * Guest time is the real time that passes while the machine runs. Between runs no vCPU is in the kernel, no exit
 * is half done, and the guest's clocks are set back by the time that it stood still.
 */
import {
  linearPc,
  type RegisterHolder,
  type X86RegisterPort,
  type X86Registers,
} from "../../core/decoder/x86/registers.ts";
import type { Machine } from "../../core/machine.ts";
import type { GuestRam } from "../../core/memory.ts";
import type { Watchpoint } from "../../core/debug/debug_points.ts";
import type { ParallelEngine, Step } from "../engine.ts";
import { errnoText, installKickHandler, ThreadTimer } from "../ffi/posix.ts";
import { FutexWords } from "../ffi/threads.ts";
import { type CpuModel, vcpuCpuid } from "./cpuid.ts";
import { KVM, MP_STATE } from "./abi/table.ts";
import { ExitHandler } from "./exits.ts";
import { fitsDebugRegisters, GuestDebug } from "./guest_debug.ts";
import { checkLimits, KvmLimitError } from "./limits.ts";
import { readRegisters, writeFirstRegisters, writeRegisters } from "./registers.ts";
import { RemoteVcpu } from "./remote_vcpu.ts";
import { checkState, type KvmMachineState, restoreMachine, restoreVcpu, saveMachine } from "./state.ts";
import { type CpuidEntry, kvmSystem } from "./system.ts";
import { ATTENTION, HEARTBEAT, STATUS_EXITED, STATUS_FAILED } from "./thread_words.ts";
import type { KvmVcpu } from "./vcpu.ts";
import { RUN_EXIT, RUN_FAILED } from "./vcpu_runner.ts";
import { VirtualMachine } from "./virtual_machine.ts";
import type { KvmVm, MemorySpan } from "./vm.ts";

/** Exits between two looks at the clock: a guest that does nothing but exit gets no signal in the kernel. */
const EXITS_PER_LOOK = 256;
/** Longest run without a look at anything. */
const MAX_SLICE_NS = 50e6;

/** How the engine is set up. */
export interface KvmOptions {
  /** What processor the guest sees. @default "host" */
  readonly cpuModel?: CpuModel;
}

/** KVM, bound to one machine. */
export class KvmEngine implements ParallelEngine {
  readonly name = "kvm";
  readonly deterministic = false;
  readonly #machine: Machine;
  readonly #resources = new DisposableStack();
  /** What each vCPU's CPUID says. */
  readonly #cpuid: (readonly CpuidEntry[])[];
  #virtual!: VirtualMachine;
  #threads = new DisposableStack();
  #remotes: readonly RemoteVcpu[] = [];
  readonly #shared: FutexWords;
  readonly #timer: ThreadTimer;
  readonly #exits: ExitHandler;
  #debug!: GuestDebug;
  /** Registers of vCPUs that were reset and have not been told yet. */
  readonly #poweredOn: (Readonly<X86Registers> | undefined)[] = [];
  /** Registers as they were read since the machine last moved. */
  readonly #known: (Readonly<X86Registers> | undefined)[] = [];
  /** Whether the vCPUs and the chips in the kernel are not as they were made any more. */
  #touched = false;
  #started = false;
  /** Whether its processors may be others than it was made with. */
  #restored = false;
  /** Whether a run has begun that did not end as runs do. */
  #broken = false;
  /** Whether the first vCPU's last exit was served and is not completed yet. */
  #completes = false;
  #entries = 0;

  /**
   * Makes the virtual machine and takes the vCPUs' registers over.
   *
   * @throws {KvmError} when the kernel refuses.
   * @throws {KvmLimitError} when it has more vCPUs or memory than KVM allows.
   * @throws {CpuModelError} when the host is no such processor.
   */
  constructor(machine: Machine, options: KvmOptions = {}) {
    this.#machine = machine;
    this.#exits = new ExitHandler(machine, (vcpu) => {
      this.#debug.stopped(vcpu);
      if (this.#debug.stepped) machine.requestStop();
    });
    const count = machine.vcpus.length;
    const system = kvmSystem();
    checkLimits(count, Math.max(...machine.rams.map(({ base, size }) => base + size)), {
      vcpus: system.maxVcpus,
      addressBits: system.addressBits,
    });
    const model = options.cpuModel ?? "host";
    const tscDeadline = system.capability("TSC_DEADLINE_TIMER") > 0;
    this.#cpuid = machine.vcpus.map((_, vcpu) =>
      vcpuCpuid(system.supportedCpuid, { model, vcpu, vcpus: count, tscDeadline })
    );
    installKickHandler();
    using resources = new DisposableStack();
    this.#timer = resources.use(new ThreadTimer());
    this.#shared = resources.use(new FutexWords());
    resources.defer(() => this.#virtual?.[Symbol.dispose]());
    resources.defer(() => this.#threads.dispose());
    this.#adopt(VirtualMachine.take(system, [...this.#cpuid]));
    this.#takeOver();
    this.#resources.use(resources.move());
  }

  /** A virtual machine becomes this engine's. */
  #adopt(virtual: VirtualMachine): void {
    this.#virtual = virtual;
    const { vm, vcpus } = virtual;
    for (const ram of this.#machine.rams) vm.mapMemory(ram, memorySpans(ram));
    // KVM says which of its debugging bits it knows since Linux 5.13.
    const blocksInterrupts = (vm.system.capability("SET_GUEST_DEBUG2") & KVM.GUESTDBG_BLOCKIRQ) !== 0;
    this.#debug = new GuestDebug(this.#machine.debug, vcpus, blocksInterrupts);
    this.#remotes = vcpus.slice(1).map((vcpu) =>
      this.#threads.use(new RemoteVcpu(vcpu, vcpus[0], this.#shared))
    );
  }

  /** Begins anew with a virtual machine that was nobody's before. */
  #replace(): void {
    const { system } = this.#vm;
    this.#threads.dispose();
    this.#virtual.end();
    this.#threads = new DisposableStack();
    this.#adopt(new VirtualMachine(system, [...this.#cpuid]));
    this.#machine.interruptPins.refresh();
  }

  get #vm(): KvmVm {
    return this.#virtual.vm;
  }

  get #vcpus(): readonly KvmVcpu[] {
    return this.#virtual.vcpus;
  }

  /** From now on the vCPUs' registers and the interrupt lines are KVM's. */
  #takeOver(): void {
    this.#machine.vcpus.forEach((vcpu, i) => {
      const port = vcpu as unknown as X86RegisterPort;
      this.#poweredOn[i] = port.holder.read();
      port.holder = this.#holder(i);
    });
    this.#machine.interruptPins.connect((pin, level) => this.#vm.setLine(pin, level));
  }

  #holder(index: number): RegisterHolder {
    return {
      read: () => {
        this.#applyPowerOn();
        return this.#known[index] ??= readRegisters(this.#vcpus[index], this.#vm.system.msrs);
      },
      write: (registers) => {
        this.#applyPowerOn();
        this.#touched = true;
        writeRegisters(this.#vcpus[index], registers);
        this.#known[index] = undefined;
      },
      powerOn: (registers) => void (this.#poweredOn[index] = registers),
    };
  }

  /** Lets resets take effect. What the board sets up is written over what KVM has after power-on. */
  #applyPowerOn(): void {
    if (this.#poweredOn.every((registers) => registers === undefined)) return;
    const pristine = this.#touched
      ? VirtualMachine.pristineState(this.#vm.system, [...this.#cpuid])
      : undefined;
    if (pristine && this.#poweredOn[0]) {
      this.#vm.restoreChips(pristine.chips);
      this.#machine.interruptPins.refresh();
    }
    this.#poweredOn.forEach((registers, i) => {
      if (registers === undefined) return;
      if (pristine) {
        restoreVcpu(this.#vcpus[i], pristine.vcpus[i]);
        writeRegisters(this.#vcpus[i], registers);
      } else writeFirstRegisters(this.#vcpus[i], registers);
      this.#known[i] = undefined;
      this.#poweredOn[i] = undefined;
    });
    // The counters begin anew: what the guest stood still before is not to be taken off them.
    if (pristine) this.#virtual.clocks.stand();
    this.#touched = true;
  }

  runMachine(_: Machine, limitNs: number, hostDeadlineMs: number): void {
    this.#applyPowerOn();
    this.#debug.prepare();
    this.#run(limitNs, hostDeadlineMs, undefined);
  }

  canStopAt(breakpoints: number, watchpoints: readonly Watchpoint[]): boolean {
    return fitsDebugRegisters(breakpoints, watchpoints);
  }

  stepMachine({ cpu, alone }: Step, limitNs: number, hostDeadlineMs: number): boolean {
    const { holder } = this.#machine.vcpus[cpu] as unknown as X86RegisterPort;
    this.#debug.prepare({ cpu, pc: linearPc(holder.read()) });
    this.#run(limitNs, hostDeadlineMs, alone ? cpu : undefined);
    return this.#debug.stepped;
  }

  /** @param only The number of the one vCPU that shall run; all do where it is undefined. */
  #run(limitNs: number, hostDeadlineMs: number, only: number | undefined): void {
    const { clock } = this.#machine;
    this.#virtual.clocks.goOn();
    this.#started = true;
    this.#vcpus[0].runner.runOn();
    for (const remote of this.#remotes) remote.awaitStart();
    clock.startReal();
    this.#broken = true;
    try {
      for (const remote of this.#remotes) {
        if (only === undefined || only === remote.vcpu.index) remote.resume();
      }
      this.#runUntil(limitNs, hostDeadlineMs, only === undefined || only === 0);
    } finally {
      this.#stopAll();
      clock.stopReal();
      this.#lookForHang();
      this.#known.fill(undefined);
      this.#virtual.clocks.stand();
    }
    this.#broken = false;
  }

  #runUntil(limitNs: number, hostDeadlineMs: number, firstRuns: boolean): void {
    const machine = this.#machine, { clock, control } = machine;
    for (;;) {
      clock.fireDue();
      if (machine.exit || machine.stopRequested) return;
      const now = clock.nowNs;
      const leftNs = Math.min(
        MAX_SLICE_NS,
        limitNs - now,
        (hostDeadlineMs - performance.now()) * 1e6,
      );
      if (leftNs <= 0) return;
      this.#timer.arm(Math.min(leftNs, clock.nextDueNs - now));
      clock.deadlineMoved = false;
      control.yield = false;
      Atomics.add(this.#shared.words, HEARTBEAT, 1);
      if (firstRuns) this.#runFirst();
      else this.#serveWhileFirstStands(leftNs);
    }
  }

  /** Waits for the others' exits, and serves them, for so long. */
  #serveWhileFirstStands(ns: number): void {
    this.#shared.wait(ATTENTION, 0, ns / 1e6);
    this.#serveRemotes();
  }

  /** Runs the first vCPU until something is to be looked at, serving the others' exits meanwhile. */
  #runFirst(): void {
    const { clock, control } = this.#machine;
    const vcpu = this.#vcpus[0], { runner } = vcpu;
    const alone = this.#remotes.length === 0;
    for (let left = EXITS_PER_LOOK; left > 0; left--) {
      if (!alone) this.#serveRemotes();
      if (control.yield || clock.deadlineMoved) return;
      this.#entries++;
      const result = runner.run();
      if (result === RUN_EXIT) {
        this.#completes = true;
        const exit = this.#exits.handle(vcpu);
        if (exit) this.#machine.requestExit(exit);
      } else {
        this.#completes = false;
        if (result === RUN_FAILED) return this.#runFailed(0, runner.errno);
        if (alone || Atomics.load(this.#shared.words, ATTENTION) === 0) return;
      }
    }
  }

  /** Does what other vCPUs exit for. Leaves the first one's way free, unless there is more. */
  #serveRemotes(): void {
    this.#vcpus[0].runner.runOn();
    // An exchange: the store before must not pass it (see vcpu_thread.ts).
    if (Atomics.exchange(this.#shared.words, ATTENTION, 0) === 0) return;
    for (const remote of this.#remotes) {
      if (remote.status === STATUS_EXITED) this.#serve(remote);
      else if (remote.status === STATUS_FAILED) this.#runFailed(remote.vcpu.index, remote.errno);
    }
  }

  #serve(remote: RemoteVcpu): void {
    const machine = this.#machine;
    const exit = this.#exits.handle(remote.vcpu);
    if (exit) machine.requestExit(exit);
    // What it printed may have been waited for: it must not go on before everybody is told to stop.
    if (machine.stopRequested) remote.hold();
    remote.served();
  }

  #runFailed(index: number, errno: number): void {
    this.#machine.requestExit({
      kind: "engineError",
      detail: `KVM_RUN of vCPU ${index} failed: ${errnoText(errno)}`,
    });
  }

  /** Stops every vCPU at an instruction's end. */
  #stopAll(): void {
    for (const remote of this.#remotes) remote.hold();
    this.#timer.disarm();
    this.#complete();
    for (const remote of this.#remotes) remote.awaitHold((remote) => this.#serve(remote));
  }

  /** Completes what the first vCPU's last exit began: only then it is in the registers. */
  #complete(): void {
    const vcpu = this.#vcpus[0], { runner } = vcpu;
    while (this.#completes) {
      runner.stopSoon();
      const result = runner.run();
      if (result === RUN_EXIT) {
        const exit = this.#exits.handle(vcpu);
        if (exit) this.#machine.requestExit(exit);
      } else this.#completes = false;
    }
  }

  /** Where no vCPU can ever run again, and no device can change that, the machine hangs. */
  #lookForHang(): void {
    const machine = this.#machine;
    if (machine.exit || machine.stopRequested || machine.clock.nextDueNs !== Infinity) return;
    for (const vcpu of this.#vcpus) if (!isStuck(vcpu)) return;
    machine.requestExit({
      kind: "hang",
      detail: "every vCPU is halted with interrupts off: the guest can never progress",
    });
  }

  /**
   * Saves what vCPUs and the chips in the kernel are, beside RAM and devices.
   *
   * @param board The board's name; a state is only restored into the same.
   */
  save(board: string): KvmMachineState {
    this.#applyPowerOn();
    return saveMachine(this.#virtual, this.#cpuid, board);
  }

  /**
   * Restores what {@linkcode KvmEngine.save} gave, into a machine that has not run yet. RAM and devices must be
   * what they were, too.
   *
   * @throws {StateError} when the state is none, or of another machine or processor.
   * @throws {KvmError} when the kernel refuses a part of it.
   */
  restore(state: KvmMachineState, board: string): void {
    if (this.#started) throw new KvmLimitError("A state is restored into a machine that has not run yet.");
    checkState(state, {
      board,
      vcpus: this.#vcpus.length,
      tscKhz: this.#vcpus[0].tscKhz,
      supportedCpuid: this.#vm.system.supportedCpuid,
    });
    // Whoever was another machine's keeps its CPUID.
    if (this.#virtual.isUsed) this.#replace();
    state.vcpus.forEach(({ cpuid }, i) => {
      this.#vcpus[i].setCpuid(cpuid);
      this.#cpuid[i] = cpuid;
    });
    this.#touched = true;
    this.#restored = true;
    restoreMachine(this.#virtual, state);
    this.#poweredOn.fill(undefined);
    this.#known.fill(undefined);
  }

  statistics(): Record<string, number> {
    const { io, mmio, other } = this.#exits.counts;
    return { entries: this.#entries, exitsPort: io, exitsDevice: mmio, exitsOther: other };
  }

  dispose(): void {
    if (this.#resources.disposed) return;
    using _ = this.#resources;
    this.#threads.dispose();
    // Now that no thread is in it. What failed, or shut down, is in no state that is known.
    const end = this.#machine.exit?.kind;
    this.#virtual.isSound = !this.#broken && !this.#restored && end !== "engineError" &&
      end !== "tripleFault";
  }
}

const INTERRUPT_FLAG = 1n << 9n;

/** Whether a vCPU waits for what cannot come: halted with interrupts off, or never started. */
function isStuck(vcpu: KvmVcpu): boolean {
  const { mp_state } = vcpu.get("kvm_mp_state");
  if (mp_state === MP_STATE.RUNNABLE) return false;
  return mp_state !== MP_STATE.HALTED || ((vcpu.get("kvm_regs").rflags as bigint) & INTERRUPT_FLAG) === 0n;
}

/** Where RAM lies in the guest's physical address space. */
function memorySpans(ram: GuestRam): readonly MemorySpan[] {
  return [{ base: ram.base, size: ram.size, offset: 0 }];
}
