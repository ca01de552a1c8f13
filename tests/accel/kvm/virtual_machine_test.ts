/** A virtual machine that one machine leaves and the next begins with is as if it were new. */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { endSpares } from "../../../accel/kvm/virtual_machine.ts";
import { hardwareKvmTest, kvmTest } from "../../support/kvm.ts";
import { BareMachine, CODE, PRINT_PORT, startRegisters } from "../../support/x86_machine.ts";

const PRINT = [0xe6, PRINT_PORT, 0xeb, 0xfc];

/** How many virtual machines this process has. */
function virtualMachines(): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === "anon_inode:kvm-vm";
    } catch {
      return false; // the folder's own
    }
  }).length;
}

/** Lets a machine run to its first byte, and ends it. */
function use(guest: BareMachine): void {
  using _ = guest;
  guest.onPrint = () => guest.machine.requestStop();
  guest.run();
  assertEquals(guest.printed.length, 1);
}

/** Sees to it that machines of so many vCPUs leave theirs to the next: the first of a process does not. */
function beginKeeping(vcpus: number): void {
  endSpares();
  for (let i = 0; i < 2; i++) use(new BareMachine({ code: PRINT, vcpus }));
}

/** Real time that a state shows: counters, run time and reference time, and what the timer chip counts from. */
const TIME_MSRS = new Set([0x10, 0x4000_0010, 0x4000_0020]);

/** All that can be saved of a machine that has not run, but for what time changes. */
function beginning(guest: BareMachine) {
  const { chips, vcpus } = guest.engine.save("bare");
  return {
    chips: { ...chips, pit: { ...chips.pit, channels: timeless(chips.pit.channels) } },
    vcpus: vcpus.map(({ registers, ...rest }) => ({
      ...rest,
      registers: {
        ...registers,
        msrs: new Map([...registers.msrs].filter(([number]) => !TIME_MSRS.has(number))),
      },
    })),
  };
}

function timeless(channels: unknown) {
  return (channels as Record<string, unknown>[]).map((channel) => ({ ...channel, count_load_time: 0n }));
}

/**
 * Leaves nothing as it was: kvm-clock on, an MSR set, the timer's channel 0 and both interrupt controllers programmed,
 * the local APIC's timer started; prints and halts with interrupts on.
 */
const DISORDER = [
  ...[0xb9, 0x01, 0x4d, 0x56, 0x4b, 0xb8, 0x01, 0x40, 0, 0, 0x31, 0xd2, 0x0f, 0x30], // MSR_KVM_SYSTEM_TIME_NEW
  ...[0xb9, 0x81, 0, 0, 0xc0, 0xb8, 0x55, 0, 0, 0, 0x0f, 0x30], // STAR
  ...[[0x43, 0x34], [0x40, 0x10], [0x40, 0x10], [0x20, 0x11], [0x21, 0x40], [0x21, 4], [0x21, 1], [0x21, 0]]
    .flatMap(([port, value]) => [0xb0, value, 0xe6, port]),
  ...[0xbb, 0, 0, 0xe0, 0xfe], // mov ebx, the APIC
  ...[0xc7, 0x83, 0xf0, 0, 0, 0, 0xff, 0x01, 0, 0], // spurious vector, enabled
  ...[0xc7, 0x83, 0x20, 0x03, 0, 0, 0x50, 0, 0x02, 0], // timer: periodic
  ...[0xc7, 0x83, 0x80, 0x03, 0, 0, 0, 0, 1, 0], // from 65536
  ...[0xbb, 0, 0, 0xc0, 0xfe, 0xc7, 0x03, 0x10, 0, 0, 0, 0xc7, 0x43, 0x10, 0x33, 0, 0, 0], // I/O APIC: pin 0
  ...PRINT,
];

