import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Kernel } from "../../../harness/kernel/kernel.ts";
import { KernelInsightError } from "../../../harness/kernel/kernel_insight_error.ts";
import type { SymbolTable } from "../../../harness/symbols/symbol_table.ts";
import { symbolTable } from "../../../harness/symbols/symbol_table_builder.ts";
import { tiny } from "../_tiny.ts";
import { manySymbols, ram, type TableSymbol, writeKallsyms } from "./_kallsyms.ts";

const MIB = 1 << 20;
const BASE = 0xffffffff80000000n;
/** RAM's offset at which the fake kernel's image begins. */
const IMAGE = 2 * MIB;
const BANNER = "Linux version 6.1.0-test (somebody) #1\n";

/** What a kernel has besides functions. */
function variables(base: bigint): TableSymbol[] {
  const symbols: [string, string, bigint][] = [
    ["_stext", "T", 0n],
    ["linux_banner", "D", 0x10_0010n],
    ["saved_command_line", "D", 0x10_0100n],
    ["boot_command_line", "d", 0x10_0108n],
    ["answer", "D", 0x10_0200n],
    ["after_answer", "D", 0x10_0204n],
    ["swapper_pg_dir", "B", 0x18_0000n],
    ["_end", "B", 0x40_0000n],
  ];
  return symbols.map(([name, type, offset]) => ({ name, type, address: base + offset }));
}

/** RAM with a kernel's image that was linked to `base`: symbols, banner, a few variables, no page tables. */
function fakeKernel(base = BASE, extra = variables(base)) {
  const span = ram(16 * MIB);
  const text = (at: number, value: string) => span.u8.set(new TextEncoder().encode(value), IMAGE + at);
  writeKallsyms(span, IMAGE + 0x20_0000, manySymbols(base, extra), { order: "5.10", base });
  text(0x10_0010, BANNER);
  text(0x10_0108, "console=ttyS0 quiet\0");
  span.view.setUint32(IMAGE + 0x10_0200, 42, true);
  return span;
}

function kernelOf(span: ReturnType<typeof ram>, symbols?: SymbolTable) {
  const time = { moment: 0 };
  const target = {
    arch: "riscv64" as const,
    memory: { views: () => [span] },
    moment: () => time.moment,
    symbols,
  };
  return { kernel: new Kernel(target), time };
}

Deno.test("symbols tell address, size, bytes, text and value", () => {
  const { kernel } = kernelOf(fakeKernel());
  const banner = kernel.symbol("linux_banner");
  assertEquals([banner.address, banner.text()], [BASE + 0x10_0010n, BANNER]);
  const answer = kernel.symbol("answer");
  assertEquals([answer.size, answer.type, answer.value()], [4, "D", 42n]);
  assertEquals(answer.bytes(), new Uint8Array([42, 0, 0, 0]));
  assertEquals([answer.value(1), answer.bytes(1).length], [42n, 1]);
  assertEquals([kernel.banner(), kernel.release()], [BANNER.trimEnd(), "6.1.0-test"]);
  assertEquals(kernel.cmdline(), "console=ttyS0 quiet");
  assertEquals(kernel.memory.read(answer.address, 1), new Uint8Array([42]));
});

Deno.test("addresses get their symbols; those of programs have none", () => {
  const { kernel } = kernelOf(fakeKernel());
  assertEquals(kernel.symbolize(BASE + 0x10_0202n), "answer+0x2/0x4");
  assertEquals(kernel.symbolize(0x10400n), undefined);
  assertEquals(kernel.symbolize(BASE - 1n), undefined);
});

Deno.test("an unknown symbol's error tells those it could be", () => {
  const { kernel } = kernelOf(fakeKernel());
  const error = assertThrows(() => kernel.symbol("linux_baner"), KernelInsightError);
  assertEquals(error.message, 'This kernel has no symbol "linux_baner". Did you mean linux_banner?');
  assertEquals(kernel.findSymbol("linux_baner"), undefined);
});

Deno.test("a kernel without a log says what works all the same", () => {
  const { kernel } = kernelOf(fakeKernel());
  assertThrows(() => kernel.log(), KernelInsightError, "Symbols and memory can be read all the same");
});

Deno.test("a kernel without BTF says what is missing and what works all the same", () => {
  const { kernel } = kernelOf(fakeKernel());
  for (const look of [() => kernel.read("init_task.comm"), () => kernel.tasks(), () => kernel.mounts()]) {
    const error = assertThrows(look, KernelInsightError);
    assertStringIncludes(error.message, "no BTF: it was built without CONFIG_DEBUG_INFO_BTF");
    assertStringIncludes(error.message, "symbol(), symbolize() and log() work");
  }
  assertEquals(kernel.symbol("answer").value(), 42n);
});

Deno.test("a kernel without kallsyms says what is missing, and what to give in its place", () => {
  const span = fakeKernel();
  span.u8.fill(0, IMAGE + 0x20_0000);
  const { kernel } = kernelOf(span);
  const error = assertThrows(() => kernel.symbol("answer"), KernelInsightError);
  assertStringIncludes(error.message, "it has no kallsyms (CONFIG_KALLSYMS)");
  assertStringIncludes(error.message, "give boot() its vmlinux or System.map");
  const given = kernelOf(span, symbolTable(variables(BASE))).kernel;
  assertEquals([given.symbol("answer").value(), given.release()], [42n, "6.1.0-test"]);
});

