import { assertEquals } from "@std/assert";
import { x86_64 } from "../../../../core/decoder/x86/isa.ts";
import { realModeSegment, type X86Registers } from "../../../../core/decoder/x86/registers.ts";
import type { X86Vcpu } from "../../../../core/decoder/x86/vcpu.ts";
import { Machine } from "../../../../core/machine.ts";
import { plainMemory } from "../../../../core/memory.ts";

function vcpu(changes: Partial<X86Registers> = {}): X86Vcpu {
  const options = { isa: x86_64, memory: plainMemory, ramBase: 0, ramSize: 1 << 20, vcpus: 2 };
  const made = new Machine(options).vcpus[0] as X86Vcpu;
  made.holder.write({ ...made.holder.read(), ...changes });
  return made;
}

const segment = (changes: object) => ({ ...realModeSegment(0), ...changes });

Deno.test("after power-on it is at the reset vector, in real mode", () => {
  const fresh = vcpu();
  assertEquals([fresh.register("pc"), fresh.register("rip"), fresh.register("cs")], [
    0xffff_fff0n,
    0xfff0n,
    0xf000n,
  ]);
  assertEquals([fresh.mode, fresh.waiting, fresh.stopped], ["real", false, false]);
});

Deno.test("the program counter has the code segment's base, except in 64-bit code", () => {
  const cs = segment({ base: 0x1_0000n, selector: 0x1000 });
  const real = vcpu({ cs, rip: 0x20n });
  assertEquals(real.register("pc"), 0x1_0020n);
  real.setRegister("pc", 0x1_0100n);
  assertEquals(real.register("rip"), 0x100n);
  const long = vcpu({ cs: { ...cs, l: 1 }, efer: 0x500n, rip: 0xffff_ffff_8100_0000n });
  assertEquals(long.register("pc"), 0xffff_ffff_8100_0000n);
});

Deno.test("modes have names", () => {
  const cr0 = 0x8000_0011n;
  assertEquals(vcpu({ cr0, ss: segment({ dpl: 0 }) }).mode, "kernel");
  assertEquals(vcpu({ cr0, ss: segment({ dpl: 3 }) }).mode, "user");
  assertEquals(vcpu({ cr0, rflags: 1n << 17n | 2n }).mode, "virtual-8086");
});

Deno.test("what it is doing shows", () => {
  const states = (["running", "halted", "stopped", "initialized"] as const).map((activity) => {
    const { waiting, stopped } = vcpu({ activity });
    return [waiting, stopped];
  });
  assertEquals(states, [[false, false], [true, false], [false, true], [false, true]]);
});

Deno.test("every register that it lists can be read, within its width, and most can be written", () => {
  const one = vcpu();
  for (const { name, bits } of one.registers()) {
    const value = one.register(name);
    assertEquals(typeof value === "bigint" && value < 1n << BigInt(bits), true, name);
  }
  for (
    const name of ["rax", "r15", "rip", "rflags", "cr3", "efer", "dr7", "fs_base", "gs_base", "xmm7", "st3"]
  ) {
    assertEquals(one.setRegister(name, 0x1234n), true, name);
    assertEquals(one.register(name), 0x1234n, name);
  }
  assertEquals([one.register("eax"), one.setRegister("nothing", 0n)], [undefined, false]);
});

Deno.test("floating-point registers are what the XSAVE area says, and mark it as theirs", () => {
  const one = vcpu();
  assertEquals([one.register("fctrl"), one.register("mxcsr")], [0x40n, 0x1f80n], "as after power-on");
  const pattern = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210n;
  one.setRegister("xmm15", pattern);
  one.setRegister("st7", pattern & (1n << 80n) - 1n);
  const { xsave } = one.holder.read();
  assertEquals(xsave.slice(160 + 15 * 16, 160 + 15 * 16 + 4), Uint8Array.of(0x10, 0x32, 0x54, 0x76));
  assertEquals(one.register("st7"), pattern & (1n << 80n) - 1n);
  assertEquals(one.register("xmm15"), pattern);
  assertEquals(xsave[512] & 3, 3);
});

Deno.test("what it saves is a value of its own", () => {
  const one = vcpu({ rax: 5n });
  const saved = one.save();
  one.setRegister("rax", 6n);
  one.holder.read().xsave[0] ^= 0xff;
  assertEquals([saved.rax, saved.xsave[0]], [5n, 0x40]);
});
