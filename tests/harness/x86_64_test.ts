/** What only an x86_64 machine has: its ways to start, its keyboard, power button and ends. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { parseElf } from "../../core/boot/elf.ts";
import { type KernelName, kernelPath } from "../../fixtures/kernels.ts";
import { boot, type BootOptions, guest, GuestCrashError, InputError, type Vm, WaitError } from "../../mod.ts";
import { kvmTest } from "../support/kvm.ts";
import { tiny } from "./_tiny.ts";

function pc(name: KernelName<"x86_64">, options: Partial<BootOptions> = {}): Promise<Vm> {
  const kernel = kernelPath(name, "x86_64");
  return boot({ arch: "x86_64", kernel, memory: "16M", engine: "kvm", ...options });
}

/** A guest's bytes as they are in memory: a flat binary that runs at 1 MiB. */
function flat(name: KernelName<"x86_64">): Uint8Array {
  const { segments } = parseElf(Deno.readFileSync(kernelPath(name, "x86_64")), name, "x86_64");
  return segments[0].bytes;
}

kvmTest("a boot sector starts in real mode", async () => {
  await using vm = await pc("real");
  await vm.console.waitFor("Hello");
  assertEquals([vm.cpu(0).mode, vm.cpu(0).register("cs")], ["real", 0n]);
  assertEquals(await vm.waitForExit(), { kind: "debugExit", code: 16 });
  assertEquals(vm.console.text, "Hello from real mode\n");
});

kvmTest("a PVH kernel starts in protected mode and finds its command line", async () => {
  await using vm = await pc("protected", { append: "one two" });
  await vm.console.waitFor("Hello");
  assertEquals(vm.cpu(0).register("cr0") & 0x8000_0001n, 1n, "protected, without paging");
  assertEquals(await vm.waitForExit(), { kind: "debugExit", code: 32 });
  assertEquals(vm.console.text, "Hello from protected mode\ncommand line: one two\n");
});

kvmTest("an ELF kernel without a PVH note starts in 64-bit mode with Linux's boot parameters", async () => {
  const initrd = new TextEncoder().encode("a disk of one line\0");
  await using vm = await pc("long", { append: "one two", initrd });
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text.split("\n"), [
    "Hello from long mode",
    "command line: one two",
    "rsdp: 00000000000e0000",
    "initrd: a disk of one line",
    "e820: 0000000000000000 000000000009fc00 1",
    "e820: 000000000009fc00 0000000000000400 2",
    "e820: 00000000000e0000 0000000000020000 3",
    "e820: 0000000000100000 0000000000f00000 1",
    "",
  ]);
});

/** A test of a machine with more RAM than some hosts have. */
const largeTest = Deno.systemMemoryInfo().total > 6 * 2 ** 30
  ? kvmTest
  : (name: string) => Deno.test({ name: `${name} (needs 6 GiB of memory)`, ignore: true, fn: () => {} });

largeTest("RAM beyond 3 GiB goes on above 4 GiB, for the guest and for the test", async () => {
  await using vm = await pc("long", { memory: "5G" });
  await vm.waitForExit({ kind: "poweroff" });
  assertStringIncludes(vm.console.text, "e820: 0000000000100000 00000000bff00000 1\n");
  assertStringIncludes(vm.console.text, "e820: 0000000100000000 0000000080000000 1\n");
  assertEquals(vm.memory.spans, [{ base: 0, size: 3 * 2 ** 30 }, { base: 4 * 2 ** 30, size: 2 ** 31 }]);
  const high = 2 ** 32 + 0x1000;
  vm.memory.writePhysical(high, Uint8Array.of(1, 2, 3));
  assertEquals(vm.memory.readPhysical(high, 3), Uint8Array.of(1, 2, 3));
  assertThrows(() => vm.memory.readPhysical(3 * 2 ** 30 - 1, 2), InputError, "and 0x100000000 to");
});

