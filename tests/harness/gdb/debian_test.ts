/** Debian's kernel under gdb. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { debianGuest } from "../../../fixtures/debian.ts";
import { boot, guest, type Vm } from "../../../mod.ts";
import { debug } from "./_client.ts";
import { gdb, gdbTest } from "./_gdb.ts";

const debian = debianGuest("riscv64");
const missing = !debian
  ? 'needs "deno task fixtures"'
  : await translatorObstacle()
  ? "needs the translator"
  : undefined;

function bootDebian(append: string): Promise<Vm> {
  const { kernel, initrd } = debian!;
  return boot({ arch: "riscv64", kernel, initrd, append: `console=ttyS0 ${append}`, memory: "256M" });
}

const FUNCTIONS = [
  ...["start_kernel", "setup_arch", "mm_core_init", "sched_init", "rest_init", "kernel_init", "do_initcalls"],
  ...["populate_rootfs", "kernel_execve", "run_init_process", "load_elf_binary", "begin_new_exec"],
  ...["do_sys_openat2", "handle_mm_fault", "schedule", "kernel_power_off"],
];
const VARIABLES = ["system_state", "total_forks", "jiffies_64"];

/** Virtual addresses of the kernel's symbols, as the guest itself gives them. */
async function kernelSymbols(): Promise<Map<string, string>> {
  await using vm = await bootDebian("quiet");
  await vm.console.waitFor(/# $/);
  const names = [...FUNCTIONS, ...VARIABLES].join("|");
  await vm.console.type(`mkdir -p /proc; mount -t proc proc /proc; stty -echo\n`);
  await vm.console.waitFor(/# $/);
  await vm.console.type(`grep -E ' (${names})$' /proc/kallsyms; echo that is all\n`);
  await vm.console.waitFor(/^that is all/, { within: guest("60s") });
  const rows = vm.console.text.matchAll(/^([0-9a-f]{16}) \w (\w+)\r?$/gm);
  return new Map(Array.from(rows, ([, address, name]) => [name, address]));
}

let symbols: Map<string, string>;
if (!missing) Deno.test.beforeAll(async () => void (symbols = await kernelSymbols()));

const at = (name: string) => {
  assert(symbols.has(name), name);
  return `0x${symbols.get(name)}`;
};

async function outcome(vm: Vm): Promise<unknown> {
  return [vm.exit, vm.instructions, vm.guestTimeNs, vm.console.text, await vm.memory.sha256()];
}

/** Runs the plain boot to its end; returns how it ended and how long it took. */
async function plainBoot(): Promise<[unknown, number]> {
  await using vm = await bootDebian("halt");
  const started = performance.now();
  await vm.waitForExit({ kind: "poweroff" });
  return [await outcome(vm), performance.now() - started];
}

gdbTest("a boot that gdb stopped at ten breakpoints is the boot it was, to the bit", async () => {
  const [plain] = await plainBoot();
  await using vm = await bootDebian("halt");
  const text = await gdb(vm, undefined, [
    ...FUNCTIONS.filter((name) => symbols.has(name)).map((name, i) =>
      `${i % 2 ? "thbreak" : "tbreak"} *${at(name)}`
    ),
    ...Array.from({ length: 10 }, () => ["continue", "info registers pc", "stepi 3"]).flat(),
    "delete",
    `watch *(int *)${at("system_state")}`,
    "continue",
    "delete",
    "continue",
  ]);

  assertEquals(new Set(text.match(/^Temporary breakpoint \d+, /gm)).size, 10);
  assertStringIncludes(text, `pc             ${at("start_kernel").replace(/^0x0*/, "0x")}`);
  assertMatch(text, /^Hardware watchpoint \d+: .*\n\nOld value = 3\nNew value = 5$/m); // running, powering off
  assertStringIncludes(text, "exited normally");
  assertEquals(await outcome(vm), plain);
}, missing);

gdbTest("gdb looks at a kernel, interrupts one that is busy, and lets it go on", async () => {
  await using vm = await bootDebian("quiet");
  await vm.console.waitFor(/# $/);
  await vm.console.type("while :; do :; done\n");
  await vm.run({ for: guest("50ms") });
  const before = vm.instructions;
  await using server = await vm.gdb();
  const { hostname, port } = server.address;
  const commands = [
    "set pagination off",
    `target remote ${hostname}:${port}`,
    "continue",
    "info registers pc satp scause",
    "info threads",
    `x/s *(char **)${at("system_state")}`, // no pointer: gdb says so and goes on
    `p *(int *)${at("system_state")}`,
    `tbreak *${at("schedule")}`,
    "continue",
    "info registers pc",
    "detach",
  ];
  const child = new Deno.Command("gdb-multiarch", {
    args: ["-nx", "-batch", ...commands.flatMap((line) => ["-ex", line])],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = child.output();
  const closed = server.closed;
  await server.attached;
  while (vm.instructions < before + 10_000_000) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGINT");
  await closed;
  const text = new TextDecoder().decode((await output).stdout);
  assertMatch(text, /received signal SIGINT, Interrupt\./);
  assertMatch(text, /^satp +0x[89a][0-9a-f]{15}\s/m);
  assertMatch(text, /^\* 1 +Thread 1 "vCPU 0" \((user|supervisor) mode, running\)/m);
  assertMatch(text, /^\$1 = [3-9]$/m); // SYSTEM_RUNNING
  assertStringIncludes(text, `pc             ${at("schedule")}`);
  // The shell reads Ctrl-C, and answers.
  await vm.console.type("\x03");
  await vm.console.type("echo alive $((6 * 7))\n");
  await vm.console.waitFor("alive 42");
}, missing);

Deno.test({
  name: `breakpoints and watchpoints leave a boot nearly at full speed${missing ? ` (${missing})` : ""}`,
  ignore: missing !== undefined,
  fn: async () => {
    await plainBoot();
    const [plain, plainMs] = await plainBoot();
    await using vm = await bootDebian("halt");
    const started = performance.now();
    let stops = 0;
    await debug(vm, async (client) => {
      for (const name of ["start_kernel", "do_sys_openat2", "kernel_execve", "schedule"]) {
        assertEquals(await client.ask(`Z0,${symbols.get(name)},4`), "OK", name);
      }
      for (let reply = await client.ask("c"); reply.startsWith("T05"); reply = await client.ask("c")) {
        stops++;
        if (reply.includes("break:")) await client.ask("s");
      }
    });
    const ms = performance.now() - started;
    assertEquals(await outcome(vm), plain);
    assert(stops > 100, `${stops} stops`);
    // Typically 1.1 times; a busy host may be slow just then.
    assert(ms < 2 * plainMs + 500, `${ms.toFixed()} ms with ${stops} stops, ${plainMs.toFixed()} ms without`);
  },
});
