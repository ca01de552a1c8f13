import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../../harness/errors.ts";
import { symbolTable, SymbolTableBuilder } from "../../../harness/symbols/symbol_table_builder.ts";

const KERNEL = 0xffffffff80000000n;

Deno.test("finds symbols by name and by address, whatever order they came in", () => {
  const table = symbolTable([
    { name: "schedule", address: KERNEL + 0x200n, size: 0x80, type: "T" },
    { name: "_end", address: KERNEL + 0x10000n, type: "B" },
    { name: "_start", address: KERNEL, type: "T" },
    { name: "jiffies", address: KERNEL + 0x8000n, size: 8, type: "D" },
  ]);
  assertEquals(table.size, 4);
  assertEquals(table.lookup("schedule"), {
    name: "schedule",
    address: KERNEL + 0x200n,
    size: 0x80,
    type: "T",
  });
  assertEquals(table.lookup("schedul"), undefined);
  assertEquals(table.find(KERNEL + 0x27fn), { symbol: table.lookup("schedule")!, offset: 0x7f });
  assertEquals([...table].map((symbol) => symbol.name), ["_start", "schedule", "jiffies", "_end"]);
});

Deno.test("gives what no symbol covers no name", () => {
  const table = symbolTable([
    { name: "percpu", address: 0x1000n, type: "D" },
    { name: "text", address: KERNEL, size: 0x100, type: "T" },
    { name: "_end", address: KERNEL + 0x1000n, type: "B" },
  ]);
  assertEquals(table.find(0xfffn), undefined);
  assertEquals(table.find(0x5000n)?.symbol.name, "percpu");
  assertEquals(table.find(KERNEL - 8n), undefined, "the hole between the halves is nobody's");
  assertEquals(table.find(KERNEL + 0x104n)?.symbol.name, "text", "padding belongs to what it follows");
  assertEquals(table.find(KERNEL + 0x1000n)?.offset, 0);
  assertEquals(table.find(KERNEL + 0x1001n), undefined, "the last symbol ends the table");
});

Deno.test("takes an unknown size from the next symbol", () => {
  const table = symbolTable([
    { name: "a", address: KERNEL, type: "t" },
    { name: "a_alias", address: KERNEL, type: "t" },
    { name: "b", address: KERNEL + 0x30n, type: "t" },
    { name: "far", address: KERNEL + 0x4000_0000n, type: "t" },
  ]);
  assertEquals([...table].map((symbol) => symbol.size), [0x30, 0x30, 1 << 20, 0]);
});

Deno.test("names a place as the kernel does: strong, not the linker's mark, few underscores", () => {
  const table = symbolTable([
    { name: "_stext", address: KERNEL, type: "T" },
    { name: "__do_it", address: KERNEL, type: "T" },
    { name: "weak_do_it", address: KERNEL, type: "W" },
    { name: "_do_it", address: KERNEL, type: "t" },
    { name: "_do_it_too", address: KERNEL, type: "t" },
    { name: "next", address: KERNEL + 4n, type: "t" },
  ]);
  assertEquals(table.find(KERNEL)?.symbol.name, "_do_it");
});

Deno.test("gives all symbols that share a name", () => {
  const table = symbolTable([
    { name: "cleanup", address: KERNEL + 0x100n, type: "t" },
    { name: "cleanup", address: KERNEL, type: "t" },
  ]);
  assertEquals(table.lookupAll("cleanup").map(({ address }) => address), [KERNEL, KERNEL + 0x100n]);
  assertEquals(table.lookup("cleanup")?.address, KERNEL);
});

Deno.test("moves with the kernel, except what is absolute", () => {
  const slide = 0x1e00000n;
  const table = symbolTable([
    { name: "cpu_number", address: 0x2000n, type: "D" },
    { name: "schedule", address: KERNEL, size: 0x80, type: "T" },
  ]).moved(slide);
  assertEquals(table.lookup("schedule")?.address, KERNEL + slide);
  assertEquals(table.find(KERNEL + slide + 4n), { symbol: table.lookup("schedule")!, offset: 4 });
  assertEquals(table.find(KERNEL), undefined);
  assertEquals(table.lookup("cpu_number")?.address, 0x2000n);
  assertEquals(table.moved(-slide).lookup("schedule")?.address, KERNEL);
});

Deno.test("takes names as bytes, and bounds what a hostile table may ask for", () => {
  const builder = new SymbolTableBuilder(1);
  const bytes = new TextEncoder().encode("xxschedulexx");
  builder.addBytes(bytes, 2, 10, 0xffffffff, 0x80000000, 4, "T".charCodeAt(0));
  assertEquals(builder.build().lookup("schedule")?.address, KERNEL);

  const flood = new SymbolTableBuilder();
  const long = new Uint8Array(1 << 20).fill(0x61);
  assertThrows(
    () => {
      for (let i = 0; i < 20_000; i++) flood.addBytes(long, 0, long.length, 0, i, 0, 0x74);
    },
    InputError,
    "damaged",
  );
});

Deno.test("suggests what was meant", () => {
  const names = ["schedule", "schedule_timeout", "scheduler_tick", "do_schedule", "printk", "init_task"];
  const table = symbolTable(names.map((name, i) => ({ name, address: KERNEL + BigInt(i) })));
  assertEquals(table.nearest("shcedule", 1), ["schedule"]);
  assertEquals(table.nearest("Init_Task", 1), ["init_task"]);
  assertEquals(table.nearest("schedule_time", 1), ["schedule_timeout"]);
  assertEquals(table.nearest("zzzzzzzz"), []);
});

Deno.test("holds and searches 300,000 symbols without delay", () => {
  const builder = new SymbolTableBuilder(300_000);
  for (let i = 0; i < 300_000; i++) {
    builder.add({ name: `subsystem_${i % 977}_function_${i}`, address: KERNEL + BigInt(i * 64), type: "t" });
  }
  const table = builder.build();
  const start = performance.now();
  assertEquals(table.lookup("subsystem_13_function_990")?.address, KERNEL + 990n * 64n);
  assertEquals(table.find(KERNEL + 299_999n * 64n)?.symbol.name, "subsystem_60_function_299999");
  assert(table.nearest("subsystem_13_functoin_990").includes("subsystem_13_function_990"));
  assert(performance.now() - start < 5000);
});

Deno.test("is not slowed down by a table of equal names", () => {
  const builder = new SymbolTableBuilder();
  for (let i = 0; i < 200_000; i++) builder.add({ name: "same", address: BigInt(i), type: "t" });
  const table = builder.build();
  assertEquals(table.lookup("other"), undefined);
  assertEquals(table.lookupAll("same").length, 1024);
  assertEquals(table.lookupAll("same", 200_001).length, 200_000);
});
