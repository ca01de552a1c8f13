/**
 * How fast console output is watched: a machine whose processor does nothing but print, so that all that is measured is
 * the harness: transcript, escape sequences, recording, the wait's patterns, and every crash rule.
 */
import { selectEngine } from "../accel/select.ts";
import type { CountingEngine } from "../accel/engine.ts";
import { createVirtRiscv64 } from "../core/boards/virt_riscv64.ts";
import type { Clock } from "../core/clock.ts";
import type { SerialPort } from "../core/devices/serial_port.ts";
import { guest } from "../harness/budget.ts";
import { Driver } from "../harness/driver.ts";
import { Vm } from "../harness/vm.ts";
import { kernelPath } from "../fixtures/kernels.ts";
import { median } from "./statistics.ts";

const LINES = 100_000;
/** Guest time between lines; the kernel's among them tell it. */
const LINE_NS = 1e6;
const LAST_LINE = "that was all";
const PASSES = 3;

/** MB/s (10⁶ bytes) at which a wait that names two patterns watches what a guest prints. */
export async function matchingRate(): Promise<number> {
  const lines = outputLines().map((line) => new TextEncoder().encode(`${line}\r\n`));
  const bytes = lines.reduce((sum, line) => sum + line.length, 0);
  const rates: number[] = [];
  for (let i = 0; i <= PASSES; i++) {
    await using vm = await printingMachine(lines);
    const start = performance.now();
    await vm.console.waitFor([/login: $/, LAST_LINE], { within: guest("1h") });
    rates.push(bytes / 1000 / (performance.now() - start));
    if (vm.faults.all.length > 0) throw new Error(`A fault was seen: ${vm.faults.all[0].title}`);
  }
  // The first pass warms up.
  return median(rates.slice(1));
}

/** What a guest prints: the kernel and its programs by turns. */
function outputLines(): string[] {
  const lines = Array.from(
    { length: LINES },
    (_, i) =>
      i % 2 === 0
        ? `[${(i * LINE_NS / 1e9).toFixed(6).padStart(12)}] virtio_net virtio${
          i % 7
        }: Assigned random MAC address ` +
          `52:54:00:12:34:${i % 90}`
        : `ok ${i} - selftests: net: the quick brown fox jumps over the lazy dog # time=${i}ms`,
  );
  return [...lines, LAST_LINE];
}

async function printingMachine(lines: readonly Uint8Array[]): Promise<Vm> {
  const { memory } = await selectEngine("interpreter");
  const kernel = await Deno.readFile(kernelPath("hello"));
  const board = await createVirtRiscv64({ memory, ramBytes: 16 << 20, vcpus: 1, kernel });
  const driver = new Driver(board, new Printer(board.machine.clock, board.serial[0], lines), "exit");
  return new Vm(driver, {
    ...{ arch: "riscv64", notice: undefined, command: undefined, symbols: undefined, shell: undefined },
    ...{ report: false, faults: {}, console: { transcriptBytes: 64 << 20, stripAnsi: true } },
  });
}

/** A processor that prints a line and then idles for {@linkcode LINE_NS} of instructions. */
class Printer implements CountingEngine {
  readonly name = "interpreter";
  readonly deterministic = true;
  #printed = 0;
  #idleNs = 0;

  constructor(
    private readonly clock: Clock,
    private readonly port: SerialPort,
    private readonly lines: readonly Uint8Array[],
  ) {}

  run(_: unknown, budget: number): void {
    if (this.#idleNs === 0 && this.#printed < this.lines.length) {
      for (const byte of this.lines[this.#printed++]) this.port.onTransmit(byte);
      this.#idleNs = LINE_NS;
    }
    const ns = Math.min(budget, this.#idleNs || budget);
    this.clock.instructions += ns;
    this.#idleNs = Math.max(0, this.#idleNs - ns);
  }

  statistics(): Record<string, number> {
    return {};
  }

  dispose(): void {}
}
