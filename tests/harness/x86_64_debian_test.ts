/** What the harness promises of a real kernel, kept for x86-64 guests under KVM as for riscv64 ones. */
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { customInitrd, debianGuest } from "../../fixtures/debian.ts";
import { boot, guest, GuestCrashError, host } from "../../mod.ts";
import { hardwareKvmTest } from "../support/kvm.ts";
import { debug } from "./gdb/_client.ts";

const debian = debianGuest("x86_64-cloud");
const within = guest("60s");

function debianTest(name: string, fn: () => Promise<void>): void {
  if (debian) hardwareKvmTest(name, fn);
  else Deno.test({ name: `${name} (needs deno task fixtures --arch x86_64)`, ignore: true, fn });
}

debianTest(
  "a kernel is looked into, commanded, debugged and crashed, and hears its power button",
  async () => {
    const initrd = await customInitrd(debian!, { modules: ["button"] });
    await using vm = await boot({
      ...{ arch: "x86_64", engine: "kvm", memory: "512M", kernel: debian!.kernel, initrd, report: false },
      ...{ append: "console=ttyS0 quiet", watchdog: host("4m") },
    });
    await vm.console.waitFor(/# $/, { within: guest("3m") });

    // Its memory tells what it is, without its help.
    assertEquals(vm.kernel.release(), debian!.release);
    assertEquals(vm.kernel.read("init_task.comm"), "swapper/0");
    assertStringIncludes(vm.kernel.log()[0].text, `Linux version ${debian!.release}`);
    assert(vm.kernel.log().some(({ text }) => text.includes("Hypervisor detected: KVM")));
    assert(vm.kernel.tasks().some(({ comm }) => comm === "sh"));
    assert(vm.kernel.modules().some(({ name }) => name === "button"));
    // The shell waits for a line, so the processor idles soon.
    await vm.run({ for: guest("500ms") });
    const names = vm.backtrace(0).map(({ symbol }) => symbol);
    assert(names.includes("do_idle"), `${names}`);

    // Commands have a channel of their own.
    const { stdout, code } = await vm.shell.tryRun("echo $((6 * 7)); exit 3", { within });
    assertEquals([stdout, code], ["42\n", 3]);

    const presses = async () => {
      const line = await vm.shell.run("cat /sys/firmware/acpi/interrupts/ff_pwr_btn", { within });
      return Number(/^\s*(\d+) +EN/.exec(line.stdout)?.[1]);
    };
    assertEquals(await presses(), 0);
    vm.pressPowerButton();
    await vm.run({ for: guest("100ms") });
    assertEquals(await presses(), 1);

    // gdb stops it where ACPI's events come in.
    const entry = vm.kernel.symbol("acpi_ev_fixed_event_detect").address;
    vm.pressPowerButton();
    await debug(vm, async (gdb) => {
      assertEquals(await gdb.ask(`Z1,${entry.toString(16)},1`), "OK");
      assertMatch(await gdb.ask("vCont;c"), /^T05thread:1;hwbreak:/);
      assertEquals(vm.cpu(0).pc, entry);
      assertMatch(await gdb.ask("vCont;s:1"), /^T05/);
      assertEquals(await gdb.ask(`z1,${entry.toString(16)},1`), "OK");
    });

    await vm.console.sendLine("echo c >/proc/sysrq-trigger");
    const error = await assertRejects(() => vm.waitForExit({ within }), GuestCrashError);
    assertStringIncludes(error.crash.title, "sysrq triggered crash");
    assertMatch(error.message, /panic|sysrq_handle_crash/);
  },
);
