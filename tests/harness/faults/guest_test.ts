/** Faults of real guests, noticed while they run. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { customInitrd, debianGuest } from "../../../fixtures/debian.ts";
import { Faults } from "../../../harness/faults/faults.ts";
import { boot, type BootOptions, guest, type Vm } from "../../../mod.ts";
import { tiny } from "../_tiny.ts";

// deno-lint-ignore no-control-regex
const ESCAPES = /\x1b\[[0-9;?]*[ -/]*[@-~]|\r/g;

/** Faults that read a machine's console. */
function watch(vm: Vm): Faults {
  const faults = new Faults({
    now: () => ({ atNs: vm.guestTimeNs, instructions: vm.instructions }),
    stop: () => {},
    armQuiet: () => {},
    symbolize: (text) => text,
  });
  const decoder = new TextDecoder();
  let unfinished = "";
  vm.console.onOutput = (bytes) => {
    const lines = (unfinished + decoder.decode(bytes, { stream: true })).split("\n");
    unfinished = lines.pop()!;
    for (const line of lines) faults.line(line.replace(ESCAPES, ""));
  };
  return faults;
}

Deno.test("a panic in the middle of a user program's line is noticed while the guest spins on", async () => {
  await using vm = await tiny("panic");
  const faults = watch(vm);
  await vm.run({ for: guest("1ms") });
  const crash = faults.crash!;
  assertEquals(crash.title, "kernel panic: sysrq triggered crash");
  assertEquals([crash.lines, crash.frames.length, crash.corrupted], [8, 3, false]);
});

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

/** Runs a command in the shell on the console, up to its end or what it is to provoke. */
async function shell(vm: Vm, command: string, until: string | RegExp = /# $/): Promise<void> {
  await vm.console.type(`${command}\n`);
  await vm.console.waitFor(until, { within: guest("300s") });
  await vm.run({ for: guest("20ms") });
}

linux("Debian: dmesg, quoted panics, sysrq reports and a minute of sleep are no faults", async () => {
  await using vm = await bootDebian();
  const faults = watch(vm);
  await vm.console.waitFor(/# $/);
  await shell(vm, "dmesg; cat /proc/version; echo 'Kernel panic - not syncing: quoted'");
  await shell(vm, "echo m >/proc/sysrq-trigger; echo w >/proc/sysrq-trigger; echo t >/proc/sysrq-trigger");
  await shell(vm, 'sleep 60; dmesg; dmesg | while read -r line; do echo "$line"; done');
  faults.settle();
  assertEquals(faults.all.map(({ title }) => title), []);
});

linux(
  "Debian: a provoked oops is reported by its function, with the panic that init's death causes",
  async () => {
    await using vm = await bootDebian();
    const faults = watch(vm);
    await vm.console.waitFor(/# $/);
    await shell(vm, "grep ' sysrq_handle_loglevel$' /proc/kallsyms");
    const [, address] = /^([0-9a-f]{16}) t sysrq_handle_loglevel/m.exec(vm.console.text)!;
    vm.memory.write(BigInt(`0x${address}`), new Uint8Array([0x03, 0x35, 0x00, 0x00])); // ld a0, 0(zero)
    await shell(vm, "echo 1 >/proc/sysrq-trigger", "end Kernel panic");
    const { crash } = faults;
    assertEquals(
      crash?.title,
      "BUG: unable to handle kernel NULL pointer dereference in sysrq_handle_loglevel",
    );
    assertEquals(faults.all.map(({ rule }) => rule).sort(), ["init-died", "null-dereference"]);
    assertStringIncludes(crash!.report, "---[ end trace 0000000000000000 ]---");
    assertStringIncludes(crash!.report, "---[ end Kernel panic - not syncing: Attempted to kill init!");
    assertEquals(crash!.frames[0].symbol, "sysrq_handle_loglevel");
  },
);

linux("Debian: sysrq's crash, an expected one, ends nothing", async () => {
  await using vm = await bootDebian();
  const faults = watch(vm);
  await vm.console.waitFor(/# $/);
  {
    using _ = faults.expect("panic");
    await shell(vm, "echo c >/proc/sysrq-trigger", "end Kernel panic");
  }
  assertEquals(faults.crash, undefined);
  assertEquals(faults.all.map(({ title, expected }) => [title, expected]), [
    ["kernel panic: sysrq triggered crash", true],
  ]);
});

linux("Debian: no root file system, and a machine that resets within its report", async () => {
  await using vm = await bootDebian({ append: "console=ttyS0 panic=-1 rdinit=/missing root=/dev/nowhere" });
  const faults = watch(vm);
  await vm.waitForExit({ kind: "reset", within: guest("30s") });
  vm.console.flush();
  faults.settle();
  assertEquals(faults.crash?.title, "kernel panic: VFS: unable to mount root fs");
  assertStringIncludes(faults.crash!.report, "Kernel panic - not syncing: VFS: Unable to mount root fs");
});

linux("Debian: a process killed for want of memory is collected", async () => {
  await using vm = await bootDebian({ memory: "128M" });
  const faults = watch(vm);
  await vm.console.waitFor(/# $/);
  await shell(vm, "tail /dev/zero");
  faults.settle();
  assertEquals(faults.crash, undefined);
  assertEquals(faults.take(true)?.title, "out of memory: killed tail");
});

linux(
  "Debian: a hung task is reported after its 120 guest seconds, at the cost of the idle ones",
  async () => {
    const initrd = await customInitrd(debian!, { modules: ["crc32c_generic", "loop", "ext4"] });
    await using vm = await bootDebian({ initrd });
    const faults = watch(vm);
    await vm.console.waitFor(/# $/);
    await shell(
      vm,
      "mkdir /mnt; dd if=/dev/zero of=/img bs=1M count=8; losetup /dev/loop0 /img; mke2fs /dev/loop0",
    );
    await shell(vm, "mount -t ext4 /dev/loop0 /mnt && fsfreeze --freeze /mnt");
    const { instructions } = vm;
    await shell(vm, "touch /mnt/x &", "blocked for more than 120 seconds");
    faults.settle();
    assertEquals(faults.crash?.title, "INFO: task hung in mnt_want_write");
    assert(vm.instructions - instructions < 1e9, "two minutes of idling are skipped");
  },
);
