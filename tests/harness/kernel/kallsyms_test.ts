import { assert, assertEquals } from "@std/assert";
import type { RamView } from "../../../harness/guest_memory.ts";
import { decodeKallsyms } from "../../../harness/kernel/kallsyms.ts";
import { findKallsyms } from "../../../harness/kernel/kallsyms_tables.ts";
import type { SymbolTable } from "../../../harness/symbols/symbol_table.ts";
import { type KallsymsOrder, manySymbols, ram, writeKallsyms } from "./_kallsyms.ts";

const BASE = 0xffffffff80000000n;
const MIB = 1 << 20;

function found(span: RamView): SymbolTable[] {
  return [...findKallsyms([span])].map((tables) => decodeKallsyms(tables)!);
}

function plain(table: SymbolTable): { name: string; type: string; address: bigint }[] {
  return [...table].map(({ name, type, address }) => ({ name, type, address }));
}

for (const order of ["5.10", "6.2", "6.4"] as KallsymsOrder[]) {
  for (const offset of [0x2000, 0x2008, 0x20_0ff8]) {
    Deno.test(`finds the tables of a kernel as of ${order} at 0x${offset.toString(16)}`, () => {
      const symbols = manySymbols(BASE, [{ name: "__linux_banner", type: "D", address: BASE + 0x10_0000n }]);
      const span = ram(4 * MIB);
      writeKallsyms(span, offset, symbols, { order, base: BASE });
      const tables = found(span);
      assertEquals(tables.length, 1);
      assertEquals(plain(tables[0]), symbols);
    });
  }
}

for (const order of ["5.10", "6.4"] as KallsymsOrder[]) {
  Deno.test(`tells x86's absolute per-CPU symbols from the kernel's, in the order of ${order}`, () => {
    const symbols = manySymbols(BASE, [
      { name: "fixed_percpu_data", type: "A", address: 0n },
      { name: "cpu_number", type: "A", address: 0x1a020n },
      { name: "_end", type: "B", address: BASE + 0x300_0000n },
    ]);
    const span = ram(4 * MIB);
    writeKallsyms(span, 0x1000, symbols, { order, base: BASE, absolutePercpu: true });
    assertEquals(plain(found(span)[0]), symbols);
  });
}

Deno.test("reads names of more than 127 tokens", () => {
  const name = "Z".repeat(300);
  const span = ram(MIB);
  const symbols = manySymbols(BASE, [{ name, type: "t", address: BASE + 5n }]);
  writeKallsyms(span, 0x40, symbols, { order: "6.4", base: BASE });
  assertEquals(found(span)[0].lookup(name)?.address, BASE + 5n);
});

Deno.test("finds tables behind alphabets that are none, and two sets of them", () => {
  const span = ram(8 * MIB);
  for (let i = 0; i < 26; i++) {
    span.u8[0x100 + 2 * i] = span.u8[0x9001 + 2 * i] = 0x61 + i;
  }
  const base = BASE + 0x200_0000n;
  writeKallsyms(span, MIB, manySymbols(BASE), { order: "6.4", base: BASE });
  writeKallsyms(span, 4 * MIB, manySymbols(base), { order: "5.10", base });
  assertEquals(
    found(span).map((table) => table.lookup("sys_function_0_abcdefghijklmnopqrstuvwxyz")?.address),
    [
      BASE,
      base,
    ],
  );
});

Deno.test("symbols out of order are no kernel's", () => {
  const span = ram(MIB);
  const symbols = manySymbols(BASE);
  [symbols[3], symbols[4]] = [symbols[4], symbols[3]];
  writeKallsyms(span, 0, symbols, { order: "6.4", base: BASE });
  assertEquals(found(span).filter((table) => table !== undefined), []);
});

Deno.test("garbage is no table, and costs no time", () => {
  let seed = 12345;
  const random = () => seed = Math.imul(seed, 1103515245) + 12345 | 0;
  const whole = ram(MIB);
  writeKallsyms(whole, 0x1000, manySymbols(BASE), { order: "6.2", base: BASE });
  const start = performance.now();
  for (let round = 0; round < 100; round++) {
    const span = ram(MIB);
    span.u8.set(whole.u8);
    // Damage it anywhere, lightly or thoroughly.
    for (let i = 0; i < 1 << round % 16; i++) span.u8[0x1000 + (random() >>> 8) % 0x20000] = random() >>> 16;
    for (const tables of findKallsyms([span])) decodeKallsyms(tables);
  }
  const noise = ram(16 * MIB);
  for (let i = 0; i < noise.i32.length; i++) noise.i32[i] = random();
  assertEquals(found(noise), []);
  assert(performance.now() - start < 10_000);
});

Deno.test("RAM full of token tables whose neighbours are chosen to be searched costs no time", () => {
  const span = ram(64 * MIB);
  const one = ram(MIB);
  writeKallsyms(one, 0, manySymbols(BASE), { order: "6.4", base: BASE });
  const [{ tokenTable, tokenIndex }] = findKallsyms([one]);
  const tokens = one.u8.subarray(tokenTable, tokenIndex + 512);
  // Before each: chains that could be markers, all of them, with a count that fits.
  for (let at = 0; at < span.u8.length; at += MIB) {
    for (let word = 0; word < (MIB >> 2) - 1024; word++) {
      span.i32[(at >> 2) + word] = word % 5 === 0 ? 0 : word % 5 * 1024;
    }
    span.u8.set(tokens, at + MIB - 4096);
  }
  const start = performance.now();
  assertEquals(found(span), []);
  assert(performance.now() - start < 5_000);
});
