/** What failures tell of the guest's kernel, read from its memory. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { translatorObstacle } from "../../accel/select.ts";
import { debianGuest } from "../../fixtures/debian.ts";
import {
  boot,
  type BootOptions,
  guest,
  GuestCrashError,
  InputError,
  KernelInsightError,
  type Vm,
  WaitError,
} from "../../mod.ts";
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

linux("a kernel that panics without a console is noticed within seconds, not by the budget", async () => {
  await using vm = await bootDebian({ append: "console=none" });
  const error = await assertRejects(
    () => vm.console.waitFor("BOOT-OK", { within: guest("10m") }),
    GuestCrashError,
    "Attempted to kill init!",
  );
  assertEquals([vm.console.text, error.crash.rule], ["", "init-died"]);
  assert(vm.guestTimeNs < 5e9, `${vm.guestTimeNs}`);
  assertStringIncludes(error.crashReport, "] panic+0x");
  assertStringIncludes(error.crashReport, "---[ end Kernel panic");
});

linux("a kernel that dies before its console is up is noticed within seconds, and says why", async () => {
  // Memory for next to nothing: the console that is named never comes up.
  await using vm = await bootDebian({ append: "console=ttyS0 mem=40M", initrd: undefined });
  const error = await assertRejects(
    () => vm.console.waitFor("never printed", { within: guest("10m") }),
    GuestCrashError,
  );
  assertEquals([vm.console.text, error.crash.family], ["", "panic"]);
  assert(vm.guestTimeNs < 5e9, `${vm.guestTimeNs}`);
  assertStringIncludes(error.crashReport, "Kernel panic - not syncing: ");
});

linux("a panic without a console that was announced fails nothing", async () => {
  await using vm = await bootDebian({ append: "console=none" });
  using _ = vm.faults.expect("init-died");
  await vm.run({ for: guest("5s") });
  assertEquals(vm.faults.all.map(({ rule, expected }) => [rule, expected]), [["init-died", true]]);
});

linux("a kernel without a console that resets upon its panic has panicked", async () => {
  await using vm = await bootDebian({ append: "console=none panic=-1" });
  await assertRejects(() => vm.waitForExit({ kind: "reset" }), GuestCrashError, "Attempted to kill init!");
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

linux("a backtrace leads from where the kernel idles to where it began to", async () => {
  await using vm = await bootDebian({ append: "console=ttyS0" });
  await vm.console.waitFor(/# $/);
  await vm.run({ for: guest("1s") });
  const names = vm.backtrace().map(({ symbol }) => symbol);
  assertEquals(names[0], "arch_cpu_idle");
  assert(names.includes("do_idle") && names.includes("cpu_startup_entry"), names.join(" "));
});

linux("a busy guest's time-out says where it was busy", async () => {
  await using vm = await bootDebian({ append: "console=ttyS0" });
  await vm.console.waitFor(/# $/);
  await vm.console.sendLine("dd if=/dev/zero of=/dev/null bs=1M");
  const error = await assertRejects(() => vm.console.waitFor("never", { within: guest("1s") }), WaitError);
  assertStringIncludes(error.message, "where it was busy:");
  assert(error.report.hotSpots!.some((line: string) => /^ *\d+ % \w+\+0x/.test(line)), error.message);
});

linux("symbols come from a System.map where one is given, and another kernel's is refused", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const right = `${folder}/System.map`, wrong = `${folder}/System.map-other`;
    const lines: string[] = [];
    {
      await using vm = await bootDebian({ append: "console=ttyS0" });
      await vm.console.waitFor("BOOT-OK");
      const { symbols } = vm.kernel;
      for (let i = 0; i < symbols.size; i++) {
        const { address, type, name } = symbols.at(i);
        lines.push(`${address.toString(16).padStart(16, "0")} ${type} ${name}`);
      }
    }
    Deno.writeTextFileSync(right, lines.join("\n") + "\n");
    // Every function a little further than the one before.
    const moved = lines.map((line, i) =>
      (BigInt(`0x${line.slice(0, 16)}`) + BigInt(8 * i)).toString(16) + line.slice(16)
    );
    Deno.writeTextFileSync(wrong, moved.join("\n") + "\n");
    {
      await using vm = await bootDebian({ append: "console=ttyS0", symbols: right });
      await vm.console.waitFor("BOOT-OK");
      assertStringIncludes(vm.kernel.banner(), "Linux version");
    }
    await using vm = await bootDebian({ append: "console=ttyS0", symbols: wrong });
    await vm.console.waitFor("BOOT-OK");
    assertThrows(() => vm.kernel.banner(), KernelInsightError, "not the one that the given symbols are of");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("symbols that cannot be read are refused before the machine is made", async () => {
  await assertRejects(() => tiny("hello", { symbols: "/no/such/vmlinux" }), InputError, "does not exist");
});
