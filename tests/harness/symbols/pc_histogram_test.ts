import { assert, assertEquals } from "@std/assert";
import { PcHistogram } from "../../../harness/symbols/pc_histogram.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { symbolTable } from "../../../harness/symbols/symbol_table_builder.ts";

const symbolizer = new Symbolizer(symbolTable([
  { name: "spin_for_ever", address: 0xffffffff80001000n, size: 0x40, type: "T" },
  { name: "idle", address: 0xffffffff80002000n, size: 0x40, type: "T" },
  { name: "_end", address: 0xffffffff80003000n, type: "B" },
]));

function histogram(): PcHistogram {
  const histogram = new PcHistogram();
  for (let i = 0; i < 60; i++) histogram.add(0xffffffff80001010n + BigInt(i % 3) * 4n, "supervisor");
  for (let i = 0; i < 5; i++) histogram.add(0xffffffff80001014n, "supervisor");
  for (let i = 0; i < 25; i++) histogram.add(0x10_0000n, "user");
  for (let i = 0; i < 10; i++) histogram.add(0xffffffff80002000n, "supervisor");
  return histogram;
}

Deno.test("tells in which function a busy guest is, and where in it", () => {
  const hot = histogram();
  assertEquals(hot.samples, 100);
  assertEquals(hot.top(1, symbolizer), [{
    symbol: "spin_for_ever",
    mode: "supervisor",
    samples: 65,
    share: 0.65,
    pc: 0xffffffff80001014n,
    offset: 0x14,
  }]);
  assertEquals(hot.describe(3, symbolizer), [
    " 65 % spin_for_ever+0x14",
    " 25 % 0x100000, user mode",
    " 10 % idle+0x0",
  ]);
});

Deno.test("counts addresses where there are no symbols, and starts anew", () => {
  const hot = histogram();
  assertEquals(hot.top(2).map(({ pc, samples }) => [pc, samples]), [[0xffffffff80001014n, 25], [
    0x10_0000n,
    25,
  ]]);
  hot.clear();
  assertEquals([hot.samples, hot.top(5, symbolizer)], [0, []]);
});

Deno.test("takes bounded memory, and still counts what it knew", () => {
  const hot = new PcHistogram();
  for (let i = 0; i < 100_000; i++) hot.add(BigInt(i * 4), "user");
  for (let i = 0; i < 7; i++) hot.add(0n, "user");
  for (let i = 0; i < 100_000; i++) hot.add(5n, `mode ${i}`);
  assertEquals(hot.samples, 200_007);
  assertEquals(hot.top(1), [{
    symbol: undefined,
    mode: "user",
    samples: 8,
    share: 8 / 200_007,
    pc: 0n,
    offset: undefined,
  }]);
  assert(hot.top(1_000_000).length <= 1 << 14);
});
