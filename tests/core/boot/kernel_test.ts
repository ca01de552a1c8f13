import { assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import type { ImageBytes, ImageFile } from "../../../core/boot/image_file.ts";
import { ImageError } from "../../../core/boot/image_error.ts";
import { loadKernel, placeSegments } from "../../../core/boot/kernel.ts";
import { GuestRam, plainMemory } from "../../../core/memory.ts";
import { buildElf, buildLinuxImage, bytesOf, noise } from "./images.ts";

const MIB = 2 ** 20;
const BASE = 0x8000_0000;
const load = (bytes: ImageBytes, ramBytes = 16 * MIB) =>
  loadKernel(bytes, { file: "k", arch: "riscv64", ramBase: BASE, ramBytes });
const refused = (bytes: Uint8Array, message: string, ramBytes?: number) =>
  assertRejects(() => load(bytes, ramBytes), ImageError, message);

Deno.test("a Linux Image goes to its text offset and claims the memory its header asks for", async () => {
  const kernel = await load(buildLinuxImage({ imageSize: 0x5000n, peMachine: 0x5064 }));
  assertEquals(
    [kernel.format, kernel.entry, kernel.start, kernel.end],
    ["linux", BASE + 0x200000, BASE + 0x200000, BASE + 0x205000],
  );
});

Deno.test("a compressed Image is the same kernel", async () => {
  const image = buildLinuxImage({ imageSize: 0x5000n });
  const kernel = await load(new Uint8Array(gzipSync(image)));
  assertEquals([kernel.format, kernel.segments[0].bytes], ["linux", image]);
});

/** An image file that counts how often it is read. */
class TestFile implements ImageFile {
  reads = 0;
  constructor(private readonly bytes: Uint8Array, private readonly pieceBytes: number) {}
  get length(): number {
    return this.bytes.length;
  }
  read(end: number, take: (piece: Uint8Array) => void): void {
    this.reads++;
    for (let at = 0; at < end; at += this.pieceBytes) {
      take(this.bytes.slice(at, Math.min(at + this.pieceBytes, end)));
    }
  }
}

Deno.test("an Image in a file stays there, and is read whenever it is placed", async () => {
  const image = buildLinuxImage({ imageSize: 0x5000n });
  image.set(noise(3000), 1000);
  const file = new TestFile(image, 1001);
  const kernel = await load(file);
  assertEquals([kernel.format, kernel.segments[0].bytes], ["linux", file]);
  const ram = new GuestRam(plainMemory, BASE, 4 * MIB);
  for (const fresh of [true, false]) {
    const before = file.reads;
    placeSegments(ram, kernel.segments, fresh);
    assertEquals(file.reads, before + 1);
    assertEquals(ram.read(kernel.start, image.length), image);
    ram.u8.fill(0xee);
  }
});

Deno.test("a file of another format is read whole", async () => {
  const image = buildLinuxImage({ imageSize: 0x5000n });
  const kernel = await load(new TestFile(new Uint8Array(gzipSync(image)), 100));
  assertEquals([kernel.format, kernel.segments[0].bytes], ["linux", image]);
});

Deno.test("an ELF kernel goes where it is linked", async () => {
  const bytes = noise(32);
  const elf = buildElf({
    entry: 0x8000_0004n,
    segments: [{ physAddr: 0x8000_0000n, bytes, memoryBytes: 64n }],
    symbols: [{ name: "_start", value: 0x8000_0004n }],
  });
  const kernel = await load(elf);
  assertEquals([kernel.format, kernel.entry, kernel.end], ["elf", BASE + 4, BASE + 64]);
  assertEquals(kernel.symbols().map((s) => s.name), ["_start"]);
});

Deno.test("vmlinux, the ELF file of Linux, is placed as its Image is", async () => {
  const image = buildLinuxImage({});
  const virtual = 0xffff_ffff_8000_0000n;
  const kernel = await load(buildElf({
    entry: virtual,
    segments: [
      { physAddr: virtual, bytes: image },
      { physAddr: virtual + 0x10000n, bytes: noise(64) },
    ],
  }));
  assertEquals(
    [kernel.format, kernel.entry, kernel.segments.map((s) => s.address)],
    ["linux", BASE + 0x200000, [BASE + 0x200000, BASE + 0x210000]],
  );
});

Deno.test("an ELF file linked at 0 that runs anywhere goes to the start of RAM", async () => {
  const kernel = await load(buildElf({
    type: 3,
    entry: 16n,
    segments: [{ physAddr: 0n, bytes: noise(32) }],
    symbols: [{ name: "_start", value: 16n }],
  }));
  assertEquals([kernel.entry, kernel.start], [BASE + 16, BASE]);
  assertEquals(kernel.symbols()[0].address, BigInt(BASE + 16));
});

Deno.test("anything else that could be code is a flat binary at the start of RAM", async () => {
  const kernel = await load(noise(1000));
  assertEquals([kernel.format, kernel.entry, kernel.end], ["flat", BASE, BASE + 1000]);
});

Deno.test("kernels of other architectures are refused by both names", async () => {
  const bzImage = new Uint8Array(1024);
  bzImage.set([0x55, 0xaa], 0x1fe);
  bzImage.set(bytesOf("HdrS"), 0x202);
  const named = (arch: string, what: string) => `k is ${what} for ${arch}, and this machine is riscv64`;
  await refused(bzImage, named("x86_64", "a Linux kernel (bzImage)"));
  await refused(buildLinuxImage({ magic2: "ARM\x64" }), named("aarch64", "a Linux kernel"));
  await refused(
    buildLinuxImage({ magic2: "\0\0\0\0", peMachine: 0x8664 }),
    named("x86_64", "an EFI program"),
  );
  await refused(buildLinuxImage({ magic2: "\0\0\0\0", peMachine: 0x5064 }), "k is an EFI program");
  await refused(buildElf({ entry: 0n, machine: 62, segments: [] }), "k is built for x86_64");
});

Deno.test("what is no kernel is called by its name", async () => {
  await refused(new Uint8Array(0), "k is empty");
  await refused(new Uint8Array(5000), "all zeros");
  await refused(bytesOf("#!/bin/sh\necho hi\n"), "k is a text file");
  await refused(bytesOf("070701" + "0".repeat(104)), "cpio archive, not a kernel; give it as the initrd");
  await refused(bytesOf("!<arch>\ndebian-binary"), "package or archive");
  await refused(bytesOf("QFI\xfb\0\0\0\x03"), "qcow2");
});

Deno.test("a kernel larger than RAM is refused, and one linked outside of it", async () => {
  await refused(noise(2 * MIB), "k needs 2 MiB of memory, and the guest has 1 MiB", MIB);
  await refused(buildLinuxImage({ imageSize: BigInt(32 * MIB) }), "more memory");
  await refused(buildLinuxImage({ imageSize: (1n << 64n) - 1n }), "more memory");
  await refused(buildLinuxImage({ textOffset: (1n << 64n) - 4096n }), "linked to load at");
  const segment = { physAddr: 0x10000n, bytes: noise(16) };
  await refused(buildElf({ entry: 0x10000n, segments: [segment] }), "linked to load at 0x10000");
  const far = { ...segment, physAddr: 0x8000_0000n };
  await refused(buildElf({ entry: 0x9000_0000n, segments: [far] }), "starts at 0x90000000, outside");
  await refused(buildElf({ entry: 0n, segments: [{ ...far, memoryBytes: 1n << 40n }] }), "more memory");
});

Deno.test("a truncated Linux Image is refused", async () => {
  const image = buildLinuxImage({ peMachine: 0x5064 });
  await refused(image.subarray(0, 2000), "k is truncated: it has 2000 of 4096 bytes");
  await refused(image.subarray(0, 0x3e), "k is truncated");
  await refused(image.subarray(0, 0x44), "k is truncated");
});

Deno.test("in fresh RAM, pages of zeros are not written", () => {
  const ram = new GuestRam(plainMemory, BASE, MIB);
  ram.u8.fill(0xff);
  const bytes = new Uint8Array(4 * 4096 + 3);
  bytes[4096 + 4095] = 1;
  bytes[4 * 4096 + 2] = 2;
  placeSegments(ram, [{ address: BASE + 8, bytes, memoryBytes: bytes.length }], true);
  const written = (page: number) => ram.u8.subarray(page * 4096 + 8, page * 4096 + 4096).includes(0);
  assertEquals([0, 1, 2, 3, 4].map(written), [false, false, true, false, true]);
  assertEquals(ram.u8[8 + 4096 + 4095], 1);
  assertEquals(ram.u8[8 + 4 * 4096 + 2], 2);
});

Deno.test("placing writes the bytes, and zeros where RAM may hold something", () => {
  const ram = new GuestRam(plainMemory, BASE, MIB);
  ram.u8.fill(0xff);
  const segments = [{ address: BASE + 4096, bytes: bytesOf("abc"), memoryBytes: 100_000 }];
  placeSegments(ram, segments, true);
  assertEquals([...ram.u8.subarray(4096, 4100)], [97, 98, 99, 255]);
  placeSegments(ram, segments, false);
  assertEquals(ram.u8.subarray(4096 + 3, 4096 + 100_000).every((b) => b === 0), true);
  assertEquals(ram.u8[4096 + 100_000], 255);
});
