import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { InterpreterEngine } from "../../../accel/interpreter/engine.ts";
import { Driver } from "../../../harness/driver.ts";
import { serveGdb } from "../../../harness/gdb/server.ts";
import { guest, InputError } from "../../../mod.ts";
import { assemble, HALT, makeBoard } from "../../core/boards/programs.ts";
import { tiny } from "../_tiny.ts";
import { debug, GdbClient } from "./_client.ts";

/** smp.elf (fixtures/kernels/riscv64): where its parts lie. */
const PUTC = 0x80000014n, MAIN = 0x800000acn, SUM = 0x800001f8n;
const hex = (value: bigint) => value.toString(16);

Deno.test("gdb is told what there is: registers, packets, threads", async () => {
  await using vm = await tiny("smp", { cpus: 3 });
  await debug(vm, async (gdb) => {
    assertEquals(
      await gdb.ask("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386"),
      "PacketSize=4000;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+;qXfer:features:read+;" +
        "qXfer:threads:read+",
    );
    const xml = await gdb.ask("qXfer:features:read:target.xml:0,ffff");
    assertMatch(xml, /^l<\?xml version="1.0"\?>/);
    for (const feature of ["cpu", "fpu", "csr"]) assertStringIncludes(xml, `org.gnu.gdb.riscv.${feature}`);
    for (const name of ["zero", "fp", "pc", "ft11", "fcsr", "mstatus", "satp", "stimecmp"]) {
      assertMatch(xml, new RegExp(`<reg name="${name}" `));
    }
    assertEquals(await gdb.ask("qXfer:features:read:target.xml:0,10"), `m${xml.slice(1, 17)}`);
    assertEquals(await gdb.ask("qXfer:features:read:target.xml:100000,10"), "l");
    assertEquals(await gdb.ask("qXfer:features:read:other.xml:0,10"), "E00");
    assertEquals([await gdb.ask("qfThreadInfo"), await gdb.ask("qsThreadInfo")], ["m1,2,3", "l"]);
    assertEquals([await gdb.ask("T3"), await gdb.ask("T4"), await gdb.ask("T0")], ["OK", "E02", "E02"]);
    assertEquals(await gdb.ask("qC"), "QC1");
    assertEquals(await gdb.ask("qAttached"), "1");
    assertEquals([await gdb.ask("vMustReplyEmpty"), await gdb.ask("qOffsets")], ["", ""]);
    assertMatch(await gdb.ask("?"), /^T05thread:1;20:0000008000000000;/);
  });
});

Deno.test("registers are read and written one by one and all at once, per thread", async () => {
  await using vm = await tiny("smp", { cpus: 2 });
  await debug(vm, async (gdb) => {
    const general = await gdb.ask("g");
    assertEquals(general.length, 33 * 16);
    assertEquals(general.slice(-16), "0000008000000000"); // pc
    assertEquals(await gdb.ask("Pa=efcdab8967452301"), "OK");
    assertEquals(await gdb.ask("pa"), "efcdab8967452301");
    assertEquals(await gdb.ask(`P21=${"ff".repeat(8)}`), "OK"); // ft0
    assertEquals(await gdb.ask("Hg2"), "OK");
    assertEquals(await gdb.ask("pa"), "0100000000000000"); // the hart's number
    assertEquals(await gdb.ask(`G${"11".repeat(33 * 8)}`), "OK");
    assertEquals(await gdb.ask("p0"), "0000000000000000"); // zero stays zero
    assertEquals(await gdb.ask("Hg9"), "E02");
    for (const bad of ["p1000", "p", "Pa=12", "Pzz=0", "G00", "P"]) {
      assertMatch(await gdb.ask(bad), /^E/, bad);
    }
  });
  assertEquals(vm.cpu(0).register("a0"), 0x0123456789abcdefn);
  assertEquals(vm.cpu(0).register("ft0"), 0xffff_ffff_ffff_ffffn);
  assertEquals([vm.cpu(1).register("a0"), vm.cpu(1).pc], [0x1111111111111111n, 0x1111111111111110n]);
});

