import { assert, assertEquals, assertRejects } from "@std/assert";
import { ImageError } from "../../../core/boot/image_error.ts";
import { addi, assemble, HALT, lui, makeBoard, POWEROFF, run, sb, T0, T1, WFI } from "./programs.ts";
import { buildElf, buildLinuxImage, noise } from "../boot/images.ts";

const BASE = 0x8000_0000, MIB = 2 ** 20;
const HELLO = [
  lui(T0, 0x10000),
  ...[..."hi\n"].flatMap((c) => [addi(T1, 0, c.charCodeAt(0)), sb(T1, T0)]),
  ...POWEROFF,
];

Deno.test("a bare-metal program prints on the UART and powers off", async () => {
  const board = await makeBoard({ kernel: assemble(...HELLO) });
  assertEquals(run(board), "hi\n");
  assertEquals(board.machine.exit, { kind: "poweroff" });
});

Deno.test("bare metal starts every hart in M-mode with its number and the device tree", async () => {
  const { machine } = await makeBoard({ kernel: assemble(HALT), vcpus: 3 });
  for (const hart of machine.vcpus) {
    assertEquals([hart.mode, hart.stopped], ["machine", false]);
    assertEquals(hart.register("pc"), BigInt(BASE));
    assertEquals(hart.register("a0"), BigInt(hart.index));
    const tree = Number(hart.register("a1"));
    assertEquals(machine.ram.read(tree, 4), Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed));
  }
});

Deno.test("Linux starts on hart 0 in S-mode, where its Image goes; the others wait for HSM", async () => {
  const { machine } = await makeBoard({ kernel: buildLinuxImage({}), vcpus: 2 });
  assertEquals(machine.vcpus.map((v) => v.mode), ["supervisor", "supervisor"]);
  assertEquals(machine.vcpus.map((v) => v.stopped), [false, true]);
  assertEquals(machine.vcpus[0].register("pc"), BigInt(BASE + 2 * MIB));
});

Deno.test("an ELF kernel linked where firmware would start it gets the SBI; bios: none takes it away", async () => {
  const at = BigInt(BASE + 2 * MIB);
  const kernel = buildElf({ entry: at, segments: [{ physAddr: at, bytes: assemble(HALT) }] });
  assertEquals((await makeBoard({ kernel })).machine.vcpus[0].mode, "supervisor");
  assertEquals((await makeBoard({ kernel, bios: "none" })).machine.vcpus[0].mode, "machine");
  const low = buildElf({
    entry: BigInt(BASE),
    segments: [{ physAddr: BigInt(BASE), bytes: assemble(HALT) }],
  });
  assertEquals((await makeBoard({ kernel: low })).machine.vcpus[0].mode, "machine");
  assertEquals((await makeBoard({ kernel: low, bios: "builtin" })).machine.vcpus[0].mode, "supervisor");
});

Deno.test("firmware starts first and is told where the kernel is", async () => {
  const { machine, kernel } = await makeBoard({ kernel: noise(100), firmware: assemble(HALT), vcpus: 2 });
  const hart = machine.vcpus[1];
  assertEquals([hart.mode, hart.register("pc")], ["machine", BigInt(BASE)]);
  assertEquals(kernel.entry, BASE + 2 * MIB);
  assertEquals(machine.ram.read(kernel.entry, 100), noise(100));
  const info = new DataView(machine.ram.read(Number(hart.register("a2")), 48).buffer);
  const words = Array.from({ length: 6 }, (_, i) => info.getBigUint64(8 * i, true));
  assertEquals(words, [0x4942534fn, 2n, BigInt(kernel.entry), 1n, 0n, 0n]);
});

Deno.test("images that do not fit beside each other are refused", async () => {
  const kernel = buildLinuxImage({});
  await assertRejects(
    () => makeBoard({ kernel, initrd: new Uint8Array(3 * MIB), initrdName: "big.cpio" }),
    ImageError,
    "big.cpio (3 MiB) does not fit beside the kernel in the guest's 4 MiB of RAM",
  );
  await assertRejects(
    () => makeBoard({ kernel, initrd: new Uint8Array(0) }),
    ImageError,
    "the initrd is empty",
  );
  await assertRejects(
    () => makeBoard({ kernel, firmware: noise(3 * MIB) }),
    ImageError,
    "overlaps the firmware",
  );
  await assertRejects(() => makeBoard({ kernel, append: "x".repeat(40_000) }), ImageError, "command line");
  await assertRejects(() => makeBoard({ kernel, vcpus: 9 }), RangeError, "1 to 8 vCPUs, not 9");
  await assertRejects(() => makeBoard({ kernel, ramBytes: 4096 }), RangeError, "RAM");
  await assertRejects(() => makeBoard({ kernel, ramBytes: 4 * MIB + 1 }), RangeError, "whole pages");
});

Deno.test("reset loads the images again and starts over", async () => {
  const board = await makeBoard({ kernel: assemble(...HELLO), initrd: noise(5000) });
  const { machine } = board;
  const before = machine.ram.u8.slice();
  run(board);
  machine.ram.u8.fill(0xee, 0, board.kernel.end - BASE);
  board.reset();
  assertEquals(machine.exit, undefined);
  assert(machine.ram.u8.every((byte, i) => byte === before[i]));
  assertEquals(run(board, machine.clock.nowNs + 1e6), "hi\n");
  assertEquals(machine.exit, { kind: "poweroff" });
});

Deno.test("two runs of the same program are the same run", async () => {
  const runs = [];
  for (let i = 0; i < 2; i++) {
    const board = await makeBoard({ kernel: assemble(...HELLO), vcpus: 4 });
    runs.push([run(board), board.machine.clock.instructions]);
  }
  assertEquals(runs[0], runs[1]);
});

Deno.test("a guest that waits for nothing, or traps for ever, ends in words", async () => {
  const waits = await makeBoard({ kernel: assemble(WFI, HALT) });
  run(waits);
  assertEquals(waits.machine.exit?.kind, "hang");
  const nowhere = await makeBoard({ kernel: assemble(0x00000067) }); // jr zero
  run(nowhere);
  assertEquals(nowhere.machine.exit?.kind, "tripleFault");
});
