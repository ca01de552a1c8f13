/** Small guests in every processor mode: what they print, how they end, and that they can be stopped. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { BareMachine, CODE, EXIT_PORT, type Mode, PRINT_PORT } from "../../support/x86_machine.ts";
import { hardwareKvmTest, kvmTest } from "../../support/kvm.ts";

/** mov al, 'H'; out 0xe9, al; mov al, 'i'; out 0xe9, al; mov al, 7; out 0xf4, al; 1: hlt; jmp 1b: the same in all modes. */
const HELLO = [0xb0, 0x48, 0xe6, 0xe9, 0xb0, 0x69, 0xe6, 0xe9, 0xb0, 0x07, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd];
const SPIN = [0xeb, 0xfe];

for (const mode of ["real", "protected", "long", "user"] as const satisfies readonly Mode[]) {
  kvmTest(`a guest in ${mode} mode prints and ends`, () => {
    using guest = new BareMachine({ code: HELLO, mode });
    guest.run();
    assertEquals(guest.text, "Hi");
    assertEquals(guest.machine.exit, { kind: "debugExit", code: 7 });
    // The exit is complete: the vCPU is at the instruction that follows.
    assertEquals(guest.vcpus[0].register("rip"), BigInt(CODE + 12));
  });
}

kvmTest("a guest spins for as long as it may, by its own clock and by the host's", () => {
  using guest = new BareMachine({ code: SPIN, mode: "user" });
  const { machine, engine } = guest;
  machine.run(engine, 20e6);
  assert(machine.clock.nowNs >= 20e6 && machine.clock.nowNs < 500e6);
  const since = performance.now();
  machine.run(engine, Infinity, since + 20);
  assert(performance.now() - since >= 20 && performance.now() - since < 500);
  assertEquals(machine.exit, undefined);
});

kvmTest("guest time passes while the machine runs, and only then", async () => {
  using guest = new BareMachine({ code: SPIN, mode: "user" });
  const { clock } = guest.machine;
  guest.run(5e6);
  const stopped = clock.nowNs;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(clock.nowNs, stopped);
  assertEquals([clock.instructions, clock.idleNs], [0, 0]);
});

// A software KVM gives the guest the host's own counter.
hardwareKvmTest("the guest's time-stamp counter stands still with it", async () => {
  // 1: rdtsc; out 0xe9, al; jmp 1b: reads the counter and stops, again and again.
  using guest = new BareMachine({ code: [0x0f, 0x31, 0xe6, PRINT_PORT, 0xeb, 0xfa], mode: "long" });
  guest.onPrint = () => guest.machine.requestStop();
  const counter = () => {
    guest.run();
    return Number(guest.vcpus[0].register("rdx")! << 32n | guest.vcpus[0].register("rax")!);
  };
  counter();
  const before = counter();
  await new Promise((resolve) => setTimeout(resolve, 400));
  // More than a gigahertz, so 400 ms are 400 million ticks.
  assert(counter() - before < 200e6);
});

kvmTest("a byte that a test waits for stops the machine there", () => {
  // mov al, 'a'; 1: out 0xe9, al; inc al; jmp 1b
  using guest = new BareMachine({ code: [0xb0, 0x61, 0xe6, 0xe9, 0xfe, 0xc0, 0xeb, 0xfa] });
  guest.onPrint = (byte) => void (byte === 0x65 && guest.machine.requestStop());
  guest.run();
  assertEquals(guest.text, "abcde");
  assertEquals(guest.vcpus[0].register("rip"), BigInt(CODE + 4));
  guest.onPrint = (byte) => void (byte === 0x67 && guest.machine.requestStop());
  guest.run();
  assertEquals(guest.text, "abcdefg");
});

kvmTest("string output is every byte of it", () => {
  const text = new TextEncoder().encode("a string that is written by one instruction");
  // mov si, 0x1010; mov dx, 0xe9; mov cx, length; rep outsb; mov al, 0; out 0xf4, al
  const code = [
    0xbe,
    0x20,
    0x10,
    0xba,
    PRINT_PORT,
    0,
    0xb9,
    text.length,
    0,
    0xf3,
    0x6e,
    0xb0,
    0,
    0xe6,
    EXIT_PORT,
  ];
  using guest = new BareMachine({ code: [...code, ...new Array(0x20 - code.length).fill(0x90), ...text] });
  guest.run();
  assertEquals(guest.text, "a string that is written by one instruction");
});

