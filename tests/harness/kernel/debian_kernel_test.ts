import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { debianGuest } from "../../../fixtures/debian.ts";
import { Kernel } from "../../../harness/kernel/kernel.ts";
import { KernelInsightError } from "../../../harness/kernel/kernel_insight_error.ts";
import { formatLog } from "../../../harness/kernel/log.ts";
import { boot, type BootOptions, guest, GuestCrashError, type Vm } from "../../../mod.ts";

const debian = debianGuest("riscv64");
const missing = !debian ? 'needs "deno task fixtures"' : await translatorObstacle() && "needs the translator";

function linux(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: missing ? `${name} (${missing})` : name, ignore: missing !== undefined, fn });
}

async function bootDebian(append: string, options: Partial<BootOptions> = {}): Promise<[Vm, Kernel]> {
  const { kernel, initrd } = debian!;
  const vm = await boot({ arch: "riscv64", kernel, initrd, append, memory: "256M", ...options });
  return [vm, kernelOf(vm)];
}

function kernelOf(vm: Vm): Kernel {
  return new Kernel({ arch: "riscv64", memory: vm.memory, moment: () => vm.instructions });
}

/** What a command prints. */
async function output(vm: Vm, command: string): Promise<string> {
  const before = vm.console.text.length;
  await vm.console.type(`echo BEG''IN; ${command}; echo E''ND\n`);
  await vm.console.waitFor(/^END/);
  await vm.console.waitFor(/# $/);
  const text = vm.console.text.slice(before).replaceAll("\r", "");
  return text.slice(text.indexOf("BEGIN\n") + 6, text.lastIndexOf("END\n"));
}

linux(
  "a kernel is read before its first instruction, before its console, in user mode and after death",
  async () => {
    const [vm, kernel] = await bootDebian("console=ttyS0");
    await using _vm = vm;
    const banner = () => kernel.symbol("linux_banner").text().slice(0, 13);
    assertEquals([banner(), kernel.log(), vm.instructions], ["Linux version", [], 0]);

    while (vm.cpu(0).register("satp") === 0n) await vm.run({ for: guest("10us") });
    assertEquals([banner(), kernel.memory.tablesReady], ["Linux version", false]);
    assertThrows(
      () => kernel.memory.read(0xff60000000000000n, 8),
      KernelInsightError,
      "not set up its page tables yet",
    );

    while (kernel.log().length < 20) await vm.run({ for: guest("1ms") });
    assertEquals([banner(), vm.console.text], ["Linux version", ""]);
    assertStringIncludes(kernel.log()[0].text, `Linux version ${debian!.release}`);
    assertEquals(kernel.cmdline(), "console=ttyS0");

    await vm.console.waitFor(/# $/);
    assertEquals([kernel.release(), kernel.memory.tablesReady], [debian!.release, true]);
    const log = formatLog(kernel.log());
    assertEquals(await output(vm, "dmesg"), log);
    const printed = vm.console.text.replaceAll("\r", "");
    for (const line of log.split("\n").slice(0, 100)) assertStringIncludes(printed, line);

    const symbols = await output(vm, "grep -v '\\[' /proc/kallsyms | awk 'NR % 400 == 1; END { print NR }'");
    const lines = symbols.trimEnd().split("\n");
    assertEquals(Number(lines.pop()), kernel.symbols.size);
    for (const line of lines) {
      const [address, type, name] = line.split(" ");
      const found = kernel.symbols.lookupAll(name).map((symbol) =>
        `${symbol.address.toString(16)} ${symbol.type}`
      );
      assert(found.includes(`${address} ${type}`), `${line}, but ${found}`);
    }
    assert(lines.length > 200);

    const jiffies = kernel.symbol("jiffies").value();
    await vm.console.type("while :; do :; done\n");
    while (vm.cpu(0).mode !== "user" || kernel.symbol("jiffies").value() <= jiffies) {
      await vm.run({ for: guest("100us") });
    }
    assertEquals([banner(), kernel.log().length > 100], ["Linux version", true]);
    await vm.console.type("\x03");
    await vm.console.waitFor(/# $/);

    await vm.console.type("echo c > /proc/sysrq-trigger\n");
    await assertRejects(() => vm.waitForExit({ within: guest("5s") }), GuestCrashError);
    const last = kernel.log().map(({ text }) => text);
    assert(last.includes("Kernel panic - not syncing: sysrq triggered crash"));
    assertEquals(kernel.log().find(({ text }) => text.startsWith("Kernel panic"))?.level, 0);
  },
);

linux("the log of a kernel without any console, as far as a budget let it come", async () => {
  const [vm, kernel] = await bootDebian("console=null quiet");
  await using _vm = vm;
  const exit = await vm.waitForExit({ within: guest("700ms") });
  assertEquals([exit.kind, vm.console.text], ["guestBudget", ""]);
  const texts = kernel.log().map(({ text }) => text);
  assertStringIncludes(texts[0], "Linux version");
  assert(texts.some((text) => text.includes("Memory:")) && texts.length > 100);
});

linux(
  "a log that has wrapped around its ring is whole: dmesg shows its end, as much as it has room for",
  async () => {
    const [vm, kernel] = await bootDebian("console=ttyS0 quiet printk.devkmsg=on");
    await using _vm = vm;
    await vm.console.waitFor(/# $/);
    const loop = 'i=0; while [ $i -lt 6000 ]; do echo "<13>line $i of ${#i}" > /dev/kmsg; i=$((i+1)); done';
    await output(vm, `${loop}; echo -e '<12>two\\nlines' > /dev/kmsg`);
    const entries = kernel.log();
    const dmesg = await output(vm, "dmesg");
    assert(dmesg.length > 50_000 && formatLog(entries).endsWith(dmesg));
    entries.slice(0, -1).forEach(({ sequence, text }, i) => {
      assertEquals(sequence, entries[0].sequence + i);
      assertEquals(text, `line ${6000 - entries.length + 1 + i} of 4`);
    });
    const [line, last] = entries.slice(-2);
    assertEquals([line.text, line.level, line.facility], ["line 5999 of 4", 5, 1]);
    assertEquals([last.text, last.level], ["two\nlines", 4]);
    assert(entries[0].sequence > 100 && entries.length > 3000);
  },
);

linux("firmware, several vCPUs and a reset make no difference", async () => {
  const [vm, kernel] = await bootDebian("console=ttyS0 reboot=cold", { firmware: debian!.opensbi, cpus: 4 });
  await using _vm = vm;
  await vm.console.waitFor("BOOT-OK");
  assertEquals(kernel.release(), debian!.release);
  assert(kernel.log().some(({ text }) => text.includes("Brought up 1 node, 4 CPUs")));
  vm.reset();
  assertEquals(kernel.log(), []);
  await vm.console.waitFor("BOOT-OK");
  assertEquals(kernel.log()[0].text.slice(0, 13), "Linux version");
});