Deno.test("memory is read and written as text and as bytes, and only where there is RAM", async () => {
  await using vm = await tiny("smp");
  await debug(vm, async (gdb) => {
    assertEquals(await gdb.ask("m80000000,4"), "63040500");
    assertEquals(await gdb.ask("M80100000,4:deadbeef"), "OK");
    assertEquals(await gdb.ask("X80100004,5:#$}*\xff"), "OK");
    assertEquals(await gdb.ask("m80100000,9"), "deadbeef23247d2aff");
    assertEquals(await gdb.ask("m80fffffe,8"), "0000"); // RAM ends
    for (const outside of ["m10000000,4", "m0,1", "mffffffffffffffff,8", "M80ffffff,2:0000"]) {
      assertEquals(await gdb.ask(outside), "E0e", outside); // 10000000: a device
    }
    for (const bad of ["m", "m80000000", "mxyz,1", "M80100000,4:00", "M80100000,1:zz", "X80100000,3:a"]) {
      assertEquals(await gdb.ask(bad), "E16", bad);
    }
    assertEquals((await gdb.ask("m80000000,ffffffff")).length, 0x4000);
    assertEquals(await gdb.ask("m80000000,0"), "");
    await gdb.ask("Qqemu.PhyMemMode:1");
    assertEquals([await gdb.ask("qqemu.PhyMemMode"), await gdb.ask("m80000000,4")], ["1", "63040500"]);
  });
  assertEquals([...vm.memory.readPhysical(0x80100000, 4)], [0xde, 0xad, 0xbe, 0xef]);
});

Deno.test("a breakpoint stops before its instruction, and is not in memory", async () => {
  await using vm = await tiny("hello");
  await debug(vm, async (gdb) => {
    const code = await gdb.ask(`m${hex(PUTC)},8`);
    assertEquals(await gdb.ask(`Z0,${hex(PUTC)},4`), "OK");
    assertMatch(await gdb.ask("c"), /^T05thread:1;swbreak:;20:1400008000000000;/);
    assertEquals(await gdb.ask(`m${hex(PUTC)},8`), code);
    assertEquals(vm.console.text, "");
    assertMatch(await gdb.ask("s"), /^T05thread:1;20:1800008000000000;/); // no reason: a step
    assertEquals(await gdb.ask(`z0,${hex(PUTC)},4`), "OK");
    assertEquals(await gdb.ask(`Z1,${hex(PUTC)},4`), "OK");
    assertMatch(await gdb.ask("vCont;c"), /^T05thread:1;hwbreak:;20:1400008000000000;/);
    assertEquals(vm.console.text, "H");
    assertEquals(await gdb.ask(`z1,${hex(PUTC)},4`), "OK");
    assertEquals(await gdb.ask("vCont;c:1"), "W00");
  });
  assertEquals([vm.exit?.kind, vm.console.text], ["poweroff", "Hello from riscv64\n"]);
});

Deno.test("a step executes one instruction, a range step goes on until it is left", async () => {
  await using vm = await tiny("hello");
  await debug(vm, async (gdb) => {
    for (let count = 1; count <= 5; count++) {
      assertMatch(await gdb.ask("vCont;s:1"), /^T05/);
      assertEquals(vm.instructions, count);
    }
    const from = await gdb.pc();
    assertMatch(await gdb.ask(`vCont;r${hex(PUTC)},${hex(PUTC + 22n)}:1`), /^T05/); // not in it: one step
    assertEquals(vm.instructions, 6);
    assert(from !== await gdb.pc());
    await gdb.ask(`Z0,${hex(PUTC)},4`);
    await gdb.ask("c");
    const before = vm.instructions;
    assertMatch(
      await gdb.ask(`vCont;r${hex(PUTC)},${hex(PUTC + 20n)}:1`),
      /^T05thread:1;20:2800008000000000/,
    );
    assertEquals(vm.instructions, before + 5); // to putc's return
    await gdb.ask("c");
    await gdb.ask(`Z0,${hex(PUTC + 8n)},4`);
    assertMatch(await gdb.ask(`vCont;r${hex(PUTC)},${hex(PUTC + 20n)}:1;c`), /swbreak:;20:1c00008000000000/);
    for (const bad of ["vCont;r1:1", "vCont;x", "vCont;s:9", "vCont;", "vCont;t", "vCont;c;x"]) {
      assertMatch(await gdb.ask(bad), /^E/, bad);
    }
    assertEquals(await gdb.ask("vCont?"), "vCont;c;C;s;S;r");
  });
});

Deno.test("c and s may go on elsewhere, and signals mean nothing", async () => {
  await using vm = await tiny("hello");
  await debug(vm, async (gdb) => {
    assertMatch(await gdb.ask("S05"), /^T05/);
    assertMatch(await gdb.ask(`s${hex(PUTC)}`), /^T05thread:1;20:1800008000000000/);
    assertMatch(await gdb.ask("vCont;S0b:1;C05"), /^T05/);
    assertEquals(await gdb.ask(`C0b;${hex(MAIN)}`), "W00");
  });
  assertEquals(vm.console.text, "Hello from riscv64\n");
});

