/**
 * `deno task demo`: boots Debian's kernel, types a command, asserts on the answer and on the machine. Where
 * Debian's kernel cannot be had, one of the tiny guests in `fixtures/kernels` takes its place.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { debianGuest } from "../fixtures/debian.ts";
import { fetchGuest } from "../fixtures/fetch.ts";
import { kernelPath } from "../fixtures/kernels.ts";
import { boot, guest, type Vm } from "../mod.ts";

const report = (line: string) => console.log(`[demo] ${line}`);

/** What the machine did since the last call, and how long it took. */
function stopwatch(vm: Vm): () => string {
  let hostMs = performance.now(), instructions = vm.instructions;
  return () => {
    const ms = performance.now() - hostMs, count = vm.instructions - instructions;
    hostMs += ms;
    instructions += count;
    return `${(ms / 1000).toFixed(2)} s, ${(count / 1e6).toFixed(1)} M instructions`;
  };
}

/** Boots, shows the console live, and says what executes it. */
async function start(options: Parameters<typeof boot>[0]): Promise<Vm> {
  const vm = await boot(options);
  report(`engine: ${vm.engine.name}${vm.engine.notice ? ` (${vm.engine.notice})` : ""}`);
  vm.console.onOutput = (bytes) => void Deno.stdout.writeSync(bytes);
  return vm;
}

async function linux(kernel: string, initrd: string, release: string): Promise<void> {
  report(`Debian's Linux ${release} for riscv64, busybox as user space`);
  await using vm = await start({
    arch: "riscv64",
    kernel,
    initrd,
    append: "console=ttyS0",
    memory: "512M",
  });
  const lap = stopwatch(vm);
  const hit = await vm.console.waitFor(/BOOT-OK (\w+)/, { within: guest("30s") });
  const booted = lap();
  assertEquals(hit.groups[0], "riscv64");
  assertEquals(vm.cpu(0).mode === "user" || vm.cpu(0).mode === "supervisor", true);

  await vm.console.waitFor("# ");
  lap();
  await vm.console.type("uname -r\n");
  const answer = await vm.console.waitFor(/^(\d+\.\S+)\r?\n/);
  const typed = lap();
  assertEquals(answer.groups[0], release);

  await vm.console.waitFor("# ");
  await vm.console.type("poweroff -f\n");
  await vm.waitForExit({ kind: "poweroff" });
  vm.console.flush();
  console.log();
  report(`user space reached: ${booted}`);
  report(`"uname -r" typed and answered: ${typed}`);
  report(`powered off after ${(vm.guestTimeNs / 1e9).toFixed(2)} s of guest time; every assertion held`);
}

async function tiny(): Promise<void> {
  report("a tiny guest that echoes what is typed");
  await using vm = await start({ arch: "riscv64", kernel: kernelPath("echo"), memory: "16M" });
  const lap = stopwatch(vm);
  await vm.console.waitFor("echo ready\n");
  await vm.console.type("hello from the demo\n");
  const hit = await vm.console.waitFor(/^(hello .*)\n/);
  assertMatch(hit.groups[0], /demo$/);
  assertEquals(vm.cpu(0).mode, "machine");
  await vm.console.type("quit\n");
  await vm.waitForExit({ kind: "poweroff" });
  vm.console.flush();
  report(`booted, typed at and powered off: ${lap()}; every assertion held`);
}

/** Debian's guest, fetched if need be; undefined, and a line that says why, where that cannot be done. */
async function fetched(): Promise<ReturnType<typeof debianGuest>> {
  const found = debianGuest("riscv64");
  if (found) return found;
  try {
    report("fetching Debian's kernel once, about 50 MB");
    await fetchGuest("riscv64", { userland: false, report: (line, done) => done && report(line) });
    return debianGuest("riscv64");
  } catch (error) {
    report(`Debian's kernel cannot be had here: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

const debian = await fetched();
if (debian) await linux(debian.kernel, debian.initrd, debian.release);
else await tiny();
