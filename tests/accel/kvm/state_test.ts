/** A machine that is saved and restored into a new one goes on as if nothing had happened. */
import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { KvmError } from "../../../accel/kvm/kvm_error.ts";
import { type KvmMachineState, StateError } from "../../../accel/kvm/state.ts";
import { kvmTest } from "../../support/kvm.ts";
import { BareMachine, type Mode, startRegisters } from "../../support/x86_machine.ts";

const KERNEL_GS_BASE = 0xc000_0102;
const MULTIPLIER = 0x41c6_4e6d, ROUNDS = 12, STEPS = 50;
const M = [0x6d, 0x4e, 0xc6, 0x41];

/**
 * Mixes eax in rounds of 50 steps, prints a dot after each round, then eax, and ends. The inner counter is in
 * ecx, the outer in edi; ebx has what is mixed.
 */
const MIX: Record<"real" | "wide", readonly number[]> = {
  real: [
    ...[0x66, 0xbf, ROUNDS, 0, 0, 0], // mov edi, ROUNDS
    ...[0x66, 0xb9, STEPS, 0, 0, 0], // 1: mov ecx, STEPS
    ...[0x66, 0x69, 0xdb, ...M], // 2: imul ebx, ebx, MULTIPLIER
    ...[0x66, 0x43], // inc ebx
    ...[0x66, 0x49], // dec ecx
    ...[0x75, 0xf3], // jnz 2b
    ...[0xb0, 0x2e, 0xe6, 0xe9], // mov al, '.'; out 0xe9, al
    ...[0x66, 0x4f], // dec edi
    ...[0x75, 0xe5], // jnz 1b
    ...[0x66, 0x89, 0xd8, 0xe6, 0xe9], // mov eax, ebx; out 0xe9, al
    ...[0x66, 0xc1, 0xe8, 8, 0xe6, 0xe9, 0x66, 0xc1, 0xe8, 8, 0xe6, 0xe9, 0x66, 0xc1, 0xe8, 8, 0xe6, 0xe9],
    ...[0xb0, 0, 0xe6, 0xf4],
  ],
  wide: [
    ...[0xbf, ROUNDS, 0, 0, 0],
    ...[0xb9, STEPS, 0, 0, 0],
    ...[0x69, 0xdb, ...M],
    ...[0xff, 0xc3],
    ...[0xff, 0xc9],
    ...[0x75, 0xf4],
    ...[0xb0, 0x2e, 0xe6, 0xe9],
    ...[0xff, 0xcf],
    ...[0x75, 0xe7],
    ...[0x89, 0xd8, 0xe6, 0xe9],
    ...[0xc1, 0xe8, 8, 0xe6, 0xe9, 0xc1, 0xe8, 8, 0xe6, 0xe9, 0xc1, 0xe8, 8, 0xe6, 0xe9],
    ...[0xb0, 0, 0xe6, 0xf4],
  ],
};

function mixed(): number[] {
  let value = 0;
  for (let i = 0; i < ROUNDS * STEPS; i++) value = Math.imul(value, MULTIPLIER) + 1 | 0;
  return [...".".repeat(ROUNDS)].map((c) => c.charCodeAt(0)).concat(
    [0, 8, 16, 24].map((shift) => value >>> shift & 255),
  );
}

/** A new machine with the memory and the state of another. */
function clone(of: BareMachine, state: KvmMachineState, mode: Mode): BareMachine {
  const copy = new BareMachine({ code: [], mode, vcpus: of.vcpus.length });
  copy.machine.ram.u8.set(of.machine.ram.u8);
  copy.engine.restore(state, "bare");
  copy.printed.push(...of.printed);
  return copy;
}

/** What a machine that has not run would begin with; its clocks go already. */
function beginning(guest: BareMachine) {
  const { vcpus, chips } = guest.engine.save("bare");
  const timeless = (msrs: ReadonlyMap<number, bigint>) =>
    [...msrs].filter(([number]) => !CLOCK_MSRS.has(number));
  return {
    chips: { pics: chips.pics, ioapic: chips.ioapic },
    vcpus: vcpus.map(({ registers, ...rest }) => ({
      ...rest,
      registers: { ...registers, msrs: timeless(registers.msrs) },
    })),
  };
}

/** The time-stamp counter, how long the vCPU has run, and the machine's reference time. */
const CLOCK_MSRS = new Set([0x10, 0x4000_0010, 0x4000_0020]);

for (const mode of ["real", "long"] as const) {
  kvmTest(`a new machine in ${mode} mode begins as if all its registers had been written`, () => {
    using guest = new BareMachine({ code: [], mode, vcpus: 2 });
    const first = beginning(guest);
    for (const vcpu of guest.vcpus) vcpu.holder.write(startRegisters(mode, vcpu.index));
    assertEquals(beginning(guest), first);
  });
}

