import { assert, assertEquals } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { debianGuest } from "../../../fixtures/debian.ts";
import { backtrace, type Frame } from "../../../harness/backtrace/backtrace.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { parseSystemMap } from "../../../harness/symbols/system_map.ts";
import { boot, guest, type Vm } from "../../../mod.ts";

const debian = debianGuest("riscv64");
const missing = !debian ? 'needs "deno task fixtures"' : await translatorObstacle() && "needs the translator";

function linux(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: missing ? `${name} (${missing})` : name, ignore: missing !== undefined, fn });
}

function bootDebian(): Promise<Vm> {
  const { kernel, initrd } = debian!;
  return boot({ arch: "riscv64", kernel, initrd, append: "console=ttyS0 quiet", memory: "256M" });
}

/** The kernel's functions, by the guest's own word. It has no KASLR here, so they hold for every boot. */
let functions: Promise<Symbolizer> | undefined;
async function readFunctions(): Promise<Symbolizer> {
  await using vm = await bootDebian();
  await vm.console.waitFor(/# $/);
  await vm.console.type("stty -echo; grep ' [tTwW] ' /proc/kallsyms | gzip | base64; echo DO''NE\n");
  const { start } = await vm.console.waitFor(/^DONE/m, { within: guest("60s") });
  const packed = /(?:^[A-Za-z0-9+/=]+\r?\n)+/m.exec(vm.console.text.slice(0, start).split("stty").at(-1)!)!;
  const bytes = Uint8Array.fromBase64(packed[0].replace(/\s/g, ""));
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = new Uint8Array(await new Response(unpacked).arrayBuffer());
  return new Symbolizer(parseSystemMap(text, "kallsyms"));
}

function backtraceOf(vm: Vm, kernel: Symbolizer): Frame[] {
  return backtrace(vm.cpu(0), vm.memory, "riscv64", { kernel });
}

/** The addresses of the call trace that the kernel has printed last. */
function printedTrace(vm: Vm): bigint[] {
  const trace = vm.console.text.split("Call Trace:").at(-1)!;
  return [...trace.matchAll(/\[<([0-9a-f]{16})>\] \w/g)].map(([, hex]) => BigInt(`0x${hex}`));
}

linux(
  "an oops's call trace is what a backtrace finds, through the exception and down to the program",
  async () => {
    const kernel = await (functions ??= readFunctions());
    await using vm = await bootDebian();
    await vm.console.waitFor(/# $/);
    await vm.console.type("echo c >/proc/sysrq-trigger\n");
    // Stops while the kernel prints the last line of its trace: deep in printk, within the handling of the fault.
    await vm.console.waitFor(/Call Trace:\r?\n(?:.*\r?\n)*?.*(?:ret_from_exception|handle_exception)\+\S+/, {
      within: guest("10s"),
    });
    const printed = printedTrace(vm);
    assert(printed.length >= 8, vm.console.text);
    const frames = backtraceOf(vm, kernel);
    const pcs = frames.map(({ pc }) => pc);
    const at = pcs.indexOf(printed[0]);
    assert(at > 5, "the interrupted function comes below those that handle the fault");
    assertEquals(pcs.slice(at, at + printed.length), printed);
    assertEquals(frames[at].called, false);
    assertEquals(frames[at].symbol, "sysrq_handle_crash");
    assertEquals(frames.slice(0, at).some(({ symbol }) => symbol === "handle_exception"), true);
    assertEquals(frames[at + printed.length].mode, "user");
  },
);

linux("a running task's backtrace is the one it prints of itself", async () => {
  const kernel = await (functions ??= readFunctions());
  await using vm = await bootDebian();
  await vm.console.waitFor(/# $/);
  await vm.console.type("echo 9 >/proc/sys/kernel/printk; echo l >/proc/sysrq-trigger\n");
  await vm.console.waitFor(/Call Trace:\r?\n(?:.*\r?\n)*?.*(?:ret_from_exception|handle_exception)\+\S+/, {
    within: guest("10s"),
  });
  const printed = printedTrace(vm);
  const pcs = backtraceOf(vm, kernel).map(({ pc }) => pc);
  // The innermost frames have gone on meanwhile: from dump_backtrace into printk.
  const at = pcs.indexOf(printed[1]);
  assert(at > 3);
  assertEquals(pcs.slice(at, at + printed.length - 1), printed.slice(1));
});

linux("wherever a booting kernel is stopped, its backtrace goes back to where it began", async () => {
  const kernel = await (functions ??= readFunctions());
  await using vm = await bootDebian();
  const roots = new Map<string, number>();
  const depths: number[] = [];
  let seed = 1;
  for (let i = 0; i < 1500; i++) {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    await vm.run({ for: guest(`${100_000 + seed % 800_000}ns`) });
    const frames = backtraceOf(vm, kernel);
    depths.push(frames.length);
    const last = frames.at(-1)!;
    const root = last.mode === "user" ? "user" : last.symbol ?? `0x${last.pc.toString(16)}`;
    roots.set(root, (roots.get(root) ?? 0) + 1);
  }
  const known = new Set(["user", "ret_from_fork", "_start_kernel"]);
  const lost = [...roots].filter(([root]) => !known.has(root));
  assertEquals(
    lost.filter(([root]) => !root.startsWith("0x8")),
    [],
    "the first instructions have no symbols yet",
  );
  assert(Math.max(...depths) > 15);
  assert(roots.get("user")! > 0 && roots.get("ret_from_fork")! > 0 && roots.get("_start_kernel")! > 0);
});

linux("a backtrace without symbols is as long as with them, where a function calls others", async () => {
  const kernel = await (functions ??= readFunctions());
  await using vm = await bootDebian();
  await vm.console.waitFor("BOOT-OK");
  const without = backtrace(vm.cpu(0), vm.memory, "riscv64");
  assertEquals(without[0], { pc: vm.cpu(0).pc, sp: vm.cpu(0).register("sp"), mode: "kernel", called: false });
  assert(without.length >= 3);
  assertEquals(backtraceOf(vm, kernel)[0].pc, without[0].pc);
});
