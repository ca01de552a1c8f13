import { assert, assertEquals } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { debianGuest } from "../../../fixtures/debian.ts";
import { backtrace, type Frame } from "../../../harness/backtrace/backtrace.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { boot, guest, KernelInsightError, type Vm } from "../../../mod.ts";

const debian = debianGuest("riscv64");
const missing = !debian ? 'needs "deno task fixtures"' : await translatorObstacle() && "needs the translator";

function linux(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: missing ? `${name} (${missing})` : name, ignore: missing !== undefined, fn });
}

function bootDebian(): Promise<Vm> {
  const { kernel, initrd } = debian!;
  return boot({ arch: "riscv64", kernel, initrd, append: "console=ttyS0 quiet", memory: "256M" });
}

function backtraceOf(vm: Vm): Frame[] {
  return backtrace(vm.cpu(0), vm.memory, "riscv64", { kernel: new Symbolizer(vm.kernel.symbols) });
}

/** The addresses of the call trace that the kernel has printed last. */
function printedTrace(vm: Vm): bigint[] {
  const trace = vm.console.text.split("Call Trace:").at(-1)!;
  return [...trace.matchAll(/\[<([0-9a-f]{16})>\] \w/g)].map(([, hex]) => BigInt(`0x${hex}`));
}

linux("a panic's call trace is what a backtrace finds, down to the program", async () => {
  await using vm = await bootDebian();
  await vm.console.waitFor(/# $/);
  using _ = vm.faults.expect("panic");
  await vm.console.type("echo c >/proc/sysrq-trigger\n");
  // Stops while the kernel prints the last line of its trace: deep in printk, within panic().
  await vm.console.waitFor(/Call Trace:\r?\n(?:.*\r?\n)*?.*handle_exception\+\S+/, { within: guest("10s") });
  const printed = printedTrace(vm);
  assert(printed.length >= 8, vm.console.text);
  const frames = backtraceOf(vm);
  const pcs = frames.map(({ pc }) => pc);
  const at = pcs.indexOf(printed[0]);
  assert(at > 5, "the trace itself is printed by further functions");
  assertEquals(pcs.slice(at, at + printed.length), printed);
  const names = frames.map(({ symbol }) => symbol);
  // Its call of panic() is its last instruction: the kernel prints the name of what lies behind it.
  assertEquals(names[names.indexOf("panic") + 1], "sysrq_handle_crash");
  assertEquals(frames[at + printed.length].mode, "user");
});

linux("a backtrace goes on through an interrupt, from its own stack to the code it interrupted", async () => {
  await using vm = await bootDebian();
  await vm.console.waitFor("BOOT-OK");
  let frames: Frame[] = [];
  for (let i = 0; i < 20_000 && !isInterruptOfKernel(frames); i++) {
    await vm.run({ for: guest("20us") });
    frames = backtraceOf(vm);
  }
  assert(isInterruptOfKernel(frames), "no timer tick was hit");
  const names = frames.map(({ symbol }) => symbol);
  const entry = names.indexOf("call_on_irq_stack");
  assertEquals(names.slice(entry, entry + 3), ["call_on_irq_stack", "do_irq", "handle_exception"]);
  assertEquals([frames[entry + 3].called, frames[entry + 3].mode], [false, "kernel"]);
  assert(isRoot(frames.at(-1)!));
});

linux("wherever a booting kernel is stopped, its backtrace goes back to where it began", async () => {
  await using vm = await bootDebian();
  let seed = 1, looked = 0, deepest = 0;
  const lost: string[] = [];
  const roots = new Set<string>();
  for (let i = 0; i < 1500; i++) {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    await vm.run({ for: guest(`${100_000 + seed % 800_000}ns`) });
    if (!hasSymbols(vm)) continue;
    const frames = backtraceOf(vm);
    const last = frames.at(-1)!;
    // Before the kernel has mapped itself, it runs at physical addresses.
    if (frames.length === 1 && last.pc < 1n << 32n && last.pc >= 0x8000_0000n) continue;
    looked++;
    deepest = Math.max(deepest, frames.length);
    if (isRoot(last)) roots.add(last.mode === "user" ? "user" : last.symbol!);
    else lost.push(frames.map(({ pc, symbol }) => symbol ?? `0x${pc.toString(16)}`).join(" < "));
  }
  assertEquals(lost, []);
  assert(looked > 1400 && deepest > 15, `${looked} backtraces, of ${deepest} frames at most`);
  assert(roots.has("_start_kernel") && roots.has("ret_from_fork"), "both before and after the first thread");
});

linux("a backtrace without symbols says where the vCPU stands, and what called that", async () => {
  await using vm = await bootDebian();
  await vm.console.waitFor("BOOT-OK");
  const without = backtrace(vm.cpu(0), vm.memory, "riscv64");
  assertEquals(without[0], { pc: vm.cpu(0).pc, sp: vm.cpu(0).register("sp"), mode: "kernel", called: false });
  assert(without.length >= 3);
  const pcs = new Set(backtraceOf(vm).map(({ pc }) => pc));
  assert(without.slice(1, 5).some(({ pc }) => pcs.has(pc)));
});

function isInterruptOfKernel(frames: readonly Frame[]): boolean {
  const entry = frames.findIndex(({ symbol }) => symbol === "call_on_irq_stack");
  return entry >= 0 && frames[entry + 3]?.mode === "kernel" && frames.length > entry + 5;
}

function isRoot({ mode, symbol }: Frame): boolean {
  return mode === "user" || symbol === "ret_from_fork" || symbol === "_start_kernel";
}

function hasSymbols(vm: Vm): boolean {
  try {
    return vm.kernel.symbols.size > 0;
  } catch (error) {
    if (error instanceof KernelInsightError) return false;
    throw error;
  }
}
