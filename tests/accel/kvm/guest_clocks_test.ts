/** A guest's clocks over stops: that they stand still with it, and stay together however long the calls take. */
import { assert, assertEquals } from "@std/assert";
import {
  type ClockedVcpu,
  type ClockedVm,
  type ClockReading,
  GuestClocks,
} from "../../../accel/kvm/guest_clocks.ts";
import { MSR_TSC } from "../../../accel/kvm/registers.ts";
import { hardwareKvmTest } from "../../support/kvm.ts";
import { BareMachine, PRINT_PORT, startRegisters } from "../../support/x86_machine.ts";

const STOPS = 50, STOP_MS = 30;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Ticks per microsecond and per millisecond of the counter below. */
const TICKS_PER_US = 2500, TSC_KHZ = TICKS_PER_US * 1000;

/** KVM's clocks as functions of `performance.now()`; each call takes a while, before and after it takes effect. */
class SlowClocks implements ClockedVm, ClockedVcpu {
  readonly tscKhz = TSC_KHZ;
  excused = 0;
  #clockOffsetNs = 0n;
  #tscOffset = 0n;

  /** @param has What this KVM says: which tick of the host's counter a clock belongs to, and the counter's offset. */
  constructor(private readonly has: { readonly hostTsc: boolean; readonly offset: boolean }) {}

  #take(): void {
    for (const until = performance.now() + 0.1 + Math.random(); performance.now() < until;);
  }

  #call<T>(effect: () => T): T {
    this.#take();
    const value = effect();
    this.#take();
    return value;
  }

  #nowNs(): bigint {
    return BigInt(Math.round(performance.now() * 1e6));
  }

  #hostTsc(): bigint {
    return this.#nowNs() * BigInt(TICKS_PER_US) / 1000n;
  }

  readClock(): ClockReading {
    return this.#call(() => {
      const ns = this.#nowNs();
      return {
        clockNs: ns + this.#clockOffsetNs,
        hostTsc: this.has.hostTsc ? ns * BigInt(TICKS_PER_US) / 1000n : undefined,
        hostMs: Number(ns) / 1e6,
      };
    });
  }

  setClock(ns: bigint): void {
    this.#call(() => this.#clockOffsetNs = ns - this.#nowNs());
  }

  get tscOffset(): bigint | undefined {
    return this.has.offset ? this.#call(() => this.#tscOffset) : undefined;
  }

  set tscOffset(offset: bigint) {
    this.#call(() => this.#tscOffset = offset);
  }

  getMsrs(): Map<number, bigint> {
    return this.#call(() => new Map([[MSR_TSC, this.#hostTsc() + this.#tscOffset]]));
  }

  setMsrs(values: Iterable<readonly [number, bigint]>): number[] {
    for (const [, tsc] of values) this.#call(() => this.#tscOffset = tsc - this.#hostTsc());
    return [];
  }

  excuseGap(): void {
    this.excused++;
  }

  /** How far the counter is ahead of the clock, in µs. */
  get skewUs(): number {
    return Number(this.#tscOffset) / TICKS_PER_US - Number(this.#clockOffsetNs) / 1e3;
  }

  /** By how much the clock stood still, in ms. */
  get stoodMs(): number {
    return -Number(this.#clockOffsetNs) / 1e6;
  }
}

async function stop(clocks: GuestClocks, times: number, ms: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    clocks.stand();
    await sleep(ms);
    clocks.goOn();
  }
}

for (const hostTsc of [true, false]) {
  Deno.test(`clocks stay together over stops where KVM ${hostTsc ? "says" : "does not say"} the host's counter`, async () => {
    const kvm = new SlowClocks({ hostTsc, offset: true });
    await stop(new GuestClocks(kvm, [kvm]), 20, STOP_MS);
    assert(Math.abs(kvm.skewUs) < 5, `${kvm.skewUs} µs`);
    // All but what the calls took.
    assert(kvm.stoodMs >= 20 * STOP_MS, `${kvm.stoodMs} ms`);
    assertEquals(kvm.excused, 20);
  });
}

Deno.test("a counter that can only be written stays with the clock over short stops and is set back after long ones", async () => {
  const kvm = new SlowClocks({ hostTsc: true, offset: false });
  const clocks = new GuestClocks(kvm, [kvm]);
  await stop(clocks, 3, STOP_MS);
  assertEquals([kvm.skewUs, kvm.stoodMs], [0, 0]);
  await stop(clocks, 1, 1200);
  assert(kvm.stoodMs >= 1200, `${kvm.stoodMs} ms`);
  // Between reading and writing it runs on.
  assert(Math.abs(kvm.skewUs) < 20_000, `${kvm.skewUs} µs`);
});

