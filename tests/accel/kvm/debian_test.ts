/** Debian's own kernel under KVM. Where only software KVM is, `deno task test:kvm` runs this on an emulated processor. */
import { assert, assertEquals } from "@std/assert";
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
