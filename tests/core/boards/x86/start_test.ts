import { assertEquals } from "@std/assert";
import { BOOT_STACK, GDT, PAGE_TABLES } from "../../../../core/boards/x86/address_map.ts";
import { entryRegisters, startTables } from "../../../../core/boards/x86/start.ts";
import { walkPages } from "../../../../core/decoder/x86/page_walk.ts";

Deno.test("real mode begins as a boot sector does, and needs nothing in memory", () => {
  assertEquals(startTables("real"), []);
  const registers = entryRegisters("real", { entry: 0x7c00 });
  assertEquals([registers.cs.selector, registers.cs.base, registers.rip], [0, 0n, 0x7c00n]);
  assertEquals([registers.cr0 & 0x8000_0001n, registers.efer], [0n, 0n]);
  assertEquals(registers.cs.type & 8, 8, "code");
});

Deno.test("protected mode begins with flat segments, without paging, EBX the start information", () => {
  const registers = entryRegisters("protected", { entry: 0x100_0040, rbx: 0x6000 });
  assertEquals([registers.rip, registers.rbx], [0x100_0040n, 0x6000n]);
  assertEquals(registers.cr0 & 0x8000_0001n, 1n);
  assertEquals([registers.cr4, registers.efer, registers.rflags], [0n, 0n, 2n]);
  const { cs, ds, es, ss } = registers;
  assertEquals([cs.base, cs.limit, cs.db, cs.l, cs.type & 8], [0n, 0xffff_ffff, 1, 0, 8]);
  for (const data of [ds, es, ss]) assertEquals([data.base, data.limit, data.db], [0n, 0xffff_ffff, 1]);
});

Deno.test("long mode begins with the first 4 GiB mapped onto themselves, RSI the boot parameters", () => {
  const registers = entryRegisters("long", { entry: 0x100_0000, rsi: 0x7000 });
  assertEquals([registers.rip, registers.rsi, registers.rsp], [0x100_0000n, 0x7000n, BigInt(BOOT_STACK)]);
  assertEquals([registers.cs.selector, registers.ds.selector], [0x10, 0x18], "as the boot protocol wants");
  assertEquals([registers.cs.l, registers.cs.db], [1, 0]);
  assertEquals(registers.efer, 0x500n);
  assertEquals(registers.rflags & 1n << 9n, 0n, "interrupts are off");

  const tables = startTables("long");
  const read = (address: number, size: 4 | 8) => {
    const table = tables.find(({ address: at, bytes }) =>
      address >= at && address + size <= at + bytes.length
    );
    return table && new DataView(table.bytes.buffer).getBigUint64(address - table.address, true);
  };
  for (const address of [0n, 0x1234n, 0x7fff_ffffn, 0xfee0_0020n, 0xffff_ffffn]) {
    assertEquals(walkPages(registers, address, read), Number(address));
  }
  assertEquals(walkPages(registers, 0x1_0000_0000n, read), undefined);
});

Deno.test("the descriptors in memory are those that the segment registers hold", () => {
  for (const mode of ["protected", "long"] as const) {
    const registers = entryRegisters(mode, { entry: 0 });
    const [{ address, bytes }] = startTables(mode);
    assertEquals([registers.gdt.base, registers.gdt.limit], [BigInt(address), bytes.length - 1]);
    const view = new DataView(bytes.buffer);
    for (const name of ["cs", "ds"] as const) {
      const descriptor = view.getBigUint64(registers[name].selector, true);
      const bit = (n: bigint) => Number(descriptor >> n & 1n);
      const { type, l, db, g, present } = registers[name];
      assertEquals([Number(descriptor >> 40n & 15n), bit(53n), bit(54n), bit(55n), bit(47n)], [
        type,
        l,
        db,
        g,
        present,
      ]);
    }
  }
});

Deno.test("what the board leaves in low memory does not overlap", () => {
  const spans = startTables("long").map(({ address, bytes }) => [address, address + bytes.length]);
  assertEquals(spans.map(([start]) => start), [GDT, PAGE_TABLES]);
  assertEquals(BOOT_STACK <= PAGE_TABLES, true);
  assertEquals(spans[0][1] <= 0x6000, true);
  assertEquals(spans[1][1] <= 0x2_0000, true, "below the command line");
});
