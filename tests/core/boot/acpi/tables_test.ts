import { assertEquals } from "@std/assert";
import { facs, fadt, madt, rsdp, systemTable, xsdt } from "../../../../core/boot/acpi/tables.ts";

const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => total + byte & 0xff, 0);
const text = (bytes: Uint8Array, at: number, length: number) =>
  new TextDecoder("latin1").decode(bytes.subarray(at, at + length));
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

const FADT = fadt({
  facs: 0xe0040,
  dsdt: 0xe0080,
  sci: 9,
  eventBlock: 0x600,
  controlBlock: 0x604,
  resetPort: 0xcf9,
  resetValue: 6,
  century: 0x32,
});
const MADT = madt({ vcpus: 3, localApic: 0xfee0_0000, ioApic: 0xfec0_0000, sci: 9 });

Deno.test("every table's bytes sum to zero, and its length is its own", () => {
  for (const table of [FADT, MADT, xsdt([0xe0100, 0xe0200]), systemTable("DSDT", 2, new Uint8Array(7))]) {
    assertEquals(sum(table), 0, text(table, 0, 4));
    assertEquals(viewOf(table).getUint32(4, true), table.length, text(table, 0, 4));
  }
});

Deno.test("the RSDP's two checksums cover its first 20 bytes and all of it", () => {
  const pointer = rsdp(0xe1234);
  assertEquals([text(pointer, 0, 8), pointer[15], pointer.length], ["RSD PTR ", 2, 36]);
  assertEquals([sum(pointer.subarray(0, 20)), sum(pointer)], [0, 0]);
  assertEquals(viewOf(pointer).getBigUint64(24, true), 0xe1234n);
});

Deno.test("the XSDT lists addresses of 64 bits", () => {
  const view = viewOf(xsdt([0xe0100, 2 ** 33]));
  assertEquals([view.getBigUint64(36, true), view.getBigUint64(44, true)], [0xe0100n, 2n ** 33n]);
});

Deno.test("the FACS is aligned in size and has no checksum", () => {
  assertEquals([text(facs(), 0, 4), facs().length, viewOf(facs()).getUint32(4, true)], ["FACS", 64, 64]);
});

Deno.test("the FADT says where the fixed hardware is, twice but for the FACS, and how to reset", () => {
  const view = viewOf(FADT);
  assertEquals([view.getUint32(36, true), view.getUint32(40, true)], [0xe0040, 0xe0080]);
  assertEquals([view.getBigUint64(132, true), view.getBigUint64(140, true)], [0n, 0xe0080n]);
  assertEquals([view.getUint32(56, true), view.getUint32(64, true)], [0x600, 0x604]);
  assertEquals([FADT[88], FADT[89]], [4, 2]);
  const address = (at: number) => [FADT[at], FADT[at + 1], FADT[at + 3], view.getBigUint64(at + 4, true)];
  assertEquals(address(148), [1, 32, 3, 0x600n], "ports, of 32 bits");
  assertEquals(address(172), [1, 16, 2, 0x604n]);
  assertEquals([...address(116), FADT[128]], [1, 8, 1, 0xcf9n, 6]);
  const flags = view.getUint32(112, true);
  assertEquals(flags & 1 << 4, 0, "the power button is fixed hardware");
  assertEquals(flags & 1 << 10, 1 << 10, "the reset register is there");
  assertEquals(view.getUint16(109, true) & 0b111, 0b111, "legacy devices, an 8042, no VGA");
});

Deno.test("the MADT lists processors, I/O APIC and what differs from the ISA", () => {
  const view = viewOf(MADT);
  assertEquals(view.getUint32(36, true), 0xfee0_0000);
  const entries: number[][] = [];
  for (let at = 44; at < MADT.length; at += MADT[at + 1]) {
    entries.push(Array.from(MADT.subarray(at, at + MADT[at + 1])));
  }
  const word = (value: number) => [...new Uint8Array(Uint32Array.of(value).buffer)];
  assertEquals(entries, [
    ...[0, 1, 2].map((id) => [0, 8, id, id, ...word(1)]),
    [1, 12, 0, 0, ...word(0xfec0_0000), ...word(0)],
    [2, 10, 0, 0, ...word(2), 0, 0],
    [2, 10, 0, 9, ...word(9), 0x0d, 0],
    [4, 6, 0xff, 0, 0, 1],
  ]);
});
