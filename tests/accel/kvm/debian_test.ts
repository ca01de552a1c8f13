/** Debian's own kernels under KVM. Where only software KVM is, `deno task test:kvm` runs this on an emulated processor. */
import { assert, assertEquals } from "@std/assert";
import { unpackImage } from "../../../core/boot/compression.ts";
import { parseBzImage } from "../../../core/boot/x86/bzimage.ts";
import { loadX86Kernel } from "../../../core/boot/x86/kernel.ts";
import { type GuestName, guestsMeant } from "../../../fixtures/architectures.ts";
import { debianGuest } from "../../../fixtures/debian.ts";
import { boot, guest, host } from "../../../mod.ts";
import { hardwareKvmTest } from "../../support/kvm.ts";

const debian = debianGuest("x86_64");

/** A test that boots; named as skipped where the kernel was not fetched. */
function debianTest(name: string, fn: () => Promise<void>): void {
  if (debian) hardwareKvmTest(name, fn);
  else Deno.test({ name: `${name} (needs deno task fixtures --arch x86_64)`, ignore: true, fn });
}

for (const cpus of [1, 2]) {
  debianTest(
    `Debian's kernel boots to BOOT-OK on ${cpus} vCPU${cpus > 1 ? "s" : ""} and powers off`,
    async () => {
      await using vm = await boot({
        ...{ arch: "x86_64", engine: "kvm", cpus, memory: "512M" },
        ...{ kernel: debian!.kernel, initrd: debian!.initrd, append: "console=ttyS0 halt" },
        watchdog: host("4m"),
      });
      assertEquals([vm.engine.name, vm.engine.deterministic], ["kvm", false]);
      const hit = await vm.console.waitFor(/BOOT-OK (\w+)/, { within: guest("3m") });
      assertEquals(hit.groups[0], "x86_64");
      // Nothing moves while nobody waits.
      const { text } = vm.console, time = vm.guestTimeNs;
      await new Promise((resolve) => setTimeout(resolve, 50));
      assertEquals([vm.console.text, vm.guestTimeNs], [text, time]);
      assertEquals(await vm.waitForExit({ within: guest("1m") }), { kind: "poweroff" });
      if (cpus > 1) assert(vm.console.text.includes(`Brought up 1 node, ${cpus} CPUs`), vm.console.text);
    },
  );
}

for (const protocol of ["pvh", "linux64"] as const) {
  const way = protocol === "pvh" ? "by PVH" : "by the 64-bit entry";
  debianTest(`Debian's vmlinux, as an ELF file, boots ${way}`, async () => {
    const kernel = await vmlinux(debian!.kernel, protocol === "pvh");
    const room = { file: "vmlinux", ramBytes: 1 << 29, flatBase: 0, commandLineBytes: 2048 };
    assertEquals((await loadX86Kernel(kernel, room)).protocol, protocol);
    await using vm = await boot({
      ...{ arch: "x86_64", engine: "kvm", memory: "512M", kernel, initrd: debian!.initrd },
      ...{ append: "console=ttyS0 quiet halt", watchdog: host("4m") },
    });
    await vm.console.waitFor("BOOT-OK x86_64", { within: guest("3m") });
    assertEquals(await vm.waitForExit({ within: guest("1m") }), { kind: "poweroff" });
  });
}

/** The ELF file in a `bzImage`, with its PVH note or without. */
async function vmlinux(path: string, withNotes: boolean): Promise<Uint8Array> {
  const { payload } = parseBzImage(await Deno.readFile(path), path);
  const elf = (await unpackImage(payload, path, 1 << 29)).slice();
  const view = new DataView(elf.buffer);
  const PHDR_BYTES = 56, PT_NOTE = 4, PT_NULL = 0;
  const table = Number(view.getBigUint64(32, true));
  for (let i = 0; i < view.getUint16(56, true) && !withNotes; i++) {
    const at = table + i * PHDR_BYTES;
    if (view.getUint32(at, true) === PT_NOTE) view.setUint32(at, PT_NULL, true);
  }
  return elf;
}

for (const name of guestsMeant("x86_64")) shellTest(name);

/** A guest's kernel, to a shell that is typed at. */
function shellTest(name: GuestName): void {
  const fetched = debianGuest(name);
  const title = `Debian's kernel boots to a shell that works (${name})`;
  if (!fetched) {
    Deno.test({ name: `${title} (needs deno task fixtures --arch x86_64)`, ignore: true, fn: () => {} });
    return;
  }
  hardwareKvmTest(title, async () => {
    const { kernel, initrd, release } = fetched;
    await using vm = await boot({
      ...{ arch: "x86_64", engine: "kvm", memory: "512M", kernel, initrd, append: "console=ttyS0" },
      watchdog: host("4m"),
    });
    await vm.console.waitFor(/# $/, { within: guest("3m") });
    // What the kernel has to say from now on must not come between the lines that follow.
    await vm.console.sendLine("dmesg -n 1");
    await vm.console.waitFor(/# $/, { within: guest("1m") });
    await vm.console.sendLine("uname -r");
    await vm.console.waitFor(`${release}\r\n`, { within: guest("1m") });
    await vm.console.waitFor(/# $/, { within: guest("1m") });
    // KVM was recognised, and the board's ACPI, clock and keyboard were found.
    const found = ["date +%Y", "dmesg | grep -c 'Hypervisor detected: KVM'", "cd /sys", "echo class/rtc/*"]
      .concat("echo bus/acpi/devices/LNXPWR*", "echo bus/serio/devices/*", "poweroff -f");
    await vm.console.sendLine(found.join("; "));
    await vm.console.waitFor(/^2025\s+1\s+\S+rtc0\s+\S+LNXPWRBN:00\s+\S+serio0/, { within: guest("1m") });
    assertEquals(await vm.waitForExit({ within: guest("1m") }), { kind: "poweroff" });
  });
}
