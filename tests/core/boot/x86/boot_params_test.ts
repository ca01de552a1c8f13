import { assertEquals, assertThrows } from "@std/assert";
import { bootParams } from "../../../../core/boot/x86/boot_params.ts";
import { E820_ACPI, E820_RAM, type E820Entry } from "../../../../core/boot/x86/e820.ts";
import { noise } from "../images.ts";

const memoryMap: readonly E820Entry[] = [
  { start: 0, bytes: 0x9fc00, type: E820_RAM },
  { start: 0xe0000, bytes: 0x20000, type: E820_ACPI },
  { start: 2 ** 32, bytes: 2 ** 33, type: E820_RAM },
];
const common = { commandLine: 0x20000, commandLineBytes: 7, memoryMap, rsdp: 0xe0000 };
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer);

Deno.test("a kernel finds command line, ACPI and the memory map", () => {
  const bytes = bootParams(common);
  const view = viewOf(bytes);
  assertEquals(bytes.length, 4096);
  assertEquals(view.getUint32(0x228, true), 0x20000);
  assertEquals(view.getBigUint64(0x070, true), 0xe0000n);
  assertEquals(view.getUint8(0x1e8), 3);
  const entries = [0, 1, 2].map((i) => {
    const at = 0x2d0 + 20 * i;
    return [view.getBigUint64(at, true), view.getBigUint64(at + 8, true), view.getUint32(at + 16, true)];
  });
  assertEquals(entries, [[0n, 0x9fc00n, 1], [0xe0000n, 0x20000n, 3], [2n ** 32n, 2n ** 33n, 1]]);
  assertEquals([view.getUint32(0x218, true), view.getUint32(0x21c, true)], [0, 0], "no initrd");
});

Deno.test("a bare vmlinux gets a setup header, a bzImage keeps its own", () => {
  const made = viewOf(bootParams(common));
  assertEquals([made.getUint16(0x1fe, true), made.getUint32(0x202)], [0xaa55, 0x48647253]);
  assertEquals([made.getUint16(0x206, true), made.getUint32(0x238, true)], [0x020f, 7]);
  assertEquals([made.getUint8(0x210), made.getUint8(0x211) & 1], [0xff, 1]);

  const setupHeader = noise(123);
  const kept = bootParams({ ...common, setupHeader });
  assertEquals(kept.slice(0x230, 0x260), setupHeader.slice(0x230 - 0x1f1, 0x260 - 0x1f1));
  assertEquals(kept[0x211], setupHeader[0x211 - 0x1f1] | 1);
});

Deno.test("an initrd above 4 GiB has its upper halves", () => {
  const start = 2 ** 33 + 0x5000, end = start + 2 ** 32 + 3;
  const view = viewOf(bootParams({ ...common, initrd: { start, end } }));
  assertEquals([view.getUint32(0x218, true), view.getUint32(0x0c0, true)], [0x5000, 2]);
  assertEquals([view.getUint32(0x21c, true), view.getUint32(0x0c4, true)], [3, 1]);
});

Deno.test("a memory map that does not fit is refused", () => {
  const long = Array.from({ length: 129 }, (_, i) => ({ start: i * 4096, bytes: 4096, type: E820_RAM }));
  assertThrows(() => bootParams({ ...common, memoryMap: long }), RangeError);
});
