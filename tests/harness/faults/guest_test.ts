/** Faults of real guests, noticed while they run. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { customInitrd, debianGuest } from "../../../fixtures/debian.ts";
import { boot, type BootOptions, guest, GuestCrashError, type Vm } from "../../../mod.ts";

const debian = debianGuest("riscv64");
const missing = !debian ? 'needs "deno task fixtures"' : await translatorObstacle() && "needs the translator";

function linux(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: missing ? `${name} (${missing})` : name, ignore: missing !== undefined, fn });
}

function bootDebian(options: Partial<BootOptions> = {}): Promise<Vm> {
  const { kernel, initrd } = debian!;
  const append = "console=ttyS0";
  return boot({ arch: "riscv64", kernel, initrd, append, memory: "256M", ...options });
}

/** Runs a command in the shell on the console, up to its end. */
async function shell(vm: Vm, command: string): Promise<void> {
  await vm.console.sendLine(command);
  await vm.console.waitFor(/# $/, { within: guest("300s") });
}

/** Runs a command that the kernel does not survive, or not without a report. */
async function fatal(vm: Vm, command: string): Promise<GuestCrashError> {
  await vm.console.sendLine(command).catch(() => {});
  return await assertRejects(
    () => vm.console.waitFor("never printed", { within: guest("300s") }),
    GuestCrashError,
  );
}

linux("Debian: dmesg, quoted panics, sysrq reports and a minute of sleep are no faults", async () => {
  await using vm = await bootDebian();
  await vm.console.waitFor(/# $/);
  await shell(vm, "dmesg; cat /proc/version; echo 'Kernel panic - not syncing: quoted'");
  await shell(vm, "echo m >/proc/sysrq-trigger; echo w >/proc/sysrq-trigger; echo t >/proc/sysrq-trigger");
  await shell(vm, 'sleep 60; dmesg; dmesg | while read -r line; do echo "$line"; done');
  assertEquals(vm.faults.all.map(({ title }) => title), []);
});

linux(
  "Debian: a provoked oops is reported by its function, with the panic that init's death causes",
  async () => {
    await using vm = await bootDebian();
    await vm.console.waitFor(/# $/);
    await shell(vm, "grep ' sysrq_handle_loglevel$' /proc/kallsyms");
    const [, address] = /^([0-9a-f]{16}) t sysrq_handle_loglevel/m.exec(vm.console.text)!;
    vm.memory.write(BigInt(`0x${address}`), new Uint8Array([0x03, 0x35, 0x00, 0x00])); // ld a0, 0(zero)
    const { crash } = await fatal(vm, "echo 1 >/proc/sysrq-trigger");
    assertEquals(
      crash.title,
      "BUG: unable to handle kernel NULL pointer dereference in sysrq_handle_loglevel",
    );
    assertEquals(vm.faults.all.map(({ rule }) => rule).sort(), ["init-died", "null-dereference"]);
    assertStringIncludes(crash.report, "---[ end trace 0000000000000000 ]---");
    assertStringIncludes(crash.report, "---[ end Kernel panic - not syncing: Attempted to kill init!");
    assertEquals(crash.frames[0].symbol, "sysrq_handle_loglevel");
  },
);

linux("Debian: an expected oops counts once, however often dmesg shows it", async () => {
  await using vm = await bootDebian();
  await vm.console.waitFor(/# $/);
  const { address } = vm.kernel.symbol("sysrq_handle_loglevel");
  vm.memory.write(address, new Uint8Array([0x03, 0x35, 0x00, 0x00])); // ld a0, 0(zero)
  {
    using _ = vm.faults.expect("null-dereference");
    await shell(vm, "(echo 1 >/proc/sysrq-trigger)");
  }
  await shell(vm, "dmesg | tail -n 20; dmesg | tail -n 5; dmesg >/log; dmesg");
  await shell(vm, 'while read -r line; do echo "Nov 29 05:52:03 host kernel: $line"; done </log');
  await shell(vm, "sleep 100; cat /log; echo '<2>sample: later' >/dev/kmsg; tail -n 30 /log");
  assertEquals(vm.faults.all.map(({ rule, expected }) => [rule, expected]), [["null-dereference", true]]);
});

linux("Debian: sysrq's crash, an expected one, ends nothing", async () => {
  await using vm = await bootDebian();
  await vm.console.waitFor(/# $/);
  {
    using _ = vm.faults.expect("panic");
    await vm.console.sendLine("echo c >/proc/sysrq-trigger");
    await vm.console.waitFor("end Kernel panic");
  }
  await vm.run({ for: guest("20ms") });
  assertEquals(vm.faults.all.map(({ title, expected }) => [title, expected]), [
    ["kernel panic: sysrq triggered crash", true],
  ]);
});

linux("Debian: sysrq's crash, an unexpected one, ends the wait with its report", async () => {
  await using vm = await bootDebian();
  await vm.console.waitFor(/# $/);
  const { crash, crashReport } = await fatal(vm, "echo c >/proc/sysrq-trigger");
  assertEquals(crash.title, "kernel panic: sysrq triggered crash");
  assertStringIncludes(crashReport, "] write_sysrq_trigger+");
});

linux("Debian: no root file system, and a machine that resets within its report", async () => {
  await using vm = await bootDebian({ append: "console=ttyS0 panic=-1 rdinit=/missing root=/dev/nowhere" });
  const error = await assertRejects(() => vm.console.waitFor("never printed"), GuestCrashError);
  assertEquals(error.crash.title, "kernel panic: VFS: unable to mount root fs");
  assertStringIncludes(error.crash.report, "Kernel panic - not syncing: VFS: Unable to mount root fs");
});

linux("Debian: a process killed for want of memory fails the wait that saw it, at its end", async () => {
  await using vm = await bootDebian({ memory: "128M" });
  await vm.console.waitFor(/# $/);
  await vm.console.sendLine("tail /dev/zero");
  const error = await assertRejects(() => vm.console.waitFor(/# $/), GuestCrashError);
  assertEquals([error.crash.title, error.crash.class], ["out of memory: killed tail", "collect"]);
});

linux(
  "Debian: a hung task is reported after its 120 guest seconds, at the cost of the idle ones",
  async () => {
    const initrd = await customInitrd(debian!, { modules: ["crc32c_generic", "loop", "ext4"] });
    await using vm = await bootDebian({ initrd });
    await vm.console.waitFor(/# $/);
    await shell(
      vm,
      "mkdir /mnt; dd if=/dev/zero of=/img bs=1M count=8; losetup /dev/loop0 /img; mke2fs /dev/loop0",
    );
    await shell(vm, "mount -t ext4 /dev/loop0 /mnt && fsfreeze --freeze /mnt");
    const { instructions } = vm;
    const startMs = performance.now();
    const { crash } = await fatal(vm, "touch /mnt/x &");
    assertEquals(crash.title, "INFO: task hung in mnt_want_write");
    assert(vm.instructions - instructions < 1e9, "two minutes of idling are skipped");
    const tookMs = performance.now() - startMs;
    assert(tookMs < 3000, `it took ${tookMs} ms of host time`);
  },
);
