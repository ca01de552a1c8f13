/** Breakpoints, watchpoints and steps by the processor's own means. */
import { assert, assertEquals } from "@std/assert";
import { fitsDebugRegisters } from "../../../accel/kvm/guest_debug.ts";
import type { WatchKind, Watchpoint } from "../../../core/debug/debug_points.ts";
import { kvmTest } from "../../support/kvm.ts";
import { BareMachine, CODE, type Mode, startRegisters } from "../../support/x86_machine.ts";

const watch = (kind: WatchKind, address: number, length: number): Watchpoint => ({
  kind,
  address: BigInt(address),
  length,
});

Deno.test("there are four debug registers, and a watchpoint that is long or crooked takes several", () => {
  assertEquals(fitsDebugRegisters(4, []), true);
  assertEquals(fitsDebugRegisters(5, []), false);
  assertEquals(fitsDebugRegisters(3, [watch("write", 0x1000, 8)]), true);
  assertEquals(fitsDebugRegisters(4, [watch("write", 0x1000, 1)]), false);
  // 1 + 2 + 4 bytes
  assertEquals(fitsDebugRegisters(1, [watch("access", 0x1001, 7)]), true);
  assertEquals(fitsDebugRegisters(2, [watch("access", 0x1001, 7)]), false);
  assertEquals(fitsDebugRegisters(0, [watch("write", 0x1000, 32)]), true);
  assertEquals(fitsDebugRegisters(0, [watch("write", 0x1001, 32)]), false);
  assertEquals(fitsDebugRegisters(0, [watch("write", 0, 2 ** 40)]), false);
  assertEquals(fitsDebugRegisters(0, [watch("read", 0x1000, 1)]), false, "no processor has these");
});

/** Lets one vCPU execute an instruction; gives its address then. */
function step(guest: BareMachine, cpu = 0, alone = false): bigint {
  guest.machine.stopRequested = false;
  assertEquals(guest.engine.stepMachine({ cpu, alone }, Infinity, performance.now() + 20_000), true);
  return guest.vcpus[cpu].register("rip")! - BigInt(CODE);
}

for (const mode of ["real", "protected", "long", "user"] as const satisfies readonly Mode[]) {
  kvmTest(`a step in ${mode} mode is one instruction, also one that a device answers`, () => {
    // nop; out 0xe9, al; in al, 0x61; nop; jmp $
    using guest = new BareMachine({ code: [0x90, 0xe6, 0xe9, 0xe4, 0x61, 0x90, 0xeb, 0xfe], mode });
    assertEquals([1, 2, 3, 4, 5].map(() => Number(step(guest))), [1, 3, 5, 6, 6]);
    assertEquals(guest.printed.length, 1);
    // Its own trap flag was never touched.
    assertEquals(guest.vcpus[0].register("rflags")! & 0x100n, 0n);
    guest.run(5e6);
    assertEquals(guest.machine.exit, undefined);
  });
}

/** 1: out 0xe9, al; inc eax; jmp 1b: four bytes in each mode but real, where it is inc ax. */
const LOOP = [0xe6, 0xe9, 0xff, 0xc0, 0xeb, 0xfa];

kvmTest("a breakpoint stops before its instruction, in memory or not", () => {
  using guest = new BareMachine({ code: LOOP });
  const { debug, ram } = guest.machine;
  debug.setBreakpoints(new Set([BigInt(CODE + 2)]));
  guest.run();
  assertEquals(debug.hit, { cpu: 0, address: BigInt(CODE + 2) });
  assertEquals([guest.printed.length, guest.vcpus[0].register("rip")], [1, BigInt(CODE + 2)]);
  assertEquals([...ram.read(CODE, LOOP.length)], LOOP);
  // To go on from there without a step is to stop there again.
  debug.hit = undefined;
  guest.run();
  assertEquals([guest.printed.length, debug.hit], [1, { cpu: 0, address: BigInt(CODE + 2) }]);
  debug.hit = undefined;
  assertEquals(step(guest), 4n);
  assertEquals(debug.hit, undefined, "a step passes the breakpoint that it begins at");
  guest.run();
  assertEquals([guest.printed.length, debug.hit], [2, { cpu: 0, address: BigInt(CODE + 2) }]);
  debug.setBreakpoints(new Set());
  debug.hit = undefined;
  guest.run(5e6);
  assert(guest.printed.length > 2);
  assertEquals(debug.hit, undefined);
});

