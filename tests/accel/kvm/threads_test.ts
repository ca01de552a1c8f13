/** Several vCPUs, each on a thread: that they run at once, stop at once, and serve and are served. */
import { assert, assertEquals } from "@std/assert";
import { KvmVcpu } from "../../../accel/kvm/vcpu.ts";
import { RemoteVcpu } from "../../../accel/kvm/remote_vcpu.ts";
import { kvmSystem } from "../../../accel/kvm/system.ts";
import { KvmVm } from "../../../accel/kvm/vm.ts";
import { vcpuCpuid } from "../../../accel/kvm/cpuid.ts";
import { writeRegisters } from "../../../accel/kvm/registers.ts";
import { STATUS_HOLDING, STATUS_RUNNING } from "../../../accel/kvm/thread_words.ts";
import { installKickHandler } from "../../../accel/ffi/posix.ts";
import { FutexWords } from "../../../accel/ffi/threads.ts";
import { mappedMemory } from "../../../accel/ffi/memory.ts";
import { kvmTest } from "../../support/kvm.ts";
import { BareMachine, CODE, startRegisters } from "../../support/x86_machine.ts";

/** 1: out 0xe9, al; jmp 1b */
const PRINT = [0xe6, 0xe9, 0xeb, 0xfc];
/** 1: inc rax; jmp 1b */
const COUNT = [0x48, 0xff, 0xc0, 0xeb, 0xfb];

/** A machine whose vCPUs all run the code from the start, each with its letter in al. */
function lettered(code: readonly number[], vcpus: number, mode: "real" | "user"): BareMachine {
  const guest = new BareMachine({ code, mode, vcpus });
  guest.vcpus.forEach((vcpu, i) => {
    const letter = mode === "real" ? BigInt(0x41 + i) : 0n;
    vcpu.holder.powerOn({ ...startRegisters(mode, i), activity: "running", rax: letter });
  });
  return guest;
}

kvmTest("vCPUs run at once and none starves", () => {
  using guest = lettered(PRINT, 4, "real");
  // An emulated host may take its time; one that starves would keep it going to the end.
  const counts = [0, 0, 0, 0];
  guest.onPrint = (letter) => {
    counts[letter - 0x41]++;
    if (Math.min(...counts) >= 5) guest.machine.requestStop();
  };
  guest.run(20e9);
  assert(Math.min(...counts) >= 5, `${counts}`);
});

kvmTest("what one vCPU prints stops all of them before anybody looks", () => {
  using guest = lettered(COUNT, 3, "user");
  const { machine } = guest;
  // The second vCPU prints once; the others count on.
  machine.ram.write(0x3000, Uint8Array.of(0xb0, 0x21, 0xe6, 0xe9, ...COUNT));
  guest.vcpus[1].holder.powerOn({ ...startRegisters("user", 1), activity: "running", rip: 0x3000n });
  guest.onPrint = () => machine.requestStop();
  guest.run();
  assertEquals(guest.text, "!");
  const counts = () => guest.vcpus.map((vcpu) => vcpu.holder.read().rax);
  const stopped = counts();
  const rip = guest.vcpus[1].register("rip")!;
  for (let i = 0; i < 3; i++) {
    // Reads go to the kernel anew.
    guest.vcpus.forEach((vcpu) => vcpu.setRegister("rbx", BigInt(i)));
    assertEquals(counts(), stopped);
  }
  assertEquals(rip, 0x3004n);
  assertEquals(machine.exit, undefined);
});

kvmTest("a vCPU that the guest starts by IPI runs in its thread", () => {
  const wrmsr = (msr: number, high: number, low: number) => [
    ...[0x66, 0xb9, msr & 255, msr >> 8, 0, 0], // mov ecx, msr
    ...[0x66, 0xba, high, 0, 0, 0], // mov edx, high
    ...[0x66, 0xb8, low & 255, low >> 8 & 255, low >> 16 & 255, 0], // mov eax, low
    ...[0x0f, 0x30],
  ];
  const code = [
    ...[0x66, 0xb9, 0x1b, 0, 0, 0, 0x0f, 0x32], // mov ecx, APIC_BASE; rdmsr
    ...[0x66, 0x0d, 0, 0x0c, 0, 0, 0x0f, 0x30], // or eax, enabled | x2APIC; wrmsr
    ...wrmsr(0x830, 1, 0x4500), // INIT to APIC 1
    ...wrmsr(0x830, 1, 0x4603), // start-up at 0x3000
    ...[0xfb, 0xf4, 0xeb, 0xfd], // sti; 1: hlt; jmp 1b
  ];
  using guest = new BareMachine({ code, vcpus: 2 });
  // mov al, '1'; out 0xe9, al; mov al, 3; out 0xf4, al
  guest.machine.ram.write(0x3000, Uint8Array.of(0xb0, 0x31, 0xe6, 0xe9, 0xb0, 3, 0xe6, 0xf4));
  assertEquals(guest.vcpus[1].holder.read().activity, "stopped");
  guest.run();
  assertEquals(guest.text, "1");
  assertEquals(guest.machine.exit, { kind: "debugExit", code: 3 });
});

kvmTest("every vCPU of a halted machine hangs together", () => {
  using guest = lettered([0xfa, 0xf4], 3, "real");
  guest.run(30e6);
  assertEquals(guest.machine.exit?.kind, "hang");
});

kvmTest("machines of 8 vCPUs are stopped and go on a hundred times", () => {
  using guest = lettered(COUNT, 8, "user");
  for (let i = 0; i < 100; i++) guest.run(0.5e6);
  // So short a run may be over, on a host with fewer processors, before each of them had its turn.
  guest.run(200e6);
  const counts = guest.vcpus.map((vcpu) => Number(vcpu.register("rax")));
  assert(counts.every((count) => count > 0), `${counts}`);
});

kvmTest("1,000 kicks of 1,000 end a spinning vCPU", () => {
  using resources = new DisposableStack();
  const system = kvmSystem();
  const ram = mappedMemory.allocate(1 << 20);
  resources.defer(() => ram.free());
  new Uint8Array(ram.buffer).set([0xeb, 0xfe], CODE);
  const vm = resources.use(new KvmVm(system));
  vm.mapMemory({ hostAddress: ram.address }, [{ base: 0, size: 1 << 20, offset: 0 }]);
  const [first, second] = [0, 1].map((vcpu) => {
    const made = resources.use(new KvmVcpu(vm, vcpu));
    made.setCpuid(
      vcpuCpuid(system.supportedCpuid, { model: "host", vcpu, vcpus: 2, tscDeadline: false }),
    );
    writeRegisters(made, { ...startRegisters("real", vcpu), activity: "running" });
    return made;
  });
  installKickHandler();
  const remote = resources.use(new RemoteVcpu(second, first, resources.use(new FutexWords())));
  remote.awaitStart();
  let stopped = 0;
  const status = () => remote.status;
  for (let i = 0; i < 1000; i++) {
    remote.resume();
    while (status() !== STATUS_RUNNING);
    remote.hold();
    remote.awaitHold(() => {});
    if (status() === STATUS_HOLDING) stopped++;
  }
  assertEquals(stopped, 1000);
});