kvmTest("a machine begins with what another one left as with a new one", () => {
  const vcpus = 2;
  beginKeeping(vcpus);
  const kept = virtualMachines();
  const dirty = new BareMachine({ code: DISORDER, mode: "long", vcpus });
  // The first gigabyte alone is mapped onto itself: so are the controllers, by the fourth.
  dirty.machine.ram.view.setBigUint64(0x9000 + 3 * 8, 0xb007n, true);
  for (let i = 0; i < 512; i++) {
    dirty.machine.ram.view.setBigUint64(0xb000 + 8 * i, 0xc000_0087n + (BigInt(i) << 21n), true);
  }
  dirty.vcpus[1].holder.powerOn({ ...startRegisters("long", 1), activity: "running" });
  dirty.machine.debug.setBreakpoints(new Set([0x1234n]));
  dirty.machine.interruptPins.line(5).set(true);
  dirty.onPrint = () => dirty.machine.requestStop();
  dirty.run();
  assertEquals(virtualMachines(), kept);
  const disorder = beginning(dirty);
  dirty[Symbol.dispose]();
  assertEquals(virtualMachines(), kept);

  using next = new BareMachine({ code: [], vcpus });
  assertEquals(virtualMachines(), kept);
  const found = beginning(next);
  using other = new BareMachine({ code: [], vcpus });
  assertEquals(virtualMachines(), kept + 1);
  assertNotEquals(disorder.chips, found.chips);
  assertNotEquals(disorder.vcpus[0].lapic, found.vcpus[0].lapic);
  assertEquals(found, beginning(other));
});

kvmTest("a machine has its own RAM, not that of the one before", () => {
  beginKeeping(1);
  // mov eax, [0x300000]; out 0xe9, al
  const code = [0x8b, 0x04, 0x25, 0, 0, 0x30, 0, 0xe6, PRINT_PORT, 0xeb, 0xfe];
  using before = new BareMachine({ code, mode: "long", ramBytes: 4 << 20 });
  before.machine.ram.write(0x30_0000, Uint8Array.of(0x41));
  use(before);
  assertEquals(before.text, "A");
  const after = new BareMachine({ code, mode: "long" });
  use(after);
  assertEquals(after.printed, [0xff]); // nothing is there
});

kvmTest("one in which something went wrong is not used again", () => {
  beginKeeping(1);
  const kept = virtualMachines();
  {
    using guest = new BareMachine({ code: [0x0f, 0x0b], mode: "long" });
    guest.run();
    assertEquals(guest.machine.exit?.kind, "tripleFault");
  }
  assertEquals(virtualMachines(), kept - 1);
  beginKeeping(1);
  assertThrows(
    () => {
      using guest = new BareMachine({ code: PRINT });
      guest.onPrint = () => {
        throw new Error("a device's mistake");
      };
      guest.run();
    },
    Error,
    "a device's mistake",
  );
  assertEquals(virtualMachines(), kept - 1);
});

kvmTest("a state of other processors is restored where another machine ran before", () => {
  const guest = new BareMachine({ code: PRINT, cpuModel: "x86-64" });
  guest.onPrint = () => guest.machine.requestStop();
  guest.run();
  const state = guest.engine.save("bare");
  beginKeeping(1);
  using copy = new BareMachine({ code: PRINT });
  copy.engine.restore(state, "bare");
  assertEquals(copy.engine.save("bare").vcpus[0].cpuid, state.vcpus[0].cpuid);
  copy.onPrint = () => copy.machine.requestStop();
  copy.run();
  assertEquals(copy.printed.length, 1);
  assertEquals(copy.vcpus[0].register("rip"), BigInt(CODE + 2));
  guest[Symbol.dispose]();
});

// A software KVM gives the guest the host's own counter.
hardwareKvmTest("the time-stamp counter does not count the time between two machines", async () => {
  beginKeeping(1);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  // 1: rdtsc; out 0xe9, al; jmp 1b
  using guest = new BareMachine({ code: [0x0f, 0x31, 0xe6, PRINT_PORT, 0xeb, 0xfa], mode: "long" });
  guest.onPrint = () => guest.machine.requestStop();
  guest.run();
  const { rax, rdx } = guest.vcpus[0].holder.read();
  // More than a gigahertz.
  assert((rdx << 32n | rax & 0xffff_ffffn) < 800_000_000n);
});
