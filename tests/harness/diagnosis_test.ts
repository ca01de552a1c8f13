/** What failures tell of the guest's kernel, read from its memory. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { translatorObstacle } from "../../accel/select.ts";
import { debianGuest } from "../../fixtures/debian.ts";
import { boot, type BootOptions, guest, GuestCrashError, type Vm, WaitError } from "../../mod.ts";
import { tiny } from "./_tiny.ts";

const debian = debianGuest("riscv64");
const missing = !debian ? 'needs "deno task fixtures"' : await translatorObstacle() && "needs the translator";

function linux(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: missing ? `${name} (${missing})` : name, ignore: missing !== undefined, fn });
}

function bootDebian(options: Partial<BootOptions> = {}): Promise<Vm> {
  const { kernel, initrd } = debian!;
  return boot({ arch: "riscv64", kernel, initrd, memory: "256M", ...options });
}

linux("a kernel that panics without a console tells so in the wait that it lets down", async () => {
  await using vm = await bootDebian({ append: "console=none" });
  const error = await assertRejects(
    () => vm.console.waitFor("BOOT-OK", { within: guest("2s") }),
    WaitError,
  );
  assertEquals(vm.console.text, "");
  assertStringIncludes(error.message, "the console is empty");
  assertStringIncludes(error.message, "Kernel panic - not syncing: Attempted to kill init!");
  assert(error.report.cpus[0].symbol !== undefined || error.report.cpus[0].mode === "user");
});

linux("a kernel that dies before its console is up says why", async () => {
  // The console is named, and the kernel never comes so far: memory for next to nothing.
  await using vm = await bootDebian({ append: "console=ttyS0 mem=40M", initrd: undefined });
  const error = await assertRejects(
    () => vm.console.waitFor("never printed", { within: guest("20s") }),
    WaitError,
  );
  const said = error instanceof GuestCrashError ? error.crashReport : error.report.kernelLog!.join("\n");
  assertStringIncludes(said, "panic");
});

linux("an idle kernel is where its symbols say, and its log is not repeated", async () => {
  await using vm = await bootDebian({ append: "console=ttyS0" });
  await vm.console.waitFor(/# $/);
  await vm.run({ for: guest("1s") });
  const error = await assertRejects(() => vm.console.waitFor("never", { within: guest("1s") }), WaitError);
  assertStringIncludes(error.message, "(arch_cpu_idle+0x");
  assert(!error.message.includes("the end of the kernel's log"), error.message);
});

linux("vm.kernel looks into a Linux guest", async () => {
  await using vm = await bootDebian({ append: "console=ttyS0" });
  await vm.console.waitFor("BOOT-OK");
  assertStringIncludes(vm.kernel.symbol("linux_banner").text(), "Linux version");
  assertEquals(vm.kernel.read("init_task.comm"), "swapper/0");
  assertEquals(vm.kernel.cmdline(), "console=ttyS0");
  const init = vm.kernel.tasks().find(({ pid }) => pid === 1)!;
  assertEquals([init.comm, init.parentPid, init.kernel], ["init", 0, false]);
  assert(vm.kernel.mounts().some(({ target, type }) => target === "/proc" && type === "proc"));
  assert(Math.abs(vm.kernel.uptime() - vm.guestTimeNs / 1e9) < 0.5, `${vm.kernel.uptime()}`);
  assertStringIncludes(vm.kernel.log()[0].text, "Linux version");
  assertEquals(vm.kernel.modules(), []);
});

Deno.test("a guest that is no Linux fails as ever", async () => {
  await using vm = await tiny("spin");
  const error = await assertRejects(() => vm.console.waitFor("x", { within: guest("1ms") }), WaitError);
  assertEquals(error.report.kernelLog, undefined);
});
