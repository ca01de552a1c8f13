import { assertEquals, assertThrows } from "@std/assert";
import { AddressSpace, type KernelImage } from "../../../harness/kernel/address_space.ts";
import { KERNEL_ARCHS, type KernelArch } from "../../../harness/kernel/arch/arch.ts";
import { KernelInsightError } from "../../../harness/kernel/kernel_insight_error.ts";
import { PageTables } from "../../../harness/kernel/page_tables.ts";
import { PhysicalMemory } from "../../../harness/kernel/physical_memory.ts";
import { ram } from "./_kallsyms.ts";

const BASE = 0x8000_0000;
const MIB = 1 << 20;

/** Entries as the manuals write them: of a table, of the smallest page, and of a larger one. */
const WRITERS: Readonly<Record<KernelArch, Record<"table" | "page" | "large", (at: number) => bigint>>> = {
  riscv64: {
    table: (at) => BigInt(at) >> 12n << 10n | 0x1n,
    page: (at) => BigInt(at) >> 12n << 10n | 0xcfn | 3n << 61n, // Svpbmt's bits above the address
    large: (at) => BigInt(at) >> 12n << 10n | 0xcfn,
  },
  arm64: {
    table: (at) => BigInt(at) | 0x3n | 1n << 60n,
    page: (at) => BigInt(at) | 0x703n | 3n << 53n,
    large: (at) => BigInt(at) | 0x701n | 3n << 53n,
  },
  x86_64: {
    table: (at) => BigInt(at) | 0x67n,
    page: (at) => BigInt(at) | 0x163n | 1n << 63n,
    large: (at) => BigInt(at) | 0x1e3n | 1n << 63n | 1n << 12n, // PAT is bit 12 here
  },
};

function make() {
  const span = ram(32 * MIB, BASE);
  const memory = new PhysicalMemory([span]);
  const entry = (table: number, index: number, value: bigint) =>
    span.view.setBigUint64(table - BASE + index * 8, value, true);
  return { span, memory, entry };
}

for (const arch of Object.keys(KERNEL_ARCHS) as KernelArch[]) {
  const row = KERNEL_ARCHS[arch], write = WRITERS[arch];
  for (const format of row.formats) {
    Deno.test(`${arch}, ${format.name}: translates pages, larger ones, and nothing else`, () => {
      const { memory, entry } = make();
      const { levels, pageBits, addressBits } = format;
      const indexBits = pageBits - 3;
      const tableBytes = 2 ** pageBits;
      const root = BASE + MIB;
      // Every table's last entry leads on, so that the last page of all is mapped.
      const lastIndex = (level: number) =>
        2 ** Math.min(indexBits, addressBits - pageBits - level * indexBits) - 1;
      let table = root;
      for (let level = levels - 1; level > 0; level--) {
        entry(table, lastIndex(level), write.table(table + tableBytes));
        if (level === 1) entry(table, lastIndex(level) - 1, write.large(BASE));
        table += tableBytes;
      }
      const page = BASE + 8 * MIB;
      entry(table, lastIndex(0), write.page(page));
      const tables = new PageTables(memory, row, format, root);
      const top = (1n << 64n) - BigInt(tableBytes);
      assertEquals(tables.translate(top), page);
      assertEquals(tables.translate(top + 0x123n), page + 0x123);
      assertEquals(tables.bytesLeft, tableBytes - 0x123);
      assertEquals(tables.translate(top - 1n), undefined);
      assertEquals(tables.translate(top ^ 1n << 63n), undefined);
      // A larger page's own address is a multiple of its size; others are cut to one.
      const large = 2 ** (pageBits + indexBits);
      const start = (1n << 64n) - 2n * BigInt(large);
      const aligned = BASE - BASE % large;
      assertEquals(tables.translate(start + 0x4567n), aligned + 0x4567);
      assertEquals(tables.bytesLeft, large - 0x4567);
    });
  }
}

