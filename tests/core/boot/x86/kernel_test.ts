import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { loadX86Kernel } from "../../../../core/boot/x86/kernel.ts";
import { ImageError } from "../../../../core/boot/image_error.ts";
import { readImage } from "../../../../core/boot/image_file.ts";
import { GUEST_NAMES, guestSource } from "../../../../fixtures/architectures.ts";
import { debianGuest } from "../../../../fixtures/debian.ts";
import { hasTool, pipeThrough } from "../../../fixtures/_tools.ts";
import { buildElf, buildLinuxImage, bytesOf, noise } from "../images.ts";
import { asPayload, buildBzImage, buildVmlinux, EM_X86_64, notes } from "./images.ts";

const MIB = 2 ** 20;
const load = (bytes: Uint8Array, ramBytes = 64 * MIB) =>
  loadX86Kernel(bytes, { file: "k", ramBytes, flatBase: 0x7c00, commandLineBytes: 65535 });
const refused = (bytes: Uint8Array, message: string, ramBytes?: number) =>
  assertRejects(() => load(bytes, ramBytes), ImageError, message);

const code = Uint8Array.of(...noise(20_000), ...new Uint8Array(20_000), ...noise(20_000));
const vmlinux = buildVmlinux(code) as Uint8Array<ArrayBuffer>;

/** How the kernel's build compresses (Linux `scripts/Makefile.lib` and `xz_wrap.sh`). */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  bzip2: ["-9"],
  lz4: ["-l", "-9"],
  lzma: ["-9"],
  xz: ["--check=crc32", "--x86", "--lzma2=,dict=32MiB"],
  zstd: ["-19"],
};

for (const [program, options] of Object.entries(PROGRAMS)) {
  Deno.test({
    name: `a bzImage whose kernel was compressed by ${program} ${options.join(" ")} is that kernel`,
    ignore: !hasTool(program),
    async fn() {
      const compressed = await pipeThrough(program, [...options, "-c"], vmlinux);
      const kernel = await load(buildBzImage({ payload: asPayload(compressed, vmlinux.length) }));
      assertEquals(kernel.protocol, "linux64");
      assertEquals(kernel.image.segments[0].bytes, code);
      const half = asPayload(compressed.subarray(0, compressed.length >> 1), vmlinux.length);
      await assertRejects(() => load(buildBzImage({ payload: half })), ImageError);
    },
  });
}

Deno.test("a bzImage's kernel goes where it is linked, and is entered there in 64-bit mode", async () => {
  for (
    const payload of [
      asPayload(new Uint8Array(gzipSync(vmlinux)), vmlinux.length, true),
      asPayload(new Uint8Array(zstdCompressSync(vmlinux)), vmlinux.length),
    ]
  ) {
    const { image, protocol, ...told } = await load(buildBzImage({ payload }));
    assertEquals([protocol, image.format, image.entry], ["linux64", "linux", 0x100_0000]);
    assertEquals([image.start, image.end], [0x100_0000, 0x100_0000 + code.length + 4096]);
    assertEquals([told.initrdAddressMax, told.commandLineBytes], [0x7fff_ffff, 2047]);
    assertEquals(told.setupHeader?.length, 0x26c - 0x1f1);
  }
});

Deno.test("a kernel's limit of command line is the board's where that is less", async () => {
  const payload = asPayload(new Uint8Array(gzipSync(vmlinux)), vmlinux.length, true);
  const kernel = await load(buildBzImage({ payload, commandLineBytes: 1 << 20 }));
  assertEquals(kernel.commandLineBytes, 65535);
});

Deno.test("a bzImage compressed by an unknown method, or by none that we know, is refused", async () => {
  await refused(
    buildBzImage({ payload: noise(1000) }),
    "holds a kernel that is compressed by an unknown method; build it with gzip, xz, zstd",
  );
  await refused(buildBzImage({ payload: bytesOf("\x89LZO\0" + "x".repeat(1000)) }), "compressed with lzo");
});

Deno.test("a bzImage without the 64-bit entry is refused", async () => {
  await refused(buildBzImage({ payload: noise(100), xloadflags: 0 }), "32-bit x86 kernel");
});

