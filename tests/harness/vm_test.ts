import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { guest, InputError, WaitError } from "../../mod.ts";
import { tiny } from "./_tiny.ts";

Deno.test("a machine stands still until it is awaited", async () => {
  await using vm = await tiny("hello");
  assertEquals([vm.instructions, vm.guestTimeNs, vm.console.text], [0, 0, ""]);
});

Deno.test("exits are values", async () => {
  for (
    const [name, kind] of [["hello", "poweroff"], ["reset", "reset"], ["nowhere", "tripleFault"]] as const
  ) {
    await using vm = await tiny(name);
    assertEquals((await vm.waitForExit()).kind, kind);
    assertEquals(vm.exit?.kind, kind);
  }
  await using vm = await tiny("fault");
  assertEquals(await vm.waitForExit(), { kind: "debugExit", code: 2 });
});

Deno.test("only the exit that was named is a pass", async () => {
  await using vm = await tiny("fault");
  const error = await assertRejects(() => vm.waitForExit({ kind: ["poweroff", "reset"] }), WaitError);
  assertEquals(error.exit, { kind: "debugExit", code: 2 });
  assertStringIncludes(error.message, "end by poweroff or reset, but the guest ended with code 2");
});

Deno.test("a guest that resets in a loop starts over a bounded number of times", async () => {
  await using vm = await tiny("reset", { onReset: "reboot" });
  assertEquals(await vm.waitForExit(), { kind: "reset" });
  assertEquals(vm.console.text.match(/resetting/g)?.length, 17);
});

Deno.test("reset() starts the guest over; guest time goes on", async () => {
  await using vm = await tiny("hello");
  await vm.waitForExit({ kind: "poweroff" });
  const first = vm.instructions;
  vm.reset();
  assertEquals(vm.exit, undefined);
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text, "Hello from riscv64\n".repeat(2));
  assertEquals(vm.instructions, 2 * first);
});

Deno.test("poweroff() pulls the plug", async () => {
  await using vm = await tiny("spin");
  await vm.run({ for: guest("1ms") });
  vm.poweroff();
  assertEquals(vm.exit, { kind: "poweroff" });
  assertEquals(await vm.waitForExit(), { kind: "poweroff" });
});

Deno.test("run() lets exactly so much guest time pass, also for a guest that waits for nothing", async () => {
  await using vm = await tiny("echo");
  assertEquals(await vm.run({ for: guest("3s") }), undefined);
  assertEquals(vm.guestTimeNs, 3e9);
  assert(vm.instructions < 1e6);
  assertEquals(await vm.run({ for: guest("1ns") }), undefined);
  assertEquals(vm.guestTimeNs, 3e9 + 1);
});

Deno.test("run() returns the exit of a guest that ends meanwhile", async () => {
  await using vm = await tiny("hello");
  assertEquals(await vm.run({ for: guest("1s") }), { kind: "poweroff" });
});

Deno.test("registers are read and written by ABI name", async () => {
  await using vm = await tiny("spin");
  await vm.console.waitFor("spinning\n");
  await vm.run({ for: guest("1us") });
  const cpu = vm.cpu(0);
  assertEquals(cpu.mode, "machine");
  assertEquals(cpu.state, "running");
  assertEquals(cpu.register("pc"), cpu.pc);
  cpu.setRegister("a0", -1n);
  assertEquals(cpu.register("a0"), 0xffff_ffff_ffff_ffffn);
  assertEquals(cpu.registers["a0"], 0xffff_ffff_ffff_ffffn);
  assertEquals(typeof cpu.register("mstatus"), "bigint");
  assertThrows(() => cpu.register("mstatsu"), InputError, "mstatus");
  assertThrows(() => vm.cpu(1), InputError, "has 1");
});

Deno.test("every vCPU is there", async () => {
  await using vm = await tiny("smp", { cpus: 4 });
  await vm.waitForExit({ kind: "poweroff" });
  assertStringIncludes(vm.console.text, "harts 4 sum 6");
  assertEquals(vm.cpuCount, 4);
  assertEquals([0, 1, 2, 3].map((i) => vm.cpu(i).index), [0, 1, 2, 3]);
});

Deno.test("memory is read and written by physical and virtual address", async () => {
  await using vm = await tiny("spin");
  const { base, size } = vm.memory;
  vm.memory.writePhysical(base + 0x100000, Uint8Array.of(1, 2, 3));
  assertEquals(vm.memory.readPhysical(base + 0x100000, 3), Uint8Array.of(1, 2, 3));
  const straddling = base + 0x101000 - 2;
  vm.memory.write(straddling, Uint8Array.of(4, 5, 6, 7));
  assertEquals(vm.memory.read(BigInt(straddling), 4), Uint8Array.of(4, 5, 6, 7));
  assertThrows(() => vm.memory.readPhysical(base + size - 1, 2), InputError, "not in RAM");
  assertThrows(() => vm.memory.writePhysical(0, new Uint8Array(1)), InputError, "not in RAM");
  assertThrows(() => vm.memory.readPhysical(base, -1), InputError);
  assertThrows(() => vm.memory.read(base, 1, { cpu: 9 }), InputError, "no vCPU 9");
});

Deno.test("a program that a test rewrites runs as rewritten", async () => {
  await using vm = await tiny("spin");
  await vm.console.waitFor("spinning\n");
  await vm.run({ for: guest("10us") });
  // wfi; j -4
  vm.memory.write(vm.cpu(0).pc, Uint8Array.of(0x73, 0x00, 0x50, 0x10, 0x6f, 0xf0, 0xdf, 0xff));
  assertEquals((await vm.waitForExit()).kind, "hang");
});

Deno.test("a closed machine refuses everything, and a wait under way ends", async () => {
  const vm = await tiny("spin");
  const wait = assertRejects(
    () => vm.console.waitFor("never", { within: guest("1h") }),
    InputError,
    "closed",
  );
  await vm[Symbol.asyncDispose]();
  await wait;
  assertThrows(() => vm.memory.readPhysical(vm.memory.base, 1), InputError, "closed");
  assertThrows(() => vm.cpu(0).pc, InputError, "closed");
  await assertRejects(() => vm.run({ for: guest("1s") }), InputError, "closed");
  await vm[Symbol.asyncDispose]();
});

Deno.test("the second serial line is a console of its own", async () => {
  await using vm = await tiny("hello");
  await vm.waitForExit();
  assertEquals(vm.serial(0), vm.console);
  assertEquals(vm.serial(1).text, "");
  assertThrows(() => vm.serial(7), InputError, "no serial line 7");
});
