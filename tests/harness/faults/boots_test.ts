/**
 * What Debian's kernels print when all is well, firmware's lines included where there is firmware: a boot to user
 * space and the power-off.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { Watch } from "./_watch.ts";

const MACHINES = { riscv64: "riscv64", x86_64: "x86_64", arm64: "aarch64" };

for (const [arch, machine] of Object.entries(MACHINES)) {
  Deno.test(`a whole boot without a fault is none to any rule: ${arch}`, () => {
    const log = Deno.readTextFileSync(join(import.meta.dirname!, "boots", `${arch}.log`));
    assert(log.includes(`BOOT-OK ${machine}`) && log.includes("reboot: Power down"));
    const watch = new Watch().print(log);
    watch.faults.settle();
    assertEquals([watch.titles, watch.stops], [[], 0]);
    // Where it is not whole, a crash is.
    watch.print("[   99.000000] Kernel panic - not syncing: to be seen");
    watch.faults.settle();
    assertEquals(watch.titles, ["kernel panic: to be seen"]);
  });
}
