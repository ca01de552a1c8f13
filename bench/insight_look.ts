/**
 * `insight_look.ts symbol|log KERNEL INITRD`: boots Debian in a process of its own and prints how many milliseconds
 * the first symbol took, or the first look at a log of 1,000 lines.
 */
import { Kernel } from "../harness/kernel/kernel.ts";
import { boot } from "../mod.ts";

const LINES = 1000;

const [what, kernelImage, initrd] = Deno.args;
await using vm = await boot({
  arch: "riscv64",
  kernel: kernelImage,
  initrd,
  append: "console=ttyS0 quiet printk.devkmsg=on",
});
const kernel = new Kernel({ arch: vm.arch, memory: vm.memory, moment: () => vm.instructions });
await vm.console.waitFor(/# $/);
if (what === "log") {
  await vm.console.type(
    `i=0; while [ $i -lt ${LINES} ]; do echo "line $i: quite an ordinary message" > /dev/kmsg; `,
  );
  await vm.console.type("i=$((i+1)); done; echo WRIT''TEN\n");
  await vm.console.waitFor(/^WRITTEN/);
  kernel.symbol("linux_banner");
}
const start = performance.now();
const entries = what === "log" ? kernel.log() : [];
if (what === "symbol") kernel.symbol("linux_banner").text();
const ms = performance.now() - start;
if (what === "log" && entries.length < LINES) throw new Error(`The log has ${entries.length} lines only.`);
console.log(ms);