Deno.test("a bzImage for a larger machine is refused", async () => {
  const payload = asPayload(new Uint8Array(gzipSync(vmlinux)), vmlinux.length, true);
  await refused(
    buildBzImage({ payload }),
    "needs 16.1 MiB of memory, and the guest has 8 MiB; give the guest more memory",
    8 * MIB,
  );
});

Deno.test("a vmlinux is entered in 64-bit mode, with a PVH note by PVH", async () => {
  const plain = await load(vmlinux);
  assertEquals([plain.protocol, plain.image.format, plain.image.entry], ["linux64", "elf", 0x100_0000]);
  const note = notes(["GNU", 3, noise(20)], ["Xen", 6, bytesOf("linux\0")], [
    "Xen",
    18,
    Uint8Array.of(0x40, 0, 0, 1, 0, 0, 0, 0),
  ]);
  const pvh = await load(buildVmlinux(code, [note]));
  assertEquals([pvh.protocol, pvh.image.entry], ["pvh", 0x100_0040]);
  const compressed = await load(new Uint8Array(gzipSync(buildVmlinux(code, [note]))));
  assertEquals(compressed.protocol, "pvh");
});

Deno.test("notes that are cut off or lie are no way in", async () => {
  const good = notes(["Xen", 18, Uint8Array.of(0x40, 0, 0, 1)]);
  for (const cut of [0, 4, 11, 12, 16, good.bytes.length - 1]) {
    const kernel = await load(buildVmlinux(code, [{ ...good, bytes: good.bytes.subarray(0, cut) }]));
    assertEquals(kernel.protocol, "linux64", `${cut} bytes`);
  }
  const liar = good.bytes.slice();
  new DataView(liar.buffer).setUint32(4, 0xffff_fff0, true);
  assertEquals((await load(buildVmlinux(code, [{ ...good, bytes: liar }]))).protocol, "linux64");
  const outside = buildVmlinux(code, [notes(["Xen", 18, Uint8Array.of(0, 0, 0, 0x70)])]);
  await refused(outside, "starts at 0x70000000, outside of what it loads");
});

Deno.test("anything else is a flat binary, where the board wants it", async () => {
  const { image, protocol } = await load(Uint8Array.of(0xfa, 0xf4));
  assertEquals([protocol, image.format, image.start, image.entry], ["flat", "flat", 0x7c00, 0x7c00]);
});

Deno.test("kernels for other machines and files that are no kernels are refused by name", async () => {
  await refused(buildLinuxImage({}), "is a Linux kernel for riscv64, and this machine is x86_64");
  await refused(buildLinuxImage({ magic2: "ARM\x64" }), "for aarch64");
  await refused(buildElf({ machine: 243, entry: 0n, segments: [] }), "riscv64");
  await refused(buildElf({ machine: 3, class: 1, entry: 0n, segments: [] }), "built for i386");
  await refused(new Uint8Array(), "is empty");
  await refused(bytesOf("#!/bin/sh\n"), "is a text file");
  await refused(new Uint8Array(5000), "all zeros");
  const low = buildElf({
    machine: EM_X86_64,
    entry: 0x40_0000n,
    segments: [{ physAddr: 0x40_0000n, bytes: noise(10), memoryBytes: BigInt(128 * MIB) }],
  });
  await refused(low, "needs 132 MiB of memory, and the guest has 64 MiB");
});

for (const name of GUEST_NAMES.filter((name) => guestSource(name).arch === "x86_64")) {
  const debian = debianGuest(name);
  Deno.test({
    name: `Debian's kernel is unpacked and placed (${name})${debian ? "" : ': needs "deno task fixtures"'}`,
    ignore: debian === undefined,
    async fn() {
      const kernel = await load(await Deno.readFile(debian!.kernel), 512 * MIB);
      assertEquals([kernel.protocol, kernel.image.start], ["linux64", 16 * MIB]);
      assertEquals([kernel.commandLineBytes, kernel.initrdAddressMax], [2047, 0x7fff_ffff]);
      let text = "";
      for (const { bytes } of kernel.image.segments) {
        readImage(bytes, (piece) => {
          const at = Buffer.from(piece.buffer, piece.byteOffset, piece.length).indexOf("Linux version ");
          if (at >= 0 && text === "") text = new TextDecoder("latin1").decode(piece.subarray(at, at + 60));
        });
      }
      assertStringIncludes(text, `Linux version ${debian!.release}`);
      assert(kernel.image.end < 128 * MIB);
    },
  });
}
