/** Clients that are broken, rude or hostile: none may hurt the machine, and the next one is served. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodePacket, latin1Bytes } from "../../../harness/gdb/packets.ts";
import type { GdbServer } from "../../../mod.ts";
import { tiny } from "../_tiny.ts";
import { GuestRandom } from "../../support/guest_random.ts";
import { GdbClient } from "./_client.ts";

/** Whether a well-behaved gdb is served. */
async function assertServes(server: GdbServer): Promise<void> {
  using gdb = await GdbClient.attach(server);
  assertEquals((await gdb.ask("g")).length, 33 * 16);
  assertEquals(await gdb.ask("D"), "OK");
  assertEquals(await gdb.receive(), "end");
}

Deno.test("a second gdb is turned away with a sentence, and the first one goes on", async () => {
  await using vm = await tiny("hello");
  await using server = await vm.gdb();
  using first = await GdbClient.attach(server);
  using second = await GdbClient.connect(server);
  assertEquals(
    [await second.ask("qSupported:swbreak+"), await second.receive()],
    ["E.This machine is being debugged by another gdb.", "end"],
  );
  assertEquals(await first.ask("Pa=0000000000000000"), "OK");
  first[Symbol.dispose]();
  await assertServes(server);
});

Deno.test("whoever connects and says nothing stops nothing, and is no obstacle", async () => {
  await using vm = await tiny("hello");
  await using server = await vm.gdb();
  using silent = await GdbClient.connect(server);
  using half = await GdbClient.connect(server);
  await half.sendBytes(latin1Bytes("$qSupp"));
  await vm.waitForExit({ kind: "poweroff" });
  await assertServes(server);
  assert(silent !== half);
});

Deno.test("what does not speak the protocol is hung up on", async () => {
  await using vm = await tiny("hello");
  await using server = await vm.gdb();
  using browser = await GdbClient.connect(server);
  await browser.sendBytes(latin1Bytes("POST / HTTP/1.1\r\n\r\n$k#6b"));
  assertEquals(await browser.receive(), "end");
  assertEquals(vm.exit, undefined);
  await assertServes(server);
});

Deno.test("clients beyond a handful are hung up on", async () => {
  await using vm = await tiny("hello");
  await using server = await vm.gdb();
  using stack = new DisposableStack();
  const clients: GdbClient[] = [];
  for (let i = 0; i < 20; i++) clients.push(stack.use(await GdbClient.connect(server)));
  assertEquals(await clients.at(-1)!.receive(), "end");
  stack.dispose();
  await new Promise((resolve) => setTimeout(resolve, 20));
  await vm.waitForExit({ kind: "poweroff" });
  await assertServes(server);
});

Deno.test("a client may go away at any time; the machine goes on", async () => {
  const before: ((gdb: GdbClient) => Promise<unknown>)[] = [
    () => Promise.resolve(),
    (gdb) => gdb.sendBytes(latin1Bytes("$m8000")),
    (gdb) => gdb.ask("Z0,80000014,4"),
    (gdb) => gdb.ask("Z2,80000000,1000"),
    (gdb) => gdb.send("m80000000,2000"), // and never reads the reply
    (gdb) => gdb.send("c"),
    (gdb) => gdb.send("vCont;s:1"),
  ];
  for (const act of before) {
    await using vm = await tiny("hello");
    await using server = await vm.gdb();
    const exit = vm.waitForExit({ kind: "poweroff" });
    const gdb = await GdbClient.attach(server);
    await act(gdb);
    gdb[Symbol.dispose]();
    await exit;
    assertEquals(vm.console.text, "Hello from riscv64\n");
  }
});

Deno.test("damaged packets are asked for again, and a reply that was damaged is sent again", async () => {
  await using vm = await tiny("hello");
  await using server = await vm.gdb();
  const conn = await Deno.connect(server.address);
  const say = async (text: string, wanted: string) => {
    await conn.write(latin1Bytes(text));
    let got = "";
    const buffer = new Uint8Array(1000);
    while (got.length < wanted.length) {
      got += new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
    }
    assertEquals(got, wanted);
  };
  await say("$qC#00", "-");
  await say("$qC#b4", "+$QC1#c5");
  await say("-", "$QC1#c5");
  await say("+$QStartNoAckMode#b0", "+$OK#9a");
  await say("+$qC#00$qC#b4", "$QC1#c5"); // no acknowledgments any more
  conn.close();
});

Deno.test("while the machine runs, packets but those that stop it are refused", async () => {
  await using vm = await tiny("spin");
  await using server = await vm.gdb();
  using gdb = await GdbClient.attach(server);
  await gdb.send("c");
  for (const packet of ["g", "m80000000,4", "c", "vCont;s:1", "qRcmd,68656c70", "Z0,80000000,4", "?"]) {
    assertEquals(await gdb.ask(packet), "E16", packet);
  }
  await gdb.sendBytes(Uint8Array.of(3, 3, 3));
  assertMatch(await gdb.receive(), /^T02/);
  assertEquals((await gdb.ask("g")).length, 33 * 16);
});

Deno.test("random packets get a reply each or end the session, and hurt nothing", async () => {
  const random = new GuestRandom(7);
  const letters = "?gGpPmMXHTZzcsCSkDRvqQ!";
  const words = [
    ...["vCont;", "vCont;r80000000,80000020:1", "qXfer:features:read:target.xml:", "qXfer:threads:read::"],
    ...[
      "qRcmd,",
      "qThreadExtraInfo,",
      "Qqemu.PhyMemMode:",
      "vKill;",
      "qSupported:",
      "Z0,80000014,4",
      "Z2,800",
    ],
    ...[
      "X80000100,",
      "m80000000,",
      "M80000000,4:",
      "Hg",
      "Hc-1",
      "P20=",
      "G",
      "T",
      "s",
      "vCont;c",
      "vCont;s:",
    ],
  ];
  const text = (length: number) =>
    Array.from(
      { length },
      () =>
        random.oneIn(3)
          ? String.fromCharCode(random.below(256))
          : random.pick([..."0123456789abcdef,:;.=-p"]),
    ).join("");
  await using vm = await tiny("spin", { cpus: 2 });
  await using server = await vm.gdb();
  let sessions = 0, replies = 0;
  while (replies < 3000) {
    using gdb = await GdbClient.attach(server);
    sessions++;
    for (let i = 0; i < 200; i++) {
      const kind = random.below(40);
      if (kind === 0) await gdb.sendBytes(latin1Bytes(text(random.below(60)).replaceAll("$", "")));
      const packet = (kind < 20 ? random.pick(words) : random.pick([...letters])) + text(random.below(24));
      if (/^([kDR]|vKill)/.test(packet) && !random.oneIn(20)) continue;
      await gdb.sendBytes(encodePacket(packet));
      // A resumed guest, which nobody runs here, says nothing: Ctrl-C makes it.
      if (/^([csCSR]|vCont)/.test(packet)) await gdb.sendBytes(Uint8Array.of(3));
      else if (await gdb.receive() === "end") break;
      else replies++;
    }
  }
  assert(sessions < 2000);
  await assertServes(server);
});
