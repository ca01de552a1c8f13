import { assert, assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { createVirtX86, type VirtX86Options } from "../../../core/boards/virt_x86.ts";
import { IRQS } from "../../../core/boards/x86/address_map.ts";
import { ImageError } from "../../../core/boot/image_error.ts";
import type { X86Vcpu } from "../../../core/decoder/x86/vcpu.ts";
import type { Board } from "../../../core/boards/board.ts";
import { plainMemory } from "../../../core/memory.ts";
import { buildElf, bytesOf, noise } from "../boot/images.ts";
import { asPayload, buildBzImage, buildVmlinux, EM_X86_64, notes } from "../boot/x86/images.ts";

const MIB = 2 ** 20, GIB = 2 ** 30;
const code = noise(5000);
const vmlinux = buildVmlinux(code);
const payload = asPayload(new Uint8Array(gzipSync(vmlinux)), vmlinux.length, true);
const bzImage = buildBzImage({ payload });
const pvh = buildVmlinux(code, [notes(["Xen", 18, Uint8Array.of(0x40, 0, 0, 1)])]);

const make = (options: Partial<VirtX86Options> = {}) =>
  createVirtX86({ memory: plainMemory, ramBytes: 64 * MIB, vcpus: 1, kernel: bzImage, ...options });
const bootProcessor = ({ machine }: Board) => (machine.vcpus[0] as X86Vcpu).holder.read();
const bytesAt = ({ machine }: Board, address: number, count: number) => machine.ram.read(address, count);
const textAt = (board: Board, address: number, count: number) =>
  new TextDecoder().decode(bytesAt(board, address, count));
const wordAt = (board: Board, address: number) => board.machine.ram.view.getUint32(address, true);

Deno.test("Linux is entered in 64-bit mode with boot parameters, command line and initrd", async () => {
  const initrd = noise(10_000);
  const board = await make({ append: "console=ttyS0", initrd });
  const { rip, rsi, cs, efer } = bootProcessor(board);
  assertEquals([rip, cs.l, efer & 0x400n], [0x100_0000n, 1, 0x400n]);
  const parameters = Number(rsi);
  assertEquals(textAt(board, parameters + 0x202, 4), "HdrS");
  assertEquals(textAt(board, wordAt(board, parameters + 0x228), 14), "console=ttyS0\0");
  const [image, size] = [wordAt(board, parameters + 0x218), wordAt(board, parameters + 0x21c)];
  assertEquals([image % 4096, size], [0, 10_000]);
  assert(image + size <= 64 * MIB && image + size > 64 * MIB - 8192, "as high as it may go");
  assertEquals(bytesAt(board, image, size), initrd);
  assertEquals(bytesAt(board, 0x100_0000, code.length), code);
  assertEquals(textAt(board, wordAt(board, parameters + 0x070), 8), "RSD PTR ");
});

Deno.test("the initrd stays below what the kernel can reach, and clear of the kernel", async () => {
  const limited = buildBzImage({ payload, initrdAddressMax: 0x2ff_ffff });
  const board = await make({ kernel: limited, initrd: noise(5000) });
  const end = wordAt(board, 0x7000 + 0x218) + 5000;
  assert(end <= 0x300_0000 && end > 0x300_0000 - 8192, `ends at ${end}`);
  const tooMuch = () => make({ initrd: new Uint8Array(48 * MIB).fill(1) });
  await assertRejects(tooMuch, ImageError, "does not fit beside the kernel in the guest's 64 MiB of RAM");
  await assertRejects(() => make({ initrd: new Uint8Array() }), ImageError, "the initrd is empty");
});

Deno.test("the command line is at most what the kernel takes", async () => {
  await make({ append: "x".repeat(2047) });
  await assertRejects(() => make({ append: "x".repeat(2048) }), ImageError, "the kernel takes 2047");
  await assertRejects(() => make({ kernel: vmlinux, append: "x".repeat(65536) }), ImageError, "takes 65535");
});

Deno.test("a PVH kernel is entered in protected mode with its start information", async () => {
  const initrd = noise(100);
  const board = await make({ kernel: pvh, append: "hello", initrd });
  const { rip, rbx, cr0, efer } = bootProcessor(board);
  assertEquals([rip, cr0 & 0x8000_0001n, efer], [0x100_0040n, 1n, 0n]);
  const info = Number(rbx);
  assertEquals([wordAt(board, info), wordAt(board, info + 12)], [0x336ec578, 1]);
  assertEquals(textAt(board, wordAt(board, info + 24), 6), "hello\0");
  const module = wordAt(board, info + 16);
  assertEquals(bytesAt(board, wordAt(board, module), 100), initrd);
});

Deno.test("a flat binary goes where its mode wants it", async () => {
  const kernel = Uint8Array.of(0xfa, 0xf4);
  for (
    const [cpuMode, address, cr0] of [
      [undefined, 0x7c00, 0n],
      ["real", 0x7c00, 0n],
      ["protected", 0x10_0000, 1n],
      ["long", 0x10_0000, 0x8000_0001n],
    ] as const
  ) {
    const board = await make({ kernel, ...(cpuMode && { cpuMode }) });
    assertEquals(bytesAt(board, address, 2), kernel);
    const registers = bootProcessor(board);
    assertEquals([registers.rip, registers.cr0 & 0x8000_0001n], [BigInt(address), cr0]);
  }
  await assertRejects(() => make({ cpuMode: "long" }), ImageError, "it is no flat binary; leave cpuMode out");
});

Deno.test("other processors wait to be started, with numbers of their own", async () => {
  const { machine } = await make({ vcpus: 3 });
  assertEquals(machine.vcpus.map(({ stopped }) => stopped), [false, true, true]);
  const bases = machine.vcpus.map((vcpu) => (vcpu as X86Vcpu).holder.read().apicBase);
  assertEquals(bases, [0xfee0_0900n, 0xfee0_0800n, 0xfee0_0800n]);
});

Deno.test("RAM beyond 3 GiB goes on above 4 GiB, and the memory map says so", async () => {
  const board = await make({ ramBytes: 5 * GIB });
  const spans = board.machine.rams.map(({ base, size }) => [base, size]);
  assertEquals(spans, [[0, 3 * GIB], [4 * GIB, 2 * GIB]]);
  const entries = Array.from({ length: board.machine.ram.u8[0x7000 + 0x1e8] }, (_, i) => {
    const at = 0x7000 + 0x2d0 + 20 * i, { view } = board.machine.ram;
    return [view.getBigUint64(at, true), view.getBigUint64(at + 8, true), view.getUint32(at + 16, true)];
  });
  assertEquals(entries.slice(-2), [
    [BigInt(MIB), BigInt(3 * GIB - MIB), 1],
    [BigInt(4 * GIB), BigInt(2 * GIB), 1],
  ]);
  const just = await make({ ramBytes: 3 * GIB });
  assertEquals(just.machine.rams.length, 1);
});

Deno.test("machines that cannot be are refused", async () => {
  for (const vcpus of [0, 9, 1.5]) await assertRejects(() => make({ vcpus }), RangeError, "1 to 8 vCPUs");
  for (const ramBytes of [MIB, 4 * MIB + 1, NaN]) {
    await assertRejects(() => make({ ramBytes }), RangeError, "2 MiB of RAM or more");
  }
  const low = { physAddr: 0x50_0000n, bytes: noise(10), memoryBytes: BigInt(80 * MIB) };
  const kernel = buildElf({ machine: EM_X86_64, entry: 0x50_0000n, segments: [low] });
  await assertRejects(() => make({ kernel }), ImageError, "needs 85 MiB of memory");
});

/** Reads and writes ports as the processor does. */
function portsOf({ machine: { ports } }: Board) {
  return {
    out: (port: number, value: number, size = 1) => ports.writeDevice(port, value, size),
    in: (port: number, size = 1) => ports.readDevice(port, size),
  };
}

Deno.test("devices answer where a PC has them", async () => {
  const board = await make();
  const { out, in: read } = portsOf(board);
  const pins: [number, boolean][] = [];
  board.machine.interruptPins.connect((pin, level) => pins.push([pin, level]));
  let text = "";
  board.serial[0].onTransmit = (byte) => text += String.fromCharCode(byte);
  for (const byte of bytesOf("hi")) out(0x3f8, byte);
  assertEquals(text, "hi");
  out(0x3f9, 1);
  board.serial[0].receive(0x41);
  assertEquals([read(0x3fd) & 1, read(0x3f8), pins[0]], [1, 0x41, [IRQS.com1, true]]);
  out(0x70, 0x09);
  assertEquals(read(0x71), 0x25, "2025, in BCD");
  assertEquals(read(0x505), 7, "pvpanic's events");
  assertEquals(read(0x64) & 1, 0, "nothing from the keyboard");
  board.keyboard!.sendKey([0x1e]);
  assertEquals([read(0x64) & 1, read(0x60)], [1, 0x1e]);
  assertEquals(read(0x80), 0xff, "nothing is there");
});

Deno.test("a power button is an ACPI event, and sleeping is powering off", async () => {
  const board = await make();
  const { out, in: read } = portsOf(board);
  const pins: [number, boolean][] = [];
  board.machine.interruptPins.connect((pin, level) => pins.push([pin, level]));
  out(0x602, 1 << 8, 2);
  board.powerButton!.pressPowerButton();
  assertEquals([read(0x600, 2), pins], [1 << 8, [[IRQS.sci, true]]]);
  out(0x604, 5 << 10 | 1 << 13, 2);
  assertEquals(board.machine.exit, { kind: "poweroff" });
});

Deno.test("a guest ends its machine by reset, debug exit or panic", async () => {
  const ended = async (port: number, value: number) => {
    const board = await make();
    portsOf(board).out(port, value);
    return board.machine.exit;
  };
  assertEquals(await ended(0x64, 0xfe), { kind: "reset" });
  assertEquals(await ended(0xcf9, 6), { kind: "reset" });
  assertEquals(await ended(0xf4, 3), { kind: "debugExit", code: 3 });
  assertEquals((await ended(0x505, 1))?.kind, "panic");
  assertEquals(await ended(0x505, 2), undefined, "a crash kernel takes over");
});

Deno.test("reset loads the images again and puts everything else as after power-on", async () => {
  const board = await make({ vcpus: 2, append: "first" });
  const { out, in: read } = portsOf(board);
  const { machine } = board;
  machine.ram.write(0x100_0000, new Uint8Array(100));
  machine.ram.write(0x2_0000, bytesOf("other"));
  machine.ram.write(0x300_0000, bytesOf("stays"));
  machine.vcpus[0].setRegister("rip", 5n);
  machine.vcpus[0].setRegister("cr3", 0x5000n);
  out(0x3f9, 1);
  out(0xcf9, 6);
  board.reset();
  assertEquals(machine.exit, undefined);
  assertEquals(bytesAt(board, 0x100_0000, 100), code.slice(0, 100));
  assertEquals([textAt(board, 0x2_0000, 6), textAt(board, 0x300_0000, 5)], ["first\0", "stays"]);
  assertEquals([bootProcessor(board).rip, bootProcessor(board).cr3], [0x100_0000n, 0x9000n]);
  assertEquals(read(0x3f9), 0);
});