kvmTest("a flat binary starts in the mode that it was given for", async () => {
  await using narrow = await pc("hello", { kernel: flat("protected"), cpuMode: "protected" });
  assertEquals(await narrow.waitForExit(), { kind: "debugExit", code: 32 });
  assertEquals(narrow.console.text, "Hello from protected mode\n");
  await using wide = await pc("hello", { kernel: flat("long"), cpuMode: "long" });
  assertEquals(await wide.waitForExit(), { kind: "poweroff" });
  assertEquals(wide.console.text, "Hello from long mode\n");
});

kvmTest("a wait stops in ring 3, and shows it", async () => {
  await using vm = await pc("user");
  await vm.console.waitFor("hello from ring 3");
  assertEquals(vm.cpu(0).mode, "user");
  assertEquals(vm.cpu(0).register("cs") & 3n, 3n);
  const { pc: address } = vm.cpu(0);
  assertEquals(vm.memory.read(address, 4), vm.memory.readPhysical(address, 4), "mapped onto itself");
  await vm.waitForExit({ kind: "poweroff" });
  assertStringIncludes(vm.console.text, "called ring 0 with 500500\n");
  assertEquals(vm.cpu(0).mode, "kernel");
});

kvmTest("the local APIC's timer ticks", async () => {
  await using vm = await pc("apic-timer");
  await vm.waitForExit({ kind: "poweroff" });
  assertStringIncludes(vm.console.text, "tick 5\ndone\n");
});

kvmTest("eight processors start", async () => {
  await using vm = await pc("smp", { cpus: 8 });
  await vm.console.waitFor("hello from cpu 3\n");
  const states = Array.from({ length: 8 }, (_, i) => vm.cpu(i).state);
  assertEquals(states.slice(5), ["stopped", "stopped", "stopped"], "not started yet");
  await vm.waitForExit({ kind: "poweroff" });
  assertStringIncludes(vm.console.text, "cpus 8 sum 28\n");
});

kvmTest("a machine of several processors starts over as after power-on", async () => {
  await using vm = await pc("smp", { cpus: 3 });
  await vm.console.waitFor("hello from cpu 2\n");
  vm.reset();
  assertEquals([1, 2].map((i) => vm.cpu(i).state), ["stopped", "stopped"]);
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text.match(/cpus 3 sum 3/g)?.length, 1);
});

kvmTest("keys are pressed and let go, and text is typed, as a PC keyboard sends it", async () => {
  await using vm = await pc("keyboard");
  await vm.console.waitFor("keyboard ready\n");
  await vm.keyboard.press("a");
  await vm.keyboard.press("ctrl-alt-delete");
  await vm.keyboard.type("Hi");
  await vm.keyboard.press("escape");
  await vm.waitForExit({ kind: "poweroff" });
  const codes = Array.from(vm.console.text.matchAll(/key (\d+)\n/g), ([, code]) => Number(code));
  assertEquals(codes, [
    ...[0x1e, 0x9e],
    ...[0x1d, 0x38, 0xe0, 0x53, 0xe0, 0xd3, 0xb8, 0x9d],
    ...[0x2a, 0x23, 0xa3, 0xaa, 0x17, 0x97],
    ...[0x01, 0x81],
  ]);
  assert(vm.timeline.events.some(({ kind, text }) => kind === "type" && text === "ctrl-alt-delete"));
});

kvmTest("keys that the guest does not read fail the wait", async () => {
  await using vm = await pc("spin");
  const error = await assertRejects(
    () => vm.keyboard.type("hello, hello, hello", { within: guest("50ms") }),
    WaitError,
  );
  assertStringIncludes(error.message, 'to read "hello, hello, hello" from the keyboard');
});

kvmTest("a key that is none is refused before the machine moves", async () => {
  await using vm = await pc("keyboard");
  await assertRejects(() => vm.keyboard.press("ctlr-c"), InputError, "Did you mean ctrl-c?");
  assertEquals(vm.guestTimeNs, 0);
});

kvmTest("the power button is heard by a guest that listens", async () => {
  await using vm = await pc("button");
  await vm.console.waitFor("press the button\n");
  await vm.run({ for: guest("20ms") });
  assertEquals(vm.exit, undefined);
  vm.pressPowerButton();
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text, "press the button\npressed\n");
});

