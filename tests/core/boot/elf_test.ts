import { assertEquals, assertThrows } from "@std/assert";
import { parseElf } from "../../../core/boot/elf.ts";
import { ImageError } from "../../../core/boot/image_error.ts";
import { buildElf, noise } from "./images.ts";

const text = { physAddr: 0x8000_0000n, bytes: noise(100), memoryBytes: 4096n };

function refused(bytes: Uint8Array, message: string): void {
  assertThrows(() => parseElf(bytes, "k.elf", "riscv64"), ImageError, message);
}

Deno.test("segments are loaded by physical address, and the entry follows them there", () => {
  const elf = parseElf(
    buildElf({
      entry: 0xffff_ffff_8000_0010n,
      segments: [text, { physAddr: 0x8010_0000n, virtAddr: 0xffff_ffff_8000_0000n, bytes: noise(64) }],
    }),
    "k.elf",
    "riscv64",
  );
  assertEquals(elf.entry, 0x8010_0010n);
  assertEquals(elf.segments.map((s) => [s.physAddr, s.bytes.length, s.memoryBytes]), [
    [0x8000_0000n, 100, 4096n],
    [0x8010_0000n, 64, 64n],
  ]);
});

Deno.test("symbols come by ascending address, without section and file names", () => {
  const elf = parseElf(
    buildElf({
      entry: 0x8000_0000n,
      segments: [text],
      symbols: [{ name: "late", value: 0x8000_0020n, size: 4n }, { name: "start", value: 0x8000_0000n }],
    }),
    "k.elf",
    "riscv64",
  );
  assertEquals(elf.symbols(), [
    { name: "start", address: 0x8000_0000n, size: 0n },
    { name: "late", address: 0x8000_0020n, size: 4n },
  ]);
  const stripped = parseElf(buildElf({ entry: 0x8000_0000n, segments: [text] }), "k.elf", "riscv64");
  assertEquals(stripped.symbols(), []);
});

Deno.test("what is no kernel for this machine is refused in words", () => {
  const elf = { entry: 0n, segments: [text] };
  refused(buildElf({ ...elf, machine: 62 }), "k.elf is built for x86_64, and this machine is riscv64");
  refused(buildElf({ ...elf, machine: 183 }), "built for aarch64");
  refused(buildElf({ ...elf, machine: 9999 }), "unknown (ELF machine 9999)");
  refused(buildElf({ ...elf, class: 1 }), "a 32-bit little-endian riscv");
  refused(buildElf({ ...elf, type: 1 }), "object file");
  refused(buildElf({ ...elf, type: 4 }), "no executable");
  refused(buildElf({ entry: 0n, segments: [] }), "nothing to load");
  refused(buildElf({ entry: 0n, segments: [{ ...text, type: 3 }] }), "dynamically linked program");
});

Deno.test("no truncation and no wild offset gets past the bounds", () => {
  const whole = buildElf({ entry: 0x8000_0000n, segments: [text], symbols: [{ name: "x", value: 1n }] });
  const loadable = 64 + 56 + 100;
  for (let length = 4; length < loadable; length++) {
    refused(whole.subarray(0, length), "truncated or corrupt");
  }
  for (let at = 16; at < 64 + 56; at++) {
    const bytes = whole.slice();
    bytes.fill(0xff, at, at + 8);
    try {
      parseElf(bytes, "k.elf", "riscv64").symbols();
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
    }
  }
});