kvmTest("string input arrives in memory", () => {
  // mov di, 0x3000; mov dx, 0x300; mov cx, 5; rep insb; out 0xf4, al
  using guest = new BareMachine({
    code: [0xbf, 0, 0x30, 0xba, 0, 3, 0xb9, 5, 0, 0xf3, 0x6c, 0xe6, EXIT_PORT],
  });
  let next = 1;
  guest.machine.ports.map("counter", 0x300, 1, { read: () => next++, write: () => {}, reset: () => {} });
  guest.run();
  assertEquals([...guest.machine.ram.read(0x3000, 6)], [1, 2, 3, 4, 5, 0]);
});

/** A guest in long mode that reads and writes 8, 4, 2 and 1 bytes at 0x10000000, then ends. */
const MMIO = [
  ...[0xbb, 0, 0, 0, 0x10], // mov ebx, 0x10000000
  ...[0x48, 0xc7, 0x03, 0x78, 0x56, 0x34, 0x12], // mov qword [rbx], 0x12345678
  ...[0x66, 0xc7, 0x43, 0x02, 0xcd, 0xab], // mov word [rbx+2], 0xabcd
  ...[0x8b, 0x4b, 0x04], // mov ecx, [rbx+4]
  ...[0x8a, 0x53, 0x01], // mov dl, [rbx+1]
  ...[0xe6, EXIT_PORT],
];

kvmTest("devices in memory see each access, and their answers reach registers", () => {
  using guest = new BareMachine({ code: MMIO, mode: "long" });
  const accesses: string[] = [];
  guest.machine.bus.map("device", 0x1000_0000, 0x1000, {
    read: (offset, size) => {
      accesses.push(`r${size}@${offset}`);
      return 0x8765_4321;
    },
    write: (offset, value, size) => void accesses.push(`w${size}@${offset}=${value.toString(16)}`),
    reset: () => {},
  });
  guest.run();
  assertEquals(accesses, ["w4@0=12345678", "w4@4=0", "w2@2=abcd", "r4@4", "r1@1"]);
  assertEquals(guest.vcpus[0].register("rcx"), 0x8765_4321n);
  assertEquals(guest.vcpus[0].register("rdx")! & 0xffn, 0x21n);
});

kvmTest("RAM above 4 GiB is the guest's as well as ours", () => {
  const code = [
    ...[0x48, 0xbb, 0, 0, 0, 0, 1, 0, 0, 0], // mov rbx, 4 GiB
    ...[0x8b, 0x03, 0xff, 0xc0, 0x89, 0x43, 0x08], // mov eax, [rbx]; inc eax; mov [rbx+8], eax
    ...[0xe6, EXIT_PORT],
  ];
  const base = 2 ** 32;
  using guest = new BareMachine({ code, mode: "long", highRam: { base, size: 2 << 20 } });
  const { ram, rams: [, high] } = guest.machine;
  // The fifth gigabyte's first 2 MiB, mapped onto themselves.
  ram.view.setBigUint64(0x9000 + 4 * 8, 0xb007n, true);
  ram.view.setBigUint64(0xb000, BigInt(base) | 0x87n, true);
  high.write(base, Uint8Array.of(0x41, 0, 0, 0));
  guest.run();
  assertEquals(guest.machine.exit, { kind: "debugExit", code: 0x42 });
  assertEquals([...high.read(base + 8, 4)], [0x42, 0, 0, 0]);
});

kvmTest("a storm of device accesses ends when guest time does", () => {
  // mov ebx, 0x10000000; 1: mov al, [rbx]; jmp 1b
  using guest = new BareMachine({ code: [0xbb, 0, 0, 0, 0x10, 0x8a, 0x03, 0xeb, 0xfc], mode: "long" });
  const since = performance.now();
  // Long enough for an emulated host, whose clock runs on while it stalls.
  guest.run(500e6);
  assert(performance.now() - since < 5000);
  assert(guest.engine.statistics().exitsDevice > 100);
});

kvmTest("a storm of port accesses ends when the host's watchdog strikes", () => {
  using guest = new BareMachine({ code: [0xe6, 0x80, 0xeb, 0xfc] });
  const since = performance.now();
  guest.machine.run(guest.engine, Infinity, since + 50);
  assert(performance.now() - since < 1000);
});

/** Programs the first PIC (vectors from 8, line 4 alone), lets interrupts in and halts for ever. */
const WAIT_FOR_LINE_4 = [
  ...[[0x20, 0x11], [0x21, 0x08], [0x21, 0x04], [0x21, 0x01], [0x21, 0xef]].flatMap((
    [port, value],
  ) => [0xb0, value, 0xe6, port] // mov al, value; out port, al
  ),
  ...[0xfb, 0xf4, 0xeb, 0xfd], // sti; 1: hlt; jmp 1b
];
/** in al, 0x60; out 0xe9, al; mov al, 0x20; out 0x20, al; iret */
const HANDLER = [0xe4, 0x60, 0xe6, 0xe9, 0xb0, 0x20, 0xe6, 0x20, 0xcf];