Deno.test("watchpoints stop after the access, and say which address was reached", async () => {
  await using vm = await tiny("smp", { cpus: 3 });
  await debug(vm, async (gdb) => {
    assertEquals(await gdb.ask(`Z2,${hex(SUM)},8`), "OK");
    const stop = await gdb.ask("c");
    assertMatch(stop, /^T05thread:2;watch:800001f8;20:6a01008000000000;/);
    assertEquals(await gdb.ask(`m${hex(SUM)},8`), "0100000000000000");
    assertEquals(await gdb.ask("pa"), "0100000000000000"); // of the thread that stopped
    // gdb steps past the access, which has been made: the next step is one.
    const { instructions } = vm;
    assertMatch(await gdb.ask("vCont;s:2"), /^T05thread:2;20:6a01008000000000;/);
    assertEquals(vm.instructions, instructions);
    assertMatch(await gdb.ask("vCont;s:2"), /^T05thread:2;20:6e01008000000000;/);
    assertEquals(vm.instructions, instructions + 1);
    assertMatch(await gdb.ask("c"), /^T05thread:3;watch:800001f8;/);
    assertEquals(await gdb.ask(`m${hex(SUM)},8`), "0300000000000000");
    assertEquals(await gdb.ask(`z2,${hex(SUM)},8`), "OK");
    assertEquals(await gdb.ask(`Z3,${hex(SUM + 4n)},1`), "OK");
    assertMatch(await gdb.ask("c"), /^T05thread:1;rwatch:800001fc;/); // main reads it
    assertEquals(await gdb.ask("c"), "W00");
  });
  assertEquals(vm.console.text.split("\n").at(-2), "harts 3 sum 3");
  await using other = await tiny("smp", { cpus: 2 });
  await debug(other, async (gdb) => {
    assertEquals(await gdb.ask(`Z4,${hex(SUM)},1`), "OK");
    assertMatch(await gdb.ask("c"), /^T05thread:2;awatch:800001f8;/);
    for (
      const bad of ["Z4,800001f8,0", "Z4,ffffffffffffffff,2", "Z2,0,80000000", "Z0,x,4", "Z0,1", "Z2,1,"]
    ) {
      assertEquals(await gdb.ask(bad), "E16", bad);
    }
    assertEquals([await gdb.ask("Z5,0,1"), await gdb.ask("z9,0,1")], ["", ""]);
  });
});

Deno.test("vCPUs that are stopped and stepped take the turns they would have taken", async () => {
  const obstacle = await translatorObstacle();
  for (const engine of obstacle ? ["interpreter"] as const : ["interpreter", "dbt", "auto"] as const) {
    await using plain = await tiny("smp", { cpus: 3, engine });
    await plain.waitForExit({ kind: "poweroff" });
    await using vm = await tiny("smp", { cpus: 3, engine });
    const threads = new Set<string>();
    await debug(vm, async (gdb) => {
      for (const address of [PUTC, 0x80000166n, 0x80000180n]) await gdb.ask(`Z0,${hex(address)},4`);
      for (let stop = await gdb.ask("vCont;c"); stop !== "W00"; stop = await gdb.ask("vCont;c")) {
        const thread = /^T05thread:(\d);swbreak/.exec(stop)![1];
        threads.add(thread);
        await gdb.ask(`vCont;s:${thread}`);
        await gdb.ask(`vCont;s:${thread};c`);
        await gdb.ask("vCont;s:1"); // whichever that was
      }
    });
    assertEquals([...threads], ["1", "2", "3"]);
    assertEquals(
      [vm.instructions, vm.guestTimeNs, vm.console.text, await vm.memory.sha256()],
      [plain.instructions, plain.guestTimeNs, plain.console.text, await plain.memory.sha256()],
    );
  }
});

Deno.test("Ctrl-C stops a guest that would spin for ever", async () => {
  await using vm = await tiny("spin", { cpus: 2 });
  await debug(vm, async (gdb) => {
    await gdb.send("c");
    while (vm.console.text === "") await new Promise((resolve) => setTimeout(resolve, 1));
    await gdb.sendBytes(Uint8Array.of(3));
    assertMatch(await gdb.receive(), /^T02thread:1;/);
    const { instructions } = vm;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(vm.instructions, instructions);
    await gdb.send("c");
    await gdb.send("vCtrlC");
    const replies = [await gdb.receive(), await gdb.receive()];
    assertEquals(replies.map((reply) => reply.slice(0, 3)).toSorted(), ["OK", "T02"]);
  });
});

