import { assertEquals } from "@std/assert";
import { cells64, FdtNode, writeFdt } from "../../../core/boot/fdt.ts";
import { virtRiscv64DeviceTree } from "../../../core/boards/riscv/device_tree.ts";

Deno.test("a tree is written as the specification lays it out", () => {
  const root = new FdtNode("").set("a", 0x01020304);
  root.child("c").set("b", "hi").set("a", true);
  // deno-fmt-ignore
  assertEquals([...writeFdt(root)], [
    0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 0x84, 0, 0, 0, 0x38, 0, 0, 0, 0x80, // magic, sizes, offsets
    0, 0, 0, 0x28, 0, 0, 0, 17, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0x48,
    ...new Array(16).fill(0), // no reservations
    0, 0, 0, 1, 0, 0, 0, 0, // root begins
    0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 1, 2, 3, 4,
    0, 0, 0, 1, 0x63, 0, 0, 0, // c begins
    0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0x68, 0x69, 0, 0,
    0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 9,
    0x61, 0, 0x62, 0, // "a", "b"
  ]);
});

Deno.test("64-bit numbers are two cells, the high one first", () => {
  assertEquals(cells64(0x12_3456_789a), [0x12, 0x3456789a]);
  assertEquals(cells64(0xffff_ffff), [0, 0xffff_ffff]);
});

const dtc = await installed("dtc");

Deno.test({
  name: "dtc accepts the board's tree and reads back what went in",
  ignore: !dtc,
  fn: async () => {
    const tree = virtRiscv64DeviceTree({
      harts: 2,
      ramBytes: 512 * 2 ** 20,
      bootargs: "console=ttyS0 quiet",
      initrd: { start: 0x9000_0000, end: 0x9000_1234 },
    });
    const process = new Deno.Command("dtc", {
      args: ["-I", "dtb", "-O", "dts", "-"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(tree);
    await writer.close();
    const { success, stdout, stderr } = await process.output();
    const text = new TextDecoder().decode(stdout), complaints = new TextDecoder().decode(stderr);
    assertEquals([success, complaints], [true, ""]);
    for (
      const expected of [
        'bootargs = "console=ttyS0 quiet";',
        "linux,initrd-end = <0x00 0x90001234>;",
        "timebase-frequency = <0x3b9aca00>;",
        'riscv,isa = "rv64imafdc_zicntr_zicsr_zifencei_zihintpause_zba_zbb_zbs_sstc_svadu_svinval_svvptc";',
        "reg = <0x00 0x80000000 0x00 0x20000000>;",
        "interrupts-extended = <0x20 0x0b 0x20 0x09 0x21 0x0b 0x21 0x09>;",
        "cpu@1 {",
      ]
    ) {
      assertEquals(text.includes(expected), true, `${expected} in ${text}`);
    }
  },
});

async function installed(command: string): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args: ["--version"], stdout: "null" }).output()).success;
  } catch {
    return false;
  }
}