Deno.test("short stops are forgiven", async () => {
  const kvm = new SlowClocks({ hostTsc: true, offset: true });
  await stop(new GuestClocks(kvm, [kvm]), 5, 1);
  assertEquals([kvm.skewUs, kvm.stoodMs, kvm.excused], [0, 0, 0]);
});

/** Where the guest has KVM tell each vCPU its clock (Linux, `Documentation/virt/kvm/x86/msr.rst`, MSR_KVM_SYSTEM_TIME_NEW). */
const PAGE = 0x4000, PAGE_STEP = 0x40;
const ENABLED = 1, TSC_STABLE = 1;

/** mov ecx, MSR_KVM_SYSTEM_TIME_NEW; wrmsr; 1: out 0xe9, al; jmp 1b: eax says where. */
const TELL_CLOCK = [0x66, 0xb9, 0x01, 0x4d, 0x56, 0x4b, 0x0f, 0x30, 0xe6, PRINT_PORT, 0xeb, 0xfc];

/** What a vCPU is told: what the clock shows, in ns, when the vCPU's own counter is 0, and whether it is exact. */
function toldClock(ram: BareMachine["machine"]["ram"], vcpu: number) {
  const at = PAGE + vcpu * PAGE_STEP;
  const tsc = ram.view.getBigUint64(at + 8, true), clockNs = ram.view.getBigUint64(at + 16, true);
  const multiplier = BigInt(ram.view.getUint32(at + 24, true)), shift = BigInt(ram.view.getInt8(at + 28));
  const shifted = shift < 0n ? tsc >> -shift : tsc << shift;
  return {
    atZeroNs: clockNs - (shifted * multiplier >> 32n),
    isStable: (ram.view.getUint8(at + 29) & TSC_STABLE) !== 0,
  };
}

// A software KVM gives the guest the host's own counter.
hardwareKvmTest(
  "kvm-clock and time-stamp counters of all vCPUs stay together over many stops and a move",
  async () => {
    const vcpus = 2;
    using guest = new BareMachine({ code: TELL_CLOCK, vcpus });
    guest.vcpus.forEach(({ holder }, i) =>
      holder.powerOn({
        ...startRegisters("real", i),
        ...{ activity: "running", rax: BigInt(PAGE + i * PAGE_STEP | ENABLED) },
      })
    );
    const told = (guest: BareMachine) => {
      const ran = new Set<number>();
      guest.onPrint = (page) => {
        if (ran.add(page).size === vcpus) guest.machine.requestStop();
      };
      guest.run(20e9);
      assertEquals(ran.size, vcpus);
      return guest.vcpus.map((_, i) => toldClock(guest.machine.ram, i));
    };
    told(guest);
    const first = told(guest);
    for (let i = 0; i < STOPS; i++) {
      await sleep(STOP_MS);
      told(guest);
    }
    // The last stop is spent on another virtual machine.
    using moved = new BareMachine({ code: TELL_CLOCK, vcpus });
    moved.machine.ram.u8.set(guest.machine.ram.u8);
    moved.engine.restore(guest.engine.save("bare"), "bare");
    await sleep(STOP_MS);
    const last = told(moved);
    const driftNs = last.map(({ atZeroNs }, i) => Number(atZeroNs - first[i].atZeroNs));
    for (const drift of driftNs) assert(Math.abs(drift) < 50e3, `${driftNs} ns`);
    assertEquals(last.map(({ isStable }) => isStable), first.map(({ isStable }) => isStable));
  },
);

hardwareKvmTest(
  "the time-stamp counter begins anew with a reset, however long the machine stood still",
  async () => {
    // 1: rdtsc; out 0xe9, al; jmp 1b
    using guest = new BareMachine({ code: [0x0f, 0x31, 0xe6, PRINT_PORT, 0xeb, 0xfa], mode: "long" });
    guest.onPrint = () => guest.machine.requestStop();
    guest.run();
    await sleep(500);
    guest.reset("long");
    guest.run();
    const { rax, rdx } = guest.vcpus[0].holder.read();
    const ticks = rdx << 32n | rax & 0xffff_ffffn;
    assert(ticks < 1n << 40n, `${ticks} ticks`);
  },
);
