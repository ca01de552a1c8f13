/**
 * A KVM virtual machine with its vCPUs, which machines use one after the other. To make one and to end it the kernel
 * waits for every processor a dozen times, and starts and ends a thread for the timer chip: of a machine that lives
 * as long as a test that is the better part. So one whose machine has ended is set back, as by a reset, with its RAM
 * taken away, and the next machine with the same processors begins with it. It is not kept where anything about it
 * is in doubt: then the next machine's is a new one.
 */
import { GuestClocks } from "./guest_clocks.ts";
import { KvmError } from "./kvm_error.ts";
import { type KvmMachineState, restoreVcpu, saveMachine, type VcpuState } from "./state.ts";
import type { CpuidEntry, KvmSystem } from "./system.ts";
import { KvmVcpu } from "./vcpu.ts";
import { KvmVm } from "./vm.ts";

/** How many are kept. */
const MOST_SPARES = 2;

/** What each vCPU's CPUID says; the tables of `vcpuCpuid`, which are the same objects for the same processors. */
type Cpuid = readonly (readonly CpuidEntry[])[];

const spares: VirtualMachine[] = [];
/** What machines of these processors are before they run, by the first vCPU's table; nothing where there was one only. */
const pristine = new WeakMap<readonly CpuidEntry[], KvmMachineState | undefined>();

/** A virtual machine, for one machine at a time. */
export class VirtualMachine implements Disposable {
  readonly vm: KvmVm;
  readonly vcpus: readonly KvmVcpu[];
  readonly clocks: GuestClocks;
  /** Whether it was another machine's before. KVM leaves such a vCPU's CPUID as it is. */
  isUsed = false;
  /** Whether the next machine may have it: no thread is in it, and what it is can be set back. */
  isSound = false;
  readonly #cpuid: Cpuid;
  readonly #resources = new DisposableStack();

  /** Makes a new one. @throws {KvmError} when the kernel refuses. */
  constructor(system: KvmSystem, cpuid: Cpuid) {
    using resources = new DisposableStack();
    const vm = this.vm = resources.use(new KvmVm(system));
    this.vcpus = cpuid.map((entries, i) => {
      const vcpu = resources.use(new KvmVcpu(vm, i));
      vcpu.setCpuid(entries);
      return vcpu;
    });
    this.clocks = new GuestClocks(vm, this.vcpus);
    this.#cpuid = cpuid;
    this.#resources.use(resources.move());
  }

  /** One that is as if it were new. @throws {KvmError} when the kernel refuses. */
  static take(system: KvmSystem, cpuid: Cpuid): VirtualMachine {
    const at = spares.findIndex((spare) =>
      spare.vcpus.length === cpuid.length && spare.#cpuid[0] === cpuid[0]
    );
    if (at >= 0) return spares.splice(at, 1)[0];
    using resources = new DisposableStack();
    const made = resources.use(new VirtualMachine(system, cpuid));
    // Most processes have one machine: what they all begin with is only worth knowing for the second.
    if (!pristine.has(cpuid[0])) pristine.set(cpuid[0], undefined);
    else if (pristine.get(cpuid[0]) === undefined) pristine.set(cpuid[0], made.#save());
    resources.move();
    return made;
  }

  /** What machines of these processors are before they have run. */
  static pristineState(system: KvmSystem, cpuid: Cpuid): KvmMachineState {
    const known = pristine.get(cpuid[0]);
    if (known !== undefined) return known;
    using made = new VirtualMachine(system, cpuid);
    const state = made.#save();
    pristine.set(cpuid[0], state);
    return state;
  }

  #save(): KvmMachineState {
    return saveMachine(this, this.#cpuid, "");
  }

  /** Keeps it for the next machine where that is possible; otherwise it ends. */
  [Symbol.dispose](): void {
    let isKept = false;
    try {
      isKept = this.isSound && this.#setBack();
    } finally {
      if (!isKept) this.end();
    }
    if (isKept) spares.push(this);
    if (spares.length > MOST_SPARES) spares.shift()!.end();
  }

  /** Ends it for good. */
  end(): void {
    this.#resources.dispose();
  }

  /** Makes it what it was; false when it cannot be. */
  #setBack(): boolean {
    const state = pristine.get(this.#cpuid[0]);
    if (state === undefined) return false;
    this.isUsed = true;
    this.isSound = false;
    try {
      this.vm.clear(state.chips);
      this.vcpus.forEach((vcpu, i) => {
        vcpu.setGuestDebug(0, []);
        vcpu.bytes.fill(0);
        restoreVcpu(vcpu, withoutKnownMsrs(state.vcpus[i], vcpu));
      });
      // Until the next machine runs they stand still.
      this.vm.setClock(state.clockNs);
      this.clocks.stand();
      return true;
    } catch (error) {
      if (error instanceof KvmError) return false;
      throw error;
    }
  }
}

/** The state without those MSRs that are so already: of some, the kernel notes every write in its log. */
function withoutKnownMsrs(state: VcpuState, vcpu: KvmVcpu): VcpuState {
  const { registers } = state;
  const now = vcpu.getMsrs(registers.msrs.keys());
  const msrs = new Map([...registers.msrs].filter(([number, value]) => now.get(number) !== value));
  return { ...state, registers: { ...registers, msrs } };
}

/** Ends those that are kept. */
export function endSpares(): void {
  for (const spare of spares.splice(0)) spare.end();
}

// A worker or a file of tests that ends leaves none behind.
globalThis.addEventListener("unload", endSpares);