kvmTest("a reset takes back what was set before the machine first ran", () => {
  using guest = new BareMachine({ code: [], vcpus: 2 });
  const first = beginning(guest);
  for (const { holder } of guest.vcpus) {
    const changed = { dr0: 0x1234n, dr7: 0x401n, xcr0: 3n, msrs: new Map([[KERNEL_GS_BASE, 0x5678n]]) };
    holder.write({ ...holder.read(), ...changed });
  }
  assertNotEquals(beginning(guest), first);
  guest.reset();
  assertEquals(beginning(guest), first);
});

for (const mode of ["real", "protected", "long", "user"] as const) {
  kvmTest(`a computation in ${mode} mode that moves to a new machine after every dot has its result`, () => {
    const code = MIX[mode === "real" ? "real" : "wide"];
    let guest = new BareMachine({ code, mode });
    guest.vcpus[0].setRegister("rbx", 0n);
    for (let moves = 0; moves < ROUNDS; moves++) {
      using old = guest;
      old.onPrint = () => old.machine.requestStop();
      old.run();
      assertEquals(old.printed.length, moves + 1);
      guest = clone(old, old.engine.save("bare"), mode);
    }
    using last = guest;
    last.run();
    assertEquals(last.machine.exit, { kind: "debugExit", code: 0 });
    assertEquals(last.printed, mixed());
  });
}

/** What of a state time changes by itself. */
function lasting(state: KvmMachineState) {
  // The counter, its adjustment and deadline; Hyper-V's run time and reference time.
  const TIME_MSRS = [0x10, 0x3b, 0x6e0, 0x4000_0010, 0x4000_0020];
  const withoutTime = state.vcpus.map((vcpu) => ({
    ...vcpu,
    // The APIC timer's current count.
    lapic: vcpu.lapic.map((byte, i) => i >= 0x390 && i < 0x394 ? 0 : byte),
    registers: {
      ...vcpu.registers,
      msrs: [...vcpu.registers.msrs].filter(([number]) => !TIME_MSRS.includes(number)),
    },
  }));
  const channels = (state.chips.pit.channels as Record<string, unknown>[])
    .map((channel) => ({ ...channel, count_load_time: 0n }));
  return {
    ...state,
    vcpus: withoutTime,
    chips: { ...state.chips, pit: { ...state.chips.pit, channels } },
    clockNs: 0n,
  };
}

kvmTest("all that a machine has comes back as it was", () => {
  // fld1; fldpi; mov eax, 0x12345678; movd xmm3, eax; PIT channel 2: mode 3; PICs: vectors 0x20, 0x28; out 0xe9, al
  const code = [
    ...[0x9b, 0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xeb], // finit; fld1; fldpi
    ...[0xb8, 0x78, 0x56, 0x34, 0x12, 0x66, 0x0f, 0x6e, 0xd8],
    ...[[0x43, 0xb6], [0x42, 0x34], [0x42, 0x12]].flatMap(([port, value]) => [0xb0, value, 0xe6, port]),
    ...[[0x20, 0x11], [0x21, 0x20], [0x21, 4], [0x21, 1], [0x21, 0xaa]].flatMap((
      [port, value],
    ) => [0xb0, value, 0xe6, port]),
    ...[0xe6, 0xe9, 0xeb, 0xfc],
  ];
  using guest = new BareMachine({ code, mode: "user", vcpus: 2 });
  const registers = startRegisters("user");
  guest.vcpus[0].holder.powerOn({
    ...registers,
    cr4: registers.cr4 | 0x600n, // SSE
    ...{ dr0: 0x1234n, dr1: 0x5678n, dr7: 0x400n },
    msrs: new Map([[0xc000_0081, 0x0023_0010_0000_0000n], [0xc000_0102, 0xffff_8000_1234_5678n]]),
  });
  guest.onPrint = () => guest.machine.requestStop();
  guest.run();
  const state = guest.engine.save("bare");
  const saved = state.vcpus[0].registers;
  assertEquals(saved.dr1, 0x5678n);
  assertEquals(saved.msrs.get(0xc000_0102), 0xffff_8000_1234_5678n);
  assertEquals(new DataView(saved.xsave.buffer).getUint32(160 + 3 * 16, true), 0x12345678);
  assertEquals(state.chips.pics[0].irq_base, 0x20);
  assertEquals((state.chips.pit.channels as { count: number }[])[2].count, 0x1234);

  using copy = clone(guest, structuredClone(state), "user");
  assertEquals(lasting(copy.engine.save("bare")), lasting(state));
  copy.onPrint = () => copy.machine.requestStop();
  copy.run();
  assertEquals(copy.machine.exit, undefined);
  assertEquals(copy.vcpus[0].register("rip"), guest.vcpus[0].register("rip"));
});

