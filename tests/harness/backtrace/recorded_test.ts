/**
 * Backtraces of real kernels whose machines cannot run here, or not fast enough: of each, the registers, the memory
 * that unwinding reads, the symbols it asks for, and where the kernel printed its own trace, that. They were recorded
 * from Debian's kernels under QEMU through its gdb stub: `panic` in the function that prints the trace of
 * `echo c >/proc/sysrq-trigger`, `interrupt` in the timer interrupt of code in a system call (arm64) or in another
 * interrupt of a program (x86_64).
 */
import { assert, assertEquals } from "@std/assert";
import { backtrace } from "../../../harness/backtrace/backtrace.ts";
import { formatBacktrace } from "../../../harness/backtrace/frame.ts";
import { Symbolizer } from "../../../harness/symbols/symbolizer.ts";
import { symbolTable } from "../../../harness/symbols/symbol_table_builder.ts";
import { FakeCpu, SparseMemory } from "./_guest.ts";

interface Recording {
  readonly arch: string;
  readonly mode: string;
  readonly registers: Readonly<Record<string, string>>;
  readonly memory: Readonly<Record<string, string>>;
  readonly symbols: readonly string[];
  readonly frames: readonly string[];
  readonly printed?: readonly string[];
}

function replay(name: string): { recording: Recording; lines: string[] } {
  const path = new URL(`recorded/${name}.json`, import.meta.url);
  const recording: Recording = JSON.parse(Deno.readTextFileSync(path));
  const memory = new SparseMemory();
  for (const [address, hex] of Object.entries(recording.memory)) {
    memory.put(BigInt(`0x${address}`), Uint8Array.fromHex(hex));
  }
  const registers = Object.entries(recording.registers)
    .map(([register, hex]): [string, bigint] => [register, BigInt(`0x${hex}`)]);
  const symbols = recording.symbols.map((line) => {
    const [address, size, type, symbol] = line.split(" ");
    return { name: symbol, address: BigInt(`0x${address}`), size: parseInt(size, 16), type };
  });
  const cpu = new FakeCpu(recording.mode, Object.fromEntries(registers));
  const kernel = new Symbolizer(symbolTable(symbols));
  return { recording, lines: formatBacktrace(backtrace(cpu, memory, recording.arch, { kernel })) };
}

for (const name of ["x86_64_panic", "arm64_panic"]) {
  Deno.test(`finds what the kernel printed: ${name}`, () => {
    const { recording, lines } = replay(name);
    assertEquals(lines, recording.frames);
    const found = lines.map((line) => line.replace(/^#\d+ /, ""));
    // The innermost function has gone on since it printed itself.
    const printed = recording.printed!.filter((line) => !line.startsWith("dump_backtrace"));
    const at = found.indexOf(printed[0]);
    assert(at > 0 && printed.length >= 10);
    assertEquals(found.slice(at, at + printed.length), printed);
    assert(found.at(-1)!.endsWith("(user)"), "it ends in the program that made the system call");
  });
}

for (
  const [name, interrupted] of [["x86_64_interrupt", /^note_gp_changes/], [
    "arm64_interrupt",
    /^cp_new_stat/,
  ]] as const
) {
  Deno.test(`goes on through an interrupt: ${name}`, () => {
    const { recording, lines } = replay(name);
    assertEquals(lines, recording.frames);
    assert(lines[0].includes("hrtimer_interrupt"));
    assert(lines.some((line) => interrupted.test(line.replace(/^#\d+ /, ""))));
    assert(lines.at(-1)!.endsWith("(user)"));
  });
}

Deno.test("finds a part, and always ends, when any of the stack is something else", () => {
  for (const name of ["x86_64_interrupt", "arm64_interrupt"]) {
    const path = new URL(`recorded/${name}.json`, import.meta.url);
    const recording: Recording = JSON.parse(Deno.readTextFileSync(path));
    const kernel = new Symbolizer(symbolTable(recording.symbols.map((line) => {
      const [address, size, type, symbol] = line.split(" ");
      return { name: symbol, address: BigInt(`0x${address}`), size: parseInt(size, 16), type };
    })));
    const registers = Object.fromEntries(
      Object.entries(recording.registers).map(([register, hex]) => [register, BigInt(`0x${hex}`)]),
    );
    const cpu = new FakeCpu(recording.mode, registers);
    for (const damaged of Object.keys(recording.memory)) {
      for (const fill of [0x00, 0xff, 0x41, undefined]) {
        const memory = new SparseMemory();
        for (const [address, hex] of Object.entries(recording.memory)) {
          const bytes = Uint8Array.fromHex(hex);
          if (address === damaged && fill === undefined) continue;
          memory.put(BigInt(`0x${address}`), address === damaged ? bytes.fill(fill!) : bytes);
        }
        const frames = backtrace(cpu, memory, recording.arch, { kernel });
        assert(frames.length >= 1 && frames.length <= 64);
      }
    }
  }
});
