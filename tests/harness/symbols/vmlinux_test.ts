/** A `vmlinux` with debugging information, given to `boot()`: what Debian's kernel crashes in has a file and a line. */
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { translatorObstacle } from "../../../accel/select.ts";
import { debianGuest } from "../../../fixtures/debian.ts";
import { buildIdOfGuest } from "../../../harness/symbols/build_id.ts";
import type { SymbolTable } from "../../../harness/symbols/symbol_table.ts";
import { boot, guest, GuestCrashError, InputError, type Vm } from "../../../mod.ts";
import { Folder, run, TOOLCHAINS } from "./cross.ts";

const debian = debianGuest("riscv64");
const riscv = TOOLCHAINS.find(({ architecture }) => architecture === "riscv64")!;
const missing = !debian
  ? 'needs "deno task fixtures"'
  : await translatorObstacle()
  ? "needs the translator"
  : riscv.present
  ? undefined
  : "needs riscv64-linux-gnu-gcc";

/** What crashes when sysrq is told to. */
const CRASHER = "sysrq_handle_crash";
const LINE = 150;
const OTHER_BUILD = "00112233445566778899aabbccddeeff00112233";

function linux(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: missing ? `${name} (${missing})` : name, ignore: missing !== undefined, fn });
}

async function atPrompt(symbols?: string): Promise<Vm> {
  const { kernel, initrd } = debian!;
  const vm = await boot({
    ...{ arch: "riscv64", kernel, initrd, append: "console=ttyS0 quiet", memory: "256M" },
    ...{ report: false, ...(symbols !== undefined && { symbols }) },
  });
  await vm.console.waitFor(/# $/, { within: guest("30s") });
  return vm;
}

/**
 * Links what passes for the running kernel's vmlinux: its symbols where they are, and the lines of the one function
 * that crashes. (The real one is in a package of 800 MB.)
 */
function linkVmlinux(folder: Folder, symbols: SymbolTable, buildId: string): string {
  const start = symbols.lookup("_stext")!.address, end = symbols.lookup("_end")!.address;
  const crasher = symbols.lookup(CRASHER)!;
  const names = new Set<string>();
  const source = [
    `.section .kernel, "ax", @nobits`,
    `.Lkernel: .zero ${end - start + 16n}`,
    ...Array.from({ length: symbols.size }, (_, i) => symbols.at(i)).flatMap(({ name, address }) => {
      if (address < start || address > end || names.has(name) || !/^[A-Za-z_][\w.]*$/.test(name)) return [];
      names.add(name);
      return [`.set ${name}, .Lkernel + ${address - start}`];
    }),
    `.file 1 "drivers/tty/sysrq.c"`,
    `.text`,
    `.option norvc`,
    `.loc 1 ${LINE}`,
    ...Array.from({ length: crasher.size / 4 }, () => "nop"),
  ];
  const path = folder.file(`vmlinux-${buildId.slice(0, 4)}`);
  const hex = (address: bigint) => `0x${address.toString(16)}`;
  // A script of its own: the linker's would have an _end of its own.
  const script = `SECTIONS { .kernel ${hex(start)} : { *(.kernel) } .text ${
    hex(crasher.address)
  } : { *(.text) } }`;
  Deno.writeTextFileSync(`${path}.lds`, script);
  Deno.writeTextFileSync(`${path}.s`, source.join("\n") + "\n");
  const link = ["-nostdlib", "-static", "-Wl,--no-relax", "-Wl,--no-check-sections", `-Wl,-T,${path}.lds`];
  run(`${riscv.prefix}gcc`, ...link, `-Wl,--build-id=0x${buildId}`, "-o", path, `${path}.s`);
  return path;
}

linux("a vmlinux gives a crash's frames their lines, and one of another build is refused", async () => {
  using folder = new Folder();
  let right: string, wrong: string, own: string;
  {
    await using vm = await atPrompt();
    const { symbols, memory } = vm.kernel;
    own = buildIdOfGuest(memory, symbols)!;
    right = linkVmlinux(folder, symbols, own);
    wrong = linkVmlinux(folder, symbols, OTHER_BUILD);
  }

  await using vm = await atPrompt(right);
  assertEquals(vm.kernel.banner().slice(0, 13), "Linux version");
  await vm.console.type("echo c >/proc/sysrq-trigger\n");
  const error = await assertRejects(() => vm.console.waitFor("never printed"), GuestCrashError);
  const place = `drivers/tty/sysrq.c:${LINE}`;
  assertStringIncludes(error.crashReport, place);
  assertStringIncludes(error.message, place);
  const frame = vm.backtrace().find(({ symbol }) => symbol === CRASHER);
  assertEquals([frame?.file, frame?.line], ["drivers/tty/sysrq.c", LINE]);

  await using other = await atPrompt(wrong);
  const refusal = assertThrows(() => other.backtrace(), InputError, "is of another build");
  assertStringIncludes(refusal.message, `its build ID is ${OTHER_BUILD}, the guest's is ${own}`);
  // A failure is told all the same, by what the kernel itself has printed, and says why it has no lines.
  await other.console.type("echo c >/proc/sysrq-trigger\n");
  const crash = await assertRejects(() => other.console.waitFor("never printed"), GuestCrashError);
  assertStringIncludes(crash.crashReport, "write_sysrq_trigger+0x");
  assert(!crash.crashReport.includes(place));
  assertStringIncludes(crash.message, `symbols: ${refusal.message}`);
});