kvmTest("an interrupt that was raised and not taken yet is taken by the new machine", () => {
  // PIC: vectors from 8, line 4 alone; out 0xe9, al with interrupts off, then sti; 1: hlt; jmp 1b
  const code = [
    ...[[0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0x21, 0xef]].flatMap((
      [port, value],
    ) => [0xb0, value, 0xe6, port]),
    ...[0xb0, 0x61, 0xe6, 0xe9, 0xfb, 0xf4, 0xeb, 0xfd],
  ];
  using guest = new BareMachine({ code });
  // mov al, 'i'; out 0xe9, al; mov al, 0; out 0xf4, al
  guest.machine.ram.write(0x3000, Uint8Array.of(0xb0, 0x69, 0xe6, 0xe9, 0xb0, 0, 0xe6, 0xf4));
  guest.machine.ram.write(4 * 0x0c, Uint8Array.of(0, 0x30, 0, 0));
  guest.onPrint = () => guest.machine.requestStop();
  guest.run();
  guest.machine.interruptPins.line(4).set(true);
  using copy = clone(guest, guest.engine.save("bare"), "real");
  copy.run();
  assertEquals(copy.text, "ai");
  assertEquals(copy.machine.exit, { kind: "debugExit", code: 0 });
});

kvmTest("a vCPU that waits to be started still does in the new machine", () => {
  using guest = new BareMachine({ code: [0xe6, 0xe9, 0xeb, 0xfc], vcpus: 2 });
  guest.onPrint = () => guest.machine.requestStop();
  guest.run();
  using copy = clone(guest, guest.engine.save("bare"), "real");
  assertEquals(copy.vcpus.map((vcpu) => vcpu.holder.read().activity), ["running", "stopped"]);
});

kvmTest("a state is refused where it cannot mean the same", () => {
  using guest = new BareMachine({ code: [0xf4] });
  const state = guest.engine.save("bare");
  const refuse = (change: Partial<KvmMachineState>, board: string, message: string) => {
    using other = new BareMachine({ code: [0xf4] });
    assertThrows(() => other.engine.restore({ ...state, ...change }, board), StateError, message);
  };
  refuse({}, "virt-x86", "of board bare, and this one is virt-x86");
  refuse({ vendor: "GenuineOther" }, "bare", "whose processor is GenuineOther");
  refuse({ vcpus: [...state.vcpus, ...state.vcpus] }, "bare", "with 2 vCPUs, and this one has 1");
  refuse({ tscKhz: state.tscKhz * 2 }, "bare", "time-stamp counter");
  refuse({ format: "something else" as never }, "bare", "no saved state");
  const more = state.vcpus.map((vcpu) => ({
    ...vcpu,
    cpuid: vcpu.cpuid.map((entry) => entry.function === 0x7 ? { ...entry, ecx: 0xffff_ffff } : entry),
  }));
  refuse({ vcpus: more }, "bare", "features that this host's lacks (CPUID 0x7.0 ecx");
});

kvmTest("an MSR that the kernel refuses is named, unless it has that value already", () => {
  using guest = new BareMachine({ code: [0xf4] });
  const state = guest.engine.save("bare");
  const withMsr = (number: number, value: bigint): KvmMachineState => ({
    ...state,
    vcpus: state.vcpus.map((vcpu) => ({
      ...vcpu,
      registers: { ...vcpu.registers, msrs: new Map([...vcpu.registers.msrs, [number, value]]) },
    })),
  });
  const NO_MSR = 0x0bad_0000, STAR = 0xc000_0081;
  using other = new BareMachine({ code: [0xf4] });
  assertThrows(
    () => other.engine.restore(withMsr(NO_MSR, 5n), "bare"),
    KvmError,
    "KVM_SET_MSRS failed: invalid argument (EINVAL). It took all but 0xbad0000.",
  );
  // The ones after it are written all the same.
  using third = new BareMachine({ code: [0xf4] });
  third.engine.restore(withMsr(STAR, 0x23_0010_0000_0000n), "bare");
  assertEquals(third.vcpus[0].holder.read().msrs.get(STAR), 0x23_0010_0000_0000n);
});

kvmTest("a machine that has run takes no state", () => {
  using guest = new BareMachine({ code: [0xe6, 0xe9, 0xeb, 0xfc] });
  guest.onPrint = () => guest.machine.requestStop();
  const state = guest.engine.save("bare");
  guest.run();
  assertThrows(() => guest.engine.restore(state, "bare"), Error, "has not run yet");
});
