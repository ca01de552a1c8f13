/** gdb's protocol at every engine's machines, by a client that says exactly what a test wants. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { guest } from "../../../mod.ts";
import { debug, GdbClient } from "../gdb/_client.ts";
import { type Row, sharedTest, type Tiny } from "./_rows.ts";

/** A guest that spins, stopped in its loop. */
async function spinning(tiny: Tiny) {
  const vm = await tiny("spin");
  await vm.console.waitFor("spinning\n");
  await vm.run({ for: guest("5ms") });
  return vm;
}

/** The pc, of the register that it is on an architecture. */
async function pc(gdb: GdbClient, { pcNumber }: Row): Promise<bigint> {
  return BigInt(`0x${(await gdb.ask(`p${pcNumber}`)).match(/../g)!.toReversed().join("")}`);
}

sharedTest("gdb reads and writes registers and memory", async (row, tiny) => {
  await using vm = await spinning(tiny);
  await debug(vm, async (gdb) => {
    assertMatch(await gdb.ask("?"), /^T05thread:1;/);
    assertEquals(await pc(gdb, row), vm.cpu(0).pc);
    const at = row.spare.toString(16);
    assertEquals(await gdb.ask(`M${at},4:deadbeef`), "OK");
    assertEquals(await gdb.ask(`m${at},5`), "deadbeef00");
    assertEquals(await gdb.ask(`P${row.registerNumber}=efcdab8967452301`), "OK");
    assertEquals(await gdb.ask(`p${row.registerNumber}`), "efcdab8967452301");
    assertMatch(await gdb.ask("qXfer:features:read:target.xml:0,ffff"), new RegExp(row.systemRegister));
  });
  assertEquals(vm.memory.readPhysical(row.spare, 4), Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
  assertEquals(vm.cpu(0).register(row.register), 0x0123456789abcdefn);
});

sharedTest("gdb stops at a breakpoint, steps on, and lets the guest go on without it", async (row, tiny) => {
  await using vm = await spinning(tiny);
  await debug(vm, async (gdb) => {
    const target = await pc(gdb, row);
    const code = await gdb.ask(`m${target.toString(16)},8`);
    for (const type of ["0", "1"]) {
      assertEquals(await gdb.ask(`Z${type},${target.toString(16)},1`), "OK");
      const reason = type === "0" ? "swbreak" : "hwbreak";
      for (let round = 0; round < 2; round++) {
        assertMatch(await gdb.ask("vCont;c"), new RegExp(`^T05thread:1;${reason}:`));
        assertEquals(await pc(gdb, row), target);
        assertEquals(await gdb.ask(`m${target.toString(16)},8`), code);
        assertMatch(await gdb.ask("vCont;s:1"), /^T05thread:1;/);
      }
      assertEquals(await gdb.ask(`z${type},${target.toString(16)},1`), "OK");
    }
  });
  await vm.run({ for: guest("2ms") });
  assertEquals(vm.exit, undefined);
});

sharedTest("gdb interrupts a guest that is busy", async (row, tiny) => {
  await using vm = await spinning(tiny);
  await using server = await vm.gdb();
  const closed = server.closed;
  using gdb = await GdbClient.attach(server);
  const time = vm.guestTimeNs;
  await gdb.send("vCont;c");
  while (vm.guestTimeNs < time + 20e6) await new Promise((resolve) => setTimeout(resolve, 5));
  await gdb.sendBytes(Uint8Array.of(3));
  assertMatch(await gdb.receive(), /^T02thread:1;/);
  assert(await pc(gdb, row) >= BigInt(row.start));
  const stopped = vm.guestTimeNs;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(vm.guestTimeNs, stopped);
  gdb[Symbol.dispose]();
  await closed;
});

sharedTest("gdb steps every vCPU, and hears of the guest's end", async (row, tiny) => {
  await using vm = await tiny("smp", { cpus: 2 });
  await vm.console.waitFor(`hello from ${row.processor} 1\n`);
  await debug(vm, async (gdb) => {
    assertEquals(await gdb.ask("qfThreadInfo"), "m1,2");
    const before = await pc(gdb, row);
    assertMatch(await gdb.ask("vCont;s:1;c"), /^T05/);
    assertNotEquals([await pc(gdb, row), vm.console.text], [before, ""]);
    assertEquals(await gdb.ask("vCont;c"), "W00");
  });
  assertEquals(vm.exit, { kind: "poweroff" });
});
