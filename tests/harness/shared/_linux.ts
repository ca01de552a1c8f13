/**
 * The harness's promises about Linux, on Debian's kernel for every row of `_rows.ts`: a machine that comes later gets
 * them by its row, and by a row of `fixtures/architectures.ts` for its kernel.
 */
import { type DebianGuest, debianGuest } from "../../../fixtures/debian.ts";
import { boot, type BootOptions, guest, host, type Vm } from "../../../mod.ts";
import { hasHardwareKvm } from "../../support/kvm.ts";
import { isWanted, type Row, ROWS } from "./_rows.ts";

/** Debian's kernel on a row's machine. */
export interface Linux {
  readonly row: Row;
  readonly debian: DebianGuest;
  /** Boots it; nothing has run yet. */
  boot(options?: Partial<BootOptions>): Promise<Vm>;
  /** Boots it to the prompt of its console's shell. */
  atPrompt(options?: Partial<BootOptions>): Promise<Vm>;
}

/** Enough for any of it, also where the processor is emulated. */
const BOOT_WITHIN = guest("10m");

/** A test of every row that boots Linux in reasonable time; skipped by name where something is missing. */
export function linuxTest(
  name: string,
  fn: (linux: Linux, t: Deno.TestContext) => Promise<void>,
): void {
  for (const row of ROWS) {
    // The interpreter would take minutes for what the translator, its equal to the bit, does in seconds.
    if (!isWanted(row) || row.engine === "interpreter") continue;
    const debian = debianGuest(row.arch);
    const why = row.obstacle ??
      (row.engine === "kvm" && !hasHardwareKvm ? "needs a hardware KVM" : undefined) ??
      (debian ? undefined : `needs "deno task fixtures --arch ${row.arch}"`);
    Deno.test({
      name: `${name} [${row.name}${why ? `: ${why}` : ""}]`,
      ignore: why !== undefined,
      fn: (t) => fn(linux(row, debian!), t),
    });
  }
}

function linux(row: Row, debian: DebianGuest): Linux {
  const { arch, engine } = row;
  const { kernel, initrd } = debian;
  const start = (options: Partial<BootOptions> = {}) =>
    boot({
      ...{ arch, engine, kernel, initrd, append: "console=ttyS0", memory: "256M", report: false },
      watchdog: host("15m"),
      ...options,
    });
  return {
    row,
    debian,
    boot: start,
    async atPrompt(options) {
      const vm = await start(options);
      await vm.console.waitFor(/# $/, { within: BOOT_WITHIN });
      return vm;
    },
  };
}
