/**
 * Boots Debian once, "watched" with waits and crash rules or "unwatched" by the machine's run loop alone, and prints
 * the seconds of processor time that it took. Arguments: which, kernel, initrd.
 */
import process from "node:process";
import { selectEngine } from "../accel/select.ts";
import { createVirtRiscv64 } from "../core/boards/virt_riscv64.ts";
import { boot, guest } from "../mod.ts";

const [how, kernel, initrd] = Deno.args;
const append = "console=ttyS0 halt";
const SLICE_MS = 8;

async function cpuSeconds(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

async function watched(): Promise<number> {
  await using vm = await boot({ arch: "riscv64", kernel, initrd, append });
  return await cpuSeconds(async () => {
    await vm.console.waitFor(/Linux version (\S+)/);
    await vm.console.waitFor([/Freeing unused kernel image/, "no such line", /neither (this|that)/]);
    await vm.console.waitFor(/BOOT-OK (\w+)/, { within: guest("30s") });
    await vm.waitForExit({ kind: "poweroff" });
  });
}

async function unwatched(): Promise<number> {
  const { memory, create } = await selectEngine("dbt");
  const { machine } = await createVirtRiscv64({
    memory,
    ramBytes: 512 * 2 ** 20,
    vcpus: 1,
    kernel: await Deno.readFile(kernel),
    initrd: await Deno.readFile(initrd),
    append,
  });
  const engine = create(machine);
  return await cpuSeconds(() => {
    while (!machine.exit) machine.run(engine, Infinity, performance.now() + SLICE_MS);
  });
}

console.log(await (how === "watched" ? watched() : unwatched()));
