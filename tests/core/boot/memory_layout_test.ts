import { assertEquals, assertThrows } from "@std/assert";
import { ImageError } from "../../../core/boot/image_error.ts";
import { layOutMemory } from "../../../core/boot/memory_layout.ts";

const KIB = 1024, MIB = 1024 * KIB;
const base = { ramBase: 0x8000_0000, ramBytes: 16 * MIB, kernelFile: "Image", initrdFile: "rootfs.cpio" };

Deno.test("device tree and initrd go to the top of RAM, on pages of their own", () => {
  const layout = layOutMemory({ ...base, kernelEnd: 0x8040_0000, initrdBytes: 5000 });
  assertEquals(layout, {
    deviceTree: 0x8100_0000 - 64 * KIB,
    initrd: { start: 0x8100_0000 - 64 * KIB - 8192, end: 0x8100_0000 - 64 * KIB - 8192 + 5000 },
  });
});

Deno.test("an initrd that would lie on the kernel is refused with the sizes", () => {
  assertThrows(
    () => layOutMemory({ ...base, kernelEnd: 0x8080_0000, initrdBytes: 10 * MIB }),
    ImageError,
    "rootfs.cpio (10 MiB) does not fit beside Image in the guest's 16 MiB of RAM; give the guest more memory.",
  );
});

Deno.test("a kernel that leaves no room for the device tree is refused", () => {
  assertThrows(
    () => layOutMemory({ ...base, kernelEnd: 0x8100_0000 - 4096, initrdBytes: 0 }),
    ImageError,
    "Image needs 16.1 MiB of memory",
  );
});
