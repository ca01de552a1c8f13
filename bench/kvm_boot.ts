/**
 * The boot of Debian's kernel under KVM: `boot()` until user space, in a Deno that runs already as a test suite's
 * does, against QEMU's `microvm` with the same devices from its start on.
 */
import { type DebianGuest, debianGuest } from "../fixtures/debian.ts";
import { boot, guest, host } from "../mod.ts";
import { observe } from "./observe.ts";

/** Nothing that the kernel prints shall cost time. */
const APPEND = "console=ttyS0 quiet";
const MEMORY = "512M", BOOTED = "BOOT-OK";
const LIMIT_MS = 300_000;

/** A serial line, both interrupt controllers, PIT, clock and ACPI, as `virt-x86` has them; nothing else. */
const QEMU = [
  ...["qemu-system-x86_64", "-M", "microvm,acpi=on,pic=on,pit=on,rtc=on,isa-serial=on", "-accel", "kvm"],
  ...["-cpu", "host", "-m", MEMORY, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
  ...["-serial", "stdio", "-append", APPEND],
];

/** Times of one pair of boots, in ms. */
export interface BootPair {
  readonly ours: number;
  readonly qemu: number;
}

/** What a boot is measured with; a sentence where something is missing. */
export async function bootsToMeasure(): Promise<(() => Promise<BootPair>) | string> {
  const debian = debianGuest("x86_64");
  if (debian === undefined) return "There is no Debian guest: deno task fixtures --arch x86_64 fetches it.";
  try {
    await new Deno.Command(QEMU[0], { args: ["--version"] }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "There is no qemu-system-x86_64 to compare with.";
  }
  return async () => ({ ours: await ourBootMs(debian), qemu: await qemuBootMs(debian) });
}

async function ourBootMs({ kernel, initrd }: DebianGuest): Promise<number> {
  const since = performance.now();
  await using vm = await boot({
    ...{ arch: "x86_64", engine: "kvm", memory: MEMORY, kernel, initrd, append: APPEND },
    watchdog: host(`${LIMIT_MS}ms`),
  });
  await vm.console.waitFor(BOOTED, { within: guest("5m") });
  return performance.now() - since;
}

async function qemuBootMs({ kernel, initrd }: DebianGuest): Promise<number> {
  const command = [...QEMU, "-kernel", kernel, "-initrd", initrd];
  return (await observe(command, { until: BOOTED, limitMs: LIMIT_MS })).endMs;
}
