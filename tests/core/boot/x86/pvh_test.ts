import { assertEquals } from "@std/assert";
import { startInfo } from "../../../../core/boot/x86/pvh.ts";

const memoryMap = [{ start: 0, bytes: 0x9fc00, type: 1 }, { start: 2 ** 32, bytes: 2 ** 33, type: 1 }];
const common = { address: 0x6000, commandLine: 0x20000, memoryMap, rsdp: 0xe0000 };

Deno.test("a PVH kernel finds command line, ACPI and the memory map", () => {
  const view = new DataView(startInfo(common).buffer);
  assertEquals([view.getUint32(0, true), view.getUint32(4, true)], [0x336ec578, 1]);
  assertEquals([view.getUint32(12, true), view.getBigUint64(16, true)], [0, 0n], "no module");
  assertEquals([view.getBigUint64(24, true), view.getBigUint64(32, true)], [0x20000n, 0xe0000n]);
  const map = Number(view.getBigUint64(40, true)) - 0x6000;
  assertEquals(view.getUint32(48, true), 2);
  assertEquals(
    [view.getBigUint64(map + 24, true), view.getBigUint64(map + 32, true), view.getUint32(map + 40, true)],
    [2n ** 32n, 2n ** 33n, 1],
  );
});

Deno.test("an initrd is its first module", () => {
  const view = new DataView(startInfo({ ...common, initrd: { start: 0x500_0000, end: 0x500_1234 } }).buffer);
  assertEquals(view.getUint32(12, true), 1);
  const module = Number(view.getBigUint64(16, true)) - 0x6000;
  assertEquals([view.getBigUint64(module, true), view.getBigUint64(module + 8, true)], [
    0x500_0000n,
    0x1234n,
  ]);
});