Deno.test("of several texts like the banner, only the one where the symbols say it is counts", () => {
  const span = fakeKernel();
  for (const at of [0x10, 0x1010, 8 * MIB, 15 * MIB + 0x20]) {
    span.u8.set(new TextEncoder().encode("Linux version 0 (decoy)\n"), at);
  }
  assertEquals(kernelOf(span).kernel.release(), "6.1.0-test");
});

Deno.test("a kernel with symbols of functions alone names addresses, and says what it cannot", () => {
  const { kernel } = kernelOf(fakeKernel(BASE, [{ name: "_stext", type: "T", address: BASE }]));
  assertEquals(kernel.symbol("sys_function_7_abcdefghijklmnopqrstuvwxyz").address, BASE + 0x70n);
  assertEquals(kernel.symbolize(BASE + 0x71n), "sys_function_7_abcdefghijklmnopqrstuvwxyz+0x1/0x10");
  const error = assertThrows(() => kernel.symbol("_stext").bytes(), KernelInsightError);
  assertStringIncludes(error.message, "CONFIG_KALLSYMS_ALL");
});

Deno.test("what was found is looked for again once it has changed", () => {
  const span = fakeKernel();
  const { kernel, time } = kernelOf(span);
  assertEquals(kernel.symbol("answer").address, BASE + 0x10_0200n);
  // The kernel moves itself.
  const moved = BASE + 0x4000_0000n;
  span.u8.set(fakeKernel(moved).u8);
  time.moment++;
  assertEquals([kernel.symbol("answer").address, kernel.symbol("answer").value()], [moved + 0x10_0200n, 42n]);
  // The machine is switched off.
  span.u8.fill(0);
  time.moment++;
  assertThrows(() => kernel.symbols, KernelInsightError, "No Linux kernel was found in the guest's memory");
  span.u8.set(fakeKernel().u8);
  time.moment++;
  assertEquals(kernel.release(), "6.1.0-test");
});

Deno.test("symbols that were given are moved as the kernel was", () => {
  const moved = BASE + 0x60_0000n;
  const given = symbolTable([...manySymbols(BASE, variables(BASE)), {
    name: "only_given",
    type: "t",
    address: BASE + 0x99n,
  }]);
  const { kernel } = kernelOf(fakeKernel(moved), given);
  assertEquals(kernel.symbol("only_given").address, moved + 0x99n);
  assertEquals(kernel.symbol("answer").value(), 42n);
});

Deno.test("given symbols take the place of kallsyms, also with KASLR", () => {
  const withoutTables = fakeKernel();
  withoutTables.u8.fill(0, IMAGE + 0x20_0000, IMAGE + 0x30_0000);
  const given = symbolTable(variables(BASE));
  const { kernel, time } = kernelOf(withoutTables, given);
  assertEquals([kernel.symbol("answer").value(), kernel.memory.tablesReady], [42n, false]);
  // Page tables: 2 MiB pages at 16 MiB behind where it was linked.
  const root = IMAGE + 0x18_0000, table = root + 0x1000;
  const pointer = (at: number) => BigInt(0x8000_0000 + at) >> 12n << 10n;
  withoutTables.view.setBigUint64(root + 510 * 8, pointer(table) | 1n, true);
  for (let i = 0; i < 2; i++) {
    withoutTables.view.setBigUint64(table + (8 + i) * 8, pointer(IMAGE + i * 2 * MIB) | 0xcfn, true);
  }
  time.moment++;
  assertEquals([kernel.symbol("answer").value(), kernel.memory.tablesReady], [42n, true]);
  assertEquals(kernel.symbol("answer").address, BASE + 16n * BigInt(MIB) + 0x10_0200n);
});

Deno.test("symbols of another kernel are refused", () => {
  const all = manySymbols(BASE, variables(BASE));
  const later = all.map((symbol, i) => ({ ...symbol, address: symbol.address + (i > 700 ? 0x40n : 0n) }));
  for (
    const other of [symbolTable(later), symbolTable([{ name: "_stext", address: BASE }]), symbolTable([])]
  ) {
    const { kernel } = kernelOf(fakeKernel(), other);
    assertThrows(() => kernel.symbols, KernelInsightError, "not the one that the given symbols are of");
  }
});

Deno.test("a guest that is no Linux has no kernel", async () => {
  await using vm = await tiny("hello");
  const kernel = new Kernel({ arch: "riscv64", memory: vm.memory, moment: () => vm.instructions });
  for (const look of [() => kernel.symbol("jiffies"), () => kernel.log(), () => kernel.symbolize(BASE)]) {
    const error = assertThrows(look, KernelInsightError);
    assertStringIncludes(error.message, "No Linux kernel was found in the guest's memory");
  }
  await vm.waitForExit();
  assertThrows(() => kernel.banner(), KernelInsightError);
});

Deno.test("random memory costs no time and gives no kernel", () => {
  const span = ram(64 * MIB);
  let seed = 7;
  for (let i = 0; i < span.i32.length; i++) span.i32[i] = seed = Math.imul(seed, 1664525) + 1013904223 | 0;
  const start = performance.now();
  assertThrows(() => kernelOf(span).kernel.symbols, KernelInsightError);
  assertEquals(performance.now() - start < 2_000, true);
});
