/**
 * The guest's clocks stand still while it does: after a stop its paravirtual clock (kvm-clock) goes on from where
 * it was, and its time-stamp counter follows. Guests hold the two against each other and give up a counter that
 * differs by some hundred microseconds, so neither may be set by how long a stop seems to have taken. The clock is
 * set to what it showed; then KVM says what it shows at which tick of the host's counter, and from that the
 * counter's offset follows exactly (Linux, `Documentation/virt/kvm/devices/vcpu.rst`, "KVM_VCPU_TSC_OFFSET").
 */
import { MSR_TSC } from "./registers.ts";
import type { KvmVcpu } from "./vcpu.ts";
import type { KvmVm } from "./vm.ts";

/** Shorter stops are not worth the calls: both clocks run on. */
const FORGIVEN_MS = 20;
/** A counter that is written instead (before Linux 5.16) stays as it is where that would move it by less than a second. */
const FORGIVEN_BY_WRITING_MS = 1100;

/** What is asked of a virtual machine. */
export type ClockedVm = Pick<KvmVm, "readClock" | "setClock">;
/** What is asked of a vCPU. */
export type ClockedVcpu = Pick<KvmVcpu, "tscKhz" | "tscOffset" | "getMsrs" | "setMsrs" | "excuseGap">;

/** What a clock shows, and when. */
export interface ClockReading {
  /** The guest's paravirtual clock in ns. */
  readonly clockNs: bigint;
  /** The host's time-stamp counter at that moment; undefined where KVM does not say. */
  readonly hostTsc: bigint | undefined;
  /** `performance.now()` at about that moment. */
  readonly hostMs: number;
}

/** What a guest's clocks show at one moment. */
export interface ShownClocks {
  /** The paravirtual clock in ns. */
  readonly clockNs: bigint;
  /** Each vCPU's time-stamp counter; undefined where KVM does not say what it is at that moment. */
  readonly counters: readonly (bigint | undefined)[];
}

/** The clocks of one machine. */
export class GuestClocks {
  #stood: ClockReading | undefined;

  constructor(private readonly vm: ClockedVm, private readonly vcpus: readonly ClockedVcpu[]) {}

  /** From now on the guest stands still. No vCPU is in the kernel. */
  stand(): void {
    this.#stood = this.vm.readClock();
  }

  /** The guest goes on: as if it had not stood still, unless that was for a moment only. */
  goOn(): void {
    const stood = this.#stood;
    if (stood === undefined) return;
    const offsets = this.#offsetsAfter(performance.now() - stood.hostMs);
    if (offsets === undefined) return;
    this.vm.setClock(stood.clockNs);
    const ticks = ticksAhead(stood, this.vm.readClock(), this.vcpus[0].tscKhz);
    // All by the same: KVM takes counters for synchronous whose offsets are equal, and only then its clock is exact.
    this.vcpus.forEach((vcpu, i) => {
      const offset = offsets[i];
      if (offset !== undefined) vcpu.tscOffset = offset - ticks;
      else vcpu.setMsrs([[MSR_TSC, (vcpu.getMsrs([MSR_TSC]).get(MSR_TSC) ?? 0n) - ticks]]);
      vcpu.excuseGap();
    });
  }

  /** What the clocks show to the guest, which stands still. */
  read(): ShownClocks {
    const { clockNs, hostTsc } = this.#stood ?? this.vm.readClock();
    const counters = this.vcpus.map(({ tscOffset }) =>
      hostTsc === undefined || tscOffset === undefined ? undefined : BigInt.asUintN(64, hostTsc + tscOffset)
    );
    return { clockNs, counters };
  }

  /** The guest, which stands still, will go on with these. A counter is left alone where it cannot be set exactly. */
  set({ clockNs, counters }: ShownClocks): void {
    this.vm.setClock(clockNs);
    const now = this.#stood = this.vm.readClock();
    if (now.hostTsc === undefined) return;
    const since = (now.clockNs - clockNs) * BigInt(this.vcpus[0].tscKhz) / 1_000_000n;
    for (const [i, vcpu] of this.vcpus.entries()) {
      const counter = counters[i];
      if (counter !== undefined && vcpu.tscOffset !== undefined) {
        vcpu.tscOffset = counter + since - now.hostTsc;
      }
    }
  }

  /** What is added to the host's counter where KVM says it; nothing when a stop is to be forgiven. */
  #offsetsAfter(gapMs: number): readonly (bigint | undefined)[] | undefined {
    if (gapMs < FORGIVEN_MS) return undefined;
    const offsets = this.vcpus.map((vcpu) => vcpu.tscOffset);
    return gapMs < FORGIVEN_BY_WRITING_MS && offsets.includes(undefined) ? undefined : offsets;
  }
}

/** By how many of its ticks the guest's counter has gone further than its clock since then. */
function ticksAhead(stood: ClockReading, now: ClockReading, tscKhz: number): bigint {
  const clockNs = now.clockNs - stood.clockNs, khz = BigInt(tscKhz);
  if (now.hostTsc !== undefined && stood.hostTsc !== undefined) {
    return now.hostTsc - stood.hostTsc - clockNs * khz / 1_000_000n;
  }
  const hostNs = BigInt(Math.round((now.hostMs - stood.hostMs) * 1e6));
  return (hostNs - clockNs) * khz / 1_000_000n;
}
