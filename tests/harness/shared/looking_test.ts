import { assert, assertEquals, assertThrows } from "@std/assert";
import { guest, InputError } from "../../../mod.ts";
import { aWhile, sharedTest } from "./_rows.ts";

sharedTest("registers are read and written by name", async (row, tiny) => {
  await using vm = await tiny("spin");
  await vm.console.waitFor("spinning\n");
  await vm.run({ for: aWhile(row) });
  const cpu = vm.cpu(0);
  assertEquals(cpu.mode, row.mode);
  assertEquals(cpu.state, "running");
  assertEquals(cpu.register("pc"), cpu.pc);
  assert(cpu.pc >= BigInt(row.start) && cpu.pc < BigInt(row.start + 4096));
  cpu.setRegister(row.register, -1n);
  assertEquals(cpu.register(row.register), 0xffff_ffff_ffff_ffffn);
  assertEquals(cpu.registers[row.register], 0xffff_ffff_ffff_ffffn);
  assertEquals(typeof cpu.register(row.systemRegister), "bigint");
  assertThrows(() => cpu.register(`${row.systemRegister}x`), InputError, row.systemRegister);
  assertThrows(() => vm.cpu(1), InputError, "has 1");
});

sharedTest("what a test writes into registers is what the guest goes on with", async (row, tiny) => {
  await using vm = await tiny("spin");
  await vm.console.waitFor("spinning\n");
  vm.memory.writePhysical(row.spare, row.waitForNothing);
  vm.cpu(0).setRegister("pc", BigInt(row.spare));
  assertEquals((await vm.waitForExit({ within: guest("1s") })).kind, "hang");
  assert(vm.cpu(0).pc >= BigInt(row.spare));
});

sharedTest("memory is read and written by physical and virtual address", async (row, tiny) => {
  await using vm = await tiny("spin");
  await vm.console.waitFor("spinning\n");
  const { base, size, spans } = vm.memory;
  assertEquals(spans, [{ base, size }]);
  assertEquals(size, 16 << 20);
  vm.memory.writePhysical(row.spare, Uint8Array.of(1, 2, 3));
  assertEquals(vm.memory.readPhysical(row.spare, 3), Uint8Array.of(1, 2, 3));
  const straddling = row.spare + 0x1000 - 2;
  vm.memory.write(straddling, Uint8Array.of(4, 5, 6, 7));
  assertEquals(vm.memory.read(BigInt(straddling), 4), Uint8Array.of(4, 5, 6, 7));
  assertThrows(() => vm.memory.readPhysical(base + size - 1, 2), InputError, "not in RAM");
  assertThrows(() => vm.memory.writePhysical(row.noRam, new Uint8Array(1)), InputError, "not in RAM");
  assertThrows(() => vm.memory.readPhysical(base, -1), InputError);
  assertThrows(() => vm.memory.read(base, 1, { cpu: 9 }), InputError, "no vCPU 9");
});

sharedTest("a program that a test rewrites runs as rewritten", async (row, tiny) => {
  await using vm = await tiny("spin");
  await vm.console.waitFor("spinning\n");
  await vm.run({ for: aWhile(row) });
  vm.memory.write(vm.cpu(0).pc, row.waitForNothing);
  assertEquals((await vm.waitForExit()).kind, "hang");
});