Deno.test("the ends of a machine are told apart", async () => {
  for (const [name, end] of [["hello", "W00"], ["fault", "W02"], ["reset", "X0f"]] as const) {
    await using vm = await tiny(name);
    assertEquals(await debug(vm, (gdb) => gdb.ask("c")), end);
    assertEquals(await debug(vm, (gdb) => gdb.ask("?")), end); // for one that comes later, too
  }
});

Deno.test("a guest without hope stops first, so that it can be looked at", async () => {
  for (const [name, reason] of [["nowhere", "triple fault: hart 0"], ["echo", "hang: every vCPU waits"]]) {
    await using vm = await tiny(name as "echo");
    using _ = vm.faults.expect("triple-fault", { optional: true });
    await debug(vm, async (gdb) => {
      const note = await gdb.ask("c");
      const text = new TextDecoder().decode(
        Uint8Array.from(note.slice(1).match(/../g)!, (b) => parseInt(b, 16)),
      );
      assertEquals([note[0], text.slice(0, reason.length)], ["O", reason]);
      assertMatch(await gdb.receive(), /^T06thread:1;/);
      assertEquals((await gdb.ask("g")).length, 33 * 16);
      if (name === "nowhere") assertEquals(await gdb.ask("c"), "X06");
    });
  }
});

Deno.test("a wait that would end by a crash stops in gdb first", async () => {
  const board = await makeBoard({ kernel: assemble(HALT) });
  const driver = new Driver(board, new InterpreterEngine(), "exit");
  driver.judge = (ending) =>
    board.machine.clock.instructions > 0 ? { kind: "panic", detail: "Oops" } : ending;
  await using server = await serveGdb(driver, "riscv64");
  using gdb = await GdbClient.attach(server);
  const exit = driver.advance(() => false, {});
  assertEquals(await gdb.ask("c"), "O74686520677565737420637261736865643a204f6f70730a"); // the guest crashed: Oops
  assertMatch(await gdb.receive(), /^T06thread:1;/);
  assertEquals((await gdb.ask("g")).length, 33 * 16);
  await gdb.send("c");
  assertEquals(await exit, { kind: "panic", detail: "Oops" });
  await gdb.sendBytes(Uint8Array.of(3));
  assertMatch(await gdb.receive(), /^T02/);
  assertEquals(await gdb.ask("D"), "OK");
  await driver.close();
});

Deno.test("a reset by the guest is passed over where it starts over", async () => {
  await using vm = await tiny("reset", { onReset: "reboot" });
  await debug(vm, async (gdb) => {
    await gdb.ask(`Z0,${hex(MAIN)},4`);
    for (let i = 0; i < 3; i++) {
      assertMatch(await gdb.ask("c"), /^T05thread:1;swbreak:;/);
      await gdb.ask("s");
    }
  });
  assertEquals(vm.console.text.match(/resetting/g)?.length, 2);
});

Deno.test("monitor commands say what gdb does not know", async () => {
  await using vm = await tiny("smp", { cpus: 2 });
  await debug(vm, async (gdb) => {
    await gdb.ask(`Z0,${hex(PUTC)},4`);
    await gdb.ask("c");
    const help = await gdb.monitor("help");
    for (const name of ["info registers", "info time", "info instructions", "reset", "phys"]) {
      assertMatch(help, new RegExp(`^monitor ${name} `, "m"));
    }
    assertEquals(await gdb.monitor("info instructions"), `${vm.instructions}\n`);
    assertStringIncludes(await gdb.monitor("info time"), `(${vm.guestTimeNs} ns)`);
    const registers = await gdb.monitor("info  registers");
    assertMatch(registers, /^vCPU 0, machine mode\n/);
    assertMatch(registers, /^pc +0x0000000080000014$/m);
    assertMatch(registers, /^mhartid +0x0{16}$/m);
    assertMatch(await gdb.monitor("info cpus"), /^vCPU 1: pc 0x0000000080000000, machine mode, running$/m);
    assertEquals(await gdb.monitor("phys"), "Memory is read by virtual address.\n");
    assertEquals(await gdb.monitor("phys on"), "Memory is read by physical address.\n");
    assertStringIncludes(await gdb.monitor("phys maybe"), `not "maybe"`);
    assertStringIncludes(await gdb.monitor("inof time"), `There is no monitor command "inof time".`);
    await gdb.monitor("reset");
    assertEquals(await gdb.pc(), 0x80000000n);
    assertEquals(await gdb.ask("qRcmd,7"), "E16");
  });
});