kvmTest("a step stops at a breakpoint that it comes to, as a step and as a hit", () => {
  using guest = new BareMachine({ code: LOOP });
  guest.machine.debug.setBreakpoints(new Set([BigInt(CODE + 4)]));
  assertEquals(step(guest), 2n);
  assertEquals(step(guest), 4n);
  assertEquals(step(guest), 0n);
});

kvmTest("a watchpoint stops after the access, of its kind alone", () => {
  // mov al, [0x3004]; mov [0x3005], al; mov [0x3008], al; inc ax; jmp to the start
  const code = [0xa0, 4, 0x30, 0xa2, 5, 0x30, 0xa2, 8, 0x30, 0xff, 0xc0, 0xeb, 0xf3];
  using guest = new BareMachine({ code });
  const { debug } = guest.machine;
  const hits = (kind: WatchKind, address: number, length: number, count: number) => {
    debug.setWatchpoints([watch(kind, address, length)]);
    return Array.from({ length: count }, () => {
      debug.hit = undefined;
      guest.run();
      const { hit } = guest.machine.debug;
      assertEquals(hit?.watchpoint, watch(kind, address, length));
      return Number(guest.vcpus[0].register("rip")!) - CODE;
    });
  };
  assertEquals(hits("write", 0x3004, 4, 2), [6, 6]);
  assertEquals(hits("access", 0x3004, 4, 4), [3, 6, 3, 6]);
  assertEquals(hits("write", 0x3005, 4, 3), [9, 6, 9], "three pieces");
});

/** 1: inc rax; jmp 1b */
const COUNT = [0x48, 0xff, 0xc0, 0xeb, 0xfb];

function threeCounters(): BareMachine {
  const guest = new BareMachine({ code: COUNT, mode: "user", vcpus: 3 });
  guest.vcpus.forEach((vcpu, i) =>
    vcpu.holder.powerOn({ ...startRegisters("user", i), activity: "running" })
  );
  return guest;
}

kvmTest("a breakpoint that another vCPU comes to stops all of them", () => {
  using guest = threeCounters();
  const { debug, ram } = guest.machine;
  ram.write(0x3000, Uint8Array.from([0x90, 0x90, ...COUNT]));
  guest.vcpus[2].holder.powerOn({ ...startRegisters("user", 2), activity: "running", rip: 0x3000n });
  debug.setBreakpoints(new Set([0x3001n]));
  guest.run();
  assertEquals(debug.hit, { cpu: 2, address: 0x3001n });
  assertEquals(guest.vcpus[2].register("rip"), 0x3001n);
  const counts = () => guest.vcpus.map((vcpu) => vcpu.register("rax"));
  assertEquals(counts(), counts());
});

kvmTest("each vCPU steps, with the others running or standing still", () => {
  using guest = threeCounters();
  guest.run(2e6);
  for (let cpu = 0; cpu < 3; cpu++) {
    const counts = () => guest.vcpus.map((vcpu) => vcpu.register("rax")!);
    const before = counts();
    const from = Number(guest.vcpus[cpu].register("rip")!) - CODE;
    assertEquals(Number(step(guest, cpu, true)), from === 0 ? 3 : 0);
    const after = counts();
    for (let i = 0; i < 3; i++) {
      assertEquals(after[i] - before[i], i === cpu && from === 0 ? 1n : 0n, `vCPU ${i} while ${cpu} steps`);
    }
    assertEquals(Number(step(guest, cpu)), from);
  }
  guest.run(5e6);
  assertEquals(guest.machine.exit, undefined);
});

kvmTest("a guest that debugs itself meanwhile gets its own exceptions", () => {
  const code = [
    ...[0x9c, 0x58, 0x0d, 0, 1, 0x50, 0x9d], // pushf; pop ax; or ax, TF; push ax; popf
    ...[0x90, 0x90, 0xeb, 0xfe], // nop, after which it traps; nop; jmp $
  ];
  using guest = new BareMachine({ code });
  const { debug, ram } = guest.machine;
  // mov al, '!'; out 0xe9, al; mov al, 9; out 0xf4, al
  ram.write(0x3000, Uint8Array.of(0xb0, 0x21, 0xe6, 0xe9, 0xb0, 9, 0xe6, 0xf4));
  ram.write(4 * 1, Uint8Array.of(0, 0x30, 0, 0));
  debug.setBreakpoints(new Set([0x5000n]));
  guest.run();
  assertEquals([guest.text, guest.machine.exit], ["!", { kind: "debugExit", code: 9 }]);
  assertEquals(debug.hit, undefined);
});