/** A guest that halts until line 4 is raised, and the device behind the line. */
function waitingGuest() {
  const guest = new BareMachine({ code: WAIT_FOR_LINE_4 });
  const { machine } = guest;
  const line = machine.interruptPins.line(4);
  machine.ports.map("data", 0x60, 1, {
    read: () => {
      line.set(false);
      return 0x21;
    },
    write: () => {},
    reset: () => {},
  });
  machine.ram.write(0x3000, Uint8Array.from(HANDLER));
  machine.ram.write(4 * 0x0c, Uint8Array.of(0x00, 0x30, 0, 0));
  return { guest, line };
}

kvmTest("an interrupt line wakes a guest that halts", () => {
  const { guest, line } = waitingGuest();
  using _ = guest;
  guest.run(20e6);
  assertEquals(guest.text, "");
  for (let i = 1; i <= 3; i++) {
    line.set(true);
    guest.run(20e6);
    assertEquals(guest.text, "!".repeat(i));
  }
});

kvmTest("a device's timer comes in time, though every vCPU halts", () => {
  const { guest, line } = waitingGuest();
  using _ = guest;
  const { clock } = guest.machine;
  // It must have set up its interrupt controller before the line rises, also on an emulated host.
  guest.run(200e6);
  const start = clock.nowNs;
  const times: number[] = [];
  const timer = clock.timer(() => line.set(true));
  guest.onPrint = () => {
    times.push(clock.nowNs);
    if (times.length === 3) guest.machine.requestStop();
    else timer.arm(clock.nowNs + 5e6);
  };
  timer.arm(start + 5e6);
  guest.run();
  assertEquals(times.length, 3);
  for (let i = 0; i < 3; i++) assert(times[i] - start >= (i + 1) * 5e6, `${times}`);
  // Generous: this may run on an emulated host.
  assert(times[2] - start < 5e9, `${times}`);
});

kvmTest("a guest that waits with interrupts off hangs, and that is known", () => {
  using guest = new BareMachine({ code: [0xfa, 0xf4] });
  guest.run(20e6);
  assertEquals(guest.machine.exit?.kind, "hang");
});

kvmTest("a guest that waits with interrupts on does not hang", () => {
  using guest = new BareMachine({ code: [0xfb, 0xf4] });
  guest.run(20e6);
  assertEquals(guest.machine.exit, undefined);
});

kvmTest("a triple fault is an exit", () => {
  using guest = new BareMachine({ code: [0x0f, 0x0b], mode: "long" });
  guest.run();
  assertEquals(guest.machine.exit?.kind, "tripleFault");
});

kvmTest("what KVM cannot execute is an exit that says so", () => {
  // jmp far into nowhere: mov eax, 0x20000000; jmp *eax
  using guest = new BareMachine({ code: [0xb8, 0, 0, 0, 0x20, 0xff, 0xe0], mode: "protected" });
  guest.run();
  const { exit } = guest.machine;
  assertEquals(exit?.kind, "engineError");
  assertMatch(exit?.kind === "engineError" ? exit.detail : "", /vCPU 0/);
});

kvmTest("registers are read and written between runs", () => {
  // 1: out 0xe9, al; jmp 1b
  using guest = new BareMachine({ code: [0xe6, 0xe9, 0xeb, 0xfc] });
  guest.onPrint = () => guest.machine.requestStop();
  const vcpu = guest.vcpus[0];
  vcpu.setRegister("rax", 0x41n);
  guest.run();
  assertEquals(vcpu.register("rip"), BigInt(CODE + 2));
  vcpu.setRegister("rax", 0x42n);
  vcpu.setRegister("rip", BigInt(CODE));
  guest.run();
  assertEquals(guest.text, "AB");
});

kvmTest("after a reset everything is as it was in the beginning", () => {
  const { guest, line } = waitingGuest();
  using _ = guest;
  const before = guest.engine.save("bare");
  guest.run(20e6);
  line.set(true);
  guest.run(20e6);
  assertEquals(guest.text, "!");
  guest.reset();
  const after = guest.engine.save("bare");
  assertEquals(after.vcpus[0].registers.rip, before.vcpus[0].registers.rip);
  assertEquals(after.vcpus[0].events, before.vcpus[0].events);
  assertEquals(after.vcpus[0].lapic, before.vcpus[0].lapic);
  assertEquals(after.chips.pics, before.chips.pics);
  assertEquals(after.chips.ioapic, before.chips.ioapic);
  guest.run(20e6);
  line.set(true);
  guest.run(20e6);
  assertEquals(guest.text, "!!");
});