Deno.test("detaching gives the machine back to the test, without a breakpoint left", async () => {
  await using vm = await tiny("hello");
  await using server = await vm.gdb();
  const closed = server.closed;
  using gdb = await GdbClient.attach(server);
  await gdb.ask(`Z0,${hex(PUTC)},4`);
  await gdb.ask("Z2,80000000,100");
  await gdb.ask("c");
  assertEquals([await gdb.ask("D"), await gdb.receive()], ["OK", "end"]);
  await closed;
  await vm.waitForExit({ kind: "poweroff" });
  assertEquals(vm.console.text, "Hello from riscv64\n");
});

Deno.test("killing pulls the plug", async () => {
  await using vm = await tiny("spin");
  assertEquals(await debug(vm, async (gdb) => [await gdb.ask("vKill;1"), await gdb.receive()]), [
    "OK",
    "end",
  ]);
  assertEquals(vm.exit, { kind: "poweroff" });
  await using other = await tiny("spin");
  assertEquals(await debug(other, (gdb) => gdb.ask("k")), "end");
  assertEquals(other.exit, { kind: "poweroff" });
});

Deno.test("a wait of the test waits for gdb to let go, and its watchdog with it", async () => {
  await using vm = await tiny("hello", { watchdog: { clock: "host", ms: 300 } });
  await using server = await vm.gdb();
  using gdb = await GdbClient.attach(server);
  const hit = vm.console.waitFor("Hello");
  await new Promise((resolve) => setTimeout(resolve, 400));
  assertEquals(vm.instructions, 0);
  await gdb.ask(`Z0,${hex(PUTC)},4`);
  assertMatch(await gdb.ask("c"), /^T05/);
  assertEquals(vm.console.text, "");
  await gdb.ask(`z0,${hex(PUTC)},4`);
  await gdb.send("c");
  assertEquals((await hit).text, "Hello");
  // It stands where the wait ended, whatever gdb thinks of it.
  const { instructions } = vm;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(vm.instructions, instructions);
  await gdb.sendBytes(Uint8Array.of(3));
  assertMatch(await gdb.receive(), /^T02/);
  const end = vm.waitForExit({ kind: "poweroff" });
  assertEquals(await gdb.ask("c"), "W00");
  await end;
});

Deno.test("a gdb that attaches in the middle of a wait stops the machine there", async () => {
  await using vm = await tiny("spin");
  await using server = await vm.gdb();
  const run = vm.run({ for: guest("1h") });
  await vm.console.waitFor("x").catch((error) => assertEquals(error.name, "InputError"));
  while (vm.instructions < 1000) await new Promise((resolve) => setTimeout(resolve, 1));
  using gdb = await GdbClient.attach(server);
  await server.attached;
  const { instructions } = vm;
  assertMatch(await gdb.ask("?"), /^T05thread:1;/);
  assertEquals(vm.instructions, instructions);
  assertEquals(await gdb.ask("k"), "end");
  assertEquals(await run, { kind: "poweroff" });
});

Deno.test("closed is a wait: the machine is not moved by two", async () => {
  await using vm = await tiny("spin");
  await using server = await vm.gdb();
  const closed = server.closed;
  assert(server.closed === closed);
  using gdb = await GdbClient.attach(server);
  await gdb.send("c");
  while (vm.instructions === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await assertRejects(() => vm.run({ for: guest("1ms") }), InputError, "Another wait");
});

Deno.test("a machine that is closed takes its gdb's leave", async () => {
  let reply: Promise<string>;
  {
    await using vm = await tiny("spin");
    const server = await vm.gdb();
    const closed = server.closed;
    const gdb = await GdbClient.attach(server);
    await gdb.send("c");
    while (vm.instructions === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    reply = gdb.receive().finally(() => gdb[Symbol.dispose]());
    closed.catch(() => {});
  }
  assertEquals(await reply, "X0f");
});

Deno.test("a machine has one gdb server at a time, at a port that is one", async () => {
  await using vm = await tiny("hello");
  {
    await using server = await vm.gdb();
    assertEquals(server.address.hostname, "127.0.0.1");
    assert(server.address.port > 0);
    await assertRejects(() => vm.gdb(), InputError, "has a gdb server already");
    await using other = await tiny("hello");
    await assertRejects(() => other.gdb({ port: server.address.port }), InputError, "the port is in use");
  }
  await using again = await vm.gdb();
  assert(again.address.port > 0);
  for (const port of [-1, 65536, 1.5]) {
    await assertRejects(() => vm.gdb({ port }), InputError, "A port is a number from 0 to 65535");
  }
});