Deno.test("riscv64: an Svnapot entry maps 64 KiB", () => {
  const { memory, entry } = make();
  const root = BASE + MIB;
  entry(root, 511, WRITERS.riscv64.table(root + 0x1000));
  entry(root + 0x1000, 511, WRITERS.riscv64.table(root + 0x2000));
  const napot = 1n << 63n | BigInt(BASE + 0x8000) >> 12n << 10n | 0xcfn;
  for (let i = 496; i < 512; i++) entry(root + 0x2000, i, napot);
  const tables = new PageTables(memory, KERNEL_ARCHS.riscv64, KERNEL_ARCHS.riscv64.formats[0], root);
  assertEquals(tables.translate((1n << 64n) - 0x2ffcn), BASE + 0xd004);
});

Deno.test("tables that point out of RAM, or at themselves, map nothing", () => {
  const { memory, entry } = make();
  const root = BASE + MIB;
  const { riscv64 } = KERNEL_ARCHS;
  for (const target of [root, 0x1000, 2 ** 51]) {
    entry(root, 511, WRITERS.riscv64.table(target));
    const tables = new PageTables(memory, riscv64, riscv64.formats[2], root);
    assertEquals(tables.translate((1n << 64n) - 1n), undefined);
  }
});

function image(overrides: Partial<KernelImage> = {}): KernelImage {
  const start = 0xffffffff80000000n;
  return {
    start,
    end: start + 0x10_0000n,
    offset: BigInt(BASE) - start,
    landmark: start + 0x1000n,
    rootTable: start + 0x8_0000n,
    ...overrides,
  };
}

Deno.test("before the page tables are set up, the kernel's image can be read and nothing else", () => {
  const { memory, span } = make();
  const { start, end } = image();
  const space = new AddressSpace(memory, KERNEL_ARCHS.riscv64, image());
  assertEquals(space.tablesReady, false);
  span.u8.set(new TextEncoder().encode("hello\0"), 0x2000);
  assertEquals(space.text(start + 0x2000n), "hello");
  assertEquals(space.value(start + 0x2000n, 2), 0x6568n);
  assertEquals(space.read(end - 4n, 4).length, 4);
  const error = assertThrows(() => space.read(end - 4n, 5), KernelInsightError);
  assertEquals(
    error.message,
    "Kernel address 0xffffffff80100000 cannot be read: the kernel has not set up its page tables yet. What lies in " +
      "its image, 0xffffffff80000000 to 0xffffffff800fffff, can be.",
  );
  const unknown = new AddressSpace(memory, KERNEL_ARCHS.riscv64, image({ rootTable: undefined }));
  assertThrows(() => unknown.read(end, 1), KernelInsightError, "do not say where its page tables are");
});

Deno.test("once they map the image to where it is, they tell all addresses", () => {
  const { memory, entry, span } = make();
  const { start } = image();
  const root = BASE + 0x8_0000;
  const { large, page, table } = WRITERS.riscv64;
  entry(root, 510, large(BASE)); // 1 GiB at the image
  entry(root, 256, table(root + 0x1000));
  entry(root + 0x1000, 0, table(root + 0x2000));
  entry(root + 0x2000, 0, page(BASE + 0x5000));
  entry(root + 0x2000, 1, page(BASE + 0x3000));
  entry(root + 0x2000, 2, page(0x1000)); // no RAM
  const space = new AddressSpace(memory, KERNEL_ARCHS.riscv64, image());
  assertEquals([space.tablesReady, space.format], [true, "Sv39"]);
  const linear = 0xffffffc000000000n;
  span.u8.set([1, 2], 0x5ffe);
  span.u8.set([3, 4], 0x3000);
  assertEquals(space.read(linear + 0xffen, 4), new Uint8Array([1, 2, 3, 4]));
  assertEquals(space.value(linear + 0xffen, 4), 0x04030201n);
  assertEquals(space.physical(start + 0x1234n), BASE + 0x1234);
  assertThrows(() => space.read(linear + 0x2000n, 1), KernelInsightError, "this machine has no RAM");
  assertThrows(() => space.read(linear + 0x3000n, 1), KernelInsightError, "is not mapped");
  assertThrows(() => space.read(0n, 1), KernelInsightError, "is not mapped");
  assertThrows(() => space.read(start, 2 ** 40), KernelInsightError, "more than can be read at once");
});