kvmTest("a panic that the guest reports by pvpanic ends the wait as a crash", async () => {
  await using vm = await pc("pvpanic");
  const error = await assertRejects(() => vm.console.waitFor("all is well"), GuestCrashError);
  assertEquals(error.exit.kind, "panic");
  assertStringIncludes(error.message, "pvpanic");
  await using wanted = await pc("pvpanic");
  assertEquals((await wanted.waitForExit({ kind: "panic" })).kind, "panic");
});

kvmTest("a storm of device accesses spends its budget", async () => {
  await using vm = await pc("storm");
  assertEquals((await vm.waitForExit({ within: guest("100ms") })).kind, "guestBudget");
  assert(vm.statistics.exitsDevice > 10, "it reached the bus");
});

kvmTest("floating-point registers are shown and written", async () => {
  await using vm = await pc("spin");
  await vm.console.waitFor("spinning\n");
  const cpu = vm.cpu(0);
  assertEquals(cpu.register("mxcsr"), 0x1f80n);
  cpu.setRegister("xmm15", 2n ** 127n + 5n);
  await vm.run({ for: guest("5ms") });
  assertEquals(cpu.register("xmm15"), 2n ** 127n + 5n);
  assertEquals(cpu.register("xmm14"), 0n);
});

Deno.test("a keyboard and a power button are only there where the board has them", async () => {
  await using vm = await tiny("spin");
  assertThrows(() => vm.keyboard, InputError, "type at vm.console instead");
  assertThrows(() => vm.pressPowerButton(), InputError, "vm.poweroff() pulls the plug");
});

/** Boots with what cannot be; gives the one sentence of the refusal. */
async function refusal(options: Record<string, unknown>): Promise<string> {
  const given = { arch: "x86_64", kernel: kernelPath("hello", "x86_64"), memory: "16M", engine: "kvm" };
  const error = await assertRejects(() => boot({ ...given, ...options } as BootOptions), InputError);
  assertEquals(error.message.includes("\n"), false);
  return error.message;
}

Deno.test("options that an architecture does not take are refused", async () => {
  const riscv = { arch: "riscv64", kernel: kernelPath("hello"), engine: "interpreter" };
  assertStringIncludes(await refusal({ ...riscv, cpuMode: "long" }), "riscv64 machine takes no cpuMode");
  assertStringIncludes(await refusal({ ...riscv, cpuModel: "x86-64" }), "riscv64 machine takes no cpuModel");
  assertStringIncludes(await refusal({ firmware: "x" }), "x86_64 machine takes no firmware");
  assertStringIncludes(await refusal({ cpuMode: "loong" }), "Did you mean long?");
  assertStringIncludes(await refusal({ cpuModel: "host2" }), "Did you mean host?");
});

Deno.test("an architecture's other names lead to its own", async () => {
  for (const arch of ["amd64", "x86-64", "AMD64", "x64"]) {
    assertStringIncludes(await refusal({ arch }), "here it is called x86_64");
  }
  assertStringIncludes(await refusal({ arch: "rv64" }), "here it is called riscv64");
  assertStringIncludes(await refusal({ arch: "arm64" }), "There is: riscv64, x86_64.");
});

kvmTest("images and sizes that a PC cannot be made of are refused", async () => {
  assertStringIncludes(await refusal({ cpuMode: "long" }), "leave cpuMode out");
  assertStringIncludes(await refusal({ cpus: 9 }), "1 to 8 vCPUs");
  assertStringIncludes(await refusal({ memory: "1M" }), "2 MiB of RAM or more");
  assertStringIncludes(await refusal({ kernel: kernelPath("hello") }), "riscv64");
  assertStringIncludes(await refusal({ initrd: new Uint8Array() }), "is empty");
  assertStringIncludes(await refusal({ initrd: new Uint8Array(16 << 20).fill(1) }), "more memory");
  assertStringIncludes(await refusal({ append: "x".repeat(70_000) }), "shorten it");
});
