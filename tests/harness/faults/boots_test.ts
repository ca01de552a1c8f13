/**
 * What Debian's kernels print when all is well, firmware's lines included where there is firmware: a boot to user
 * space and the power-off.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { splitLine } from "../../../harness/faults/printk.ts";
import { Watch } from "./_watch.ts";

const logOf = (arch: string) => Deno.readTextFileSync(join(import.meta.dirname!, "boots", `${arch}.log`));

const MACHINES = { riscv64: "riscv64", x86_64: "x86_64", arm64: "aarch64" };

for (const [arch, machine] of Object.entries(MACHINES)) {
  Deno.test(`a whole boot without a fault is none to any rule: ${arch}`, () => {
    const log = logOf(arch);
    assert(log.includes(`BOOT-OK ${machine}`) && log.includes("reboot: Power down"));
    const watch = new Watch().print(log);
    watch.faults.settle();
    assertEquals([watch.titles, watch.stops], [[], 0]);
    // Where it is not whole, a crash is.
    watch.print("[   99.000000] Kernel panic - not syncing: to be seen");
    watch.faults.settle();
    assertEquals(watch.titles, ["kernel panic: to be seen"]);
  });

  /** The kernel's records, as dmesg shows them. */
  const records = () =>
    logOf(arch).split("\n").flatMap(splitLine).filter(({ timeS }) => timeS !== undefined)
      .map(({ text, message, timeS }) => ({
        text: text.trimEnd(),
        message: message.trimEnd(),
        timeS: timeS!,
      }));

  /** Prints records, each so long after now as its time says, or as many µs after the last. */
  const printAt = (watch: Watch, lines: readonly string[], times: readonly number[], lineUs?: number) => {
    const startNs = watch.atNs;
    lines.forEach((line, i) => {
      watch.atNs = startNs + (lineUs === undefined ? times[i] * 1e9 : i * lineUs * 1000);
      watch.faults.line(line);
    });
    watch.faults.settle();
  };

  Deno.test(`the log that is shown again is no second kernel, however fast, and nothing in it: ${arch}`, () => {
    const all = records();
    for (const silenceS of [0, 5, 3600]) {
      for (const lineUs of [undefined, 10, 300, 1000, 2500, 4000, 10_000, 100_000]) {
        const watch = new Watch().print(logOf(arch).replace(/reboot: Power down[^]*/, ""));
        watch.atNs += silenceS * 1e9;
        watch.faults.line("~ # dmesg");
        printAt(watch, all.map(({ text }) => text), all.map(({ timeS }) => timeS), lineUs);
        assertEquals(watch.titles, [], `${lineUs} us per line after ${silenceS} s`);
      }
    }
  });

  Deno.test(`the same kernel that starts again without a reset is a second one: ${arch}`, () => {
    const all = records();
    const watch = new Watch().print(logOf(arch).replace(/reboot: Power down[^]*/, ""));
    watch.atNs += 1e9;
    // Nothing takes exactly as long as the first time.
    const times = all.map(({ timeS }, i) => timeS === 0 ? 0 : timeS + 7e-6 * (1 + i % 3));
    const lines = all.map(({ message }, i) => `[${times[i].toFixed(6).padStart(12)}] ${message}`);
    printAt(watch, lines, times);
    assertEquals(watch.titles, ["unexpected reboot: a second kernel"]);
  });
}
