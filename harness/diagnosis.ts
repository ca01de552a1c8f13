/**
 * What a failure can tell of the guest's kernel, read from its memory: where vCPUs stand and how they came there,
 * the end of its log, where a busy guest spends its time. A guest that is no Linux, or whose memory is damaged, has
 * none of it, and that is no error.
 */
import { backtrace, type Frame } from "./backtrace/backtrace.ts";
import type { Cpu } from "./cpu.ts";
import { BootwrightError, type CpuPosition } from "./errors.ts";
import type { GuestMemory } from "./guest_memory.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { LogEntry } from "./kernel/log.ts";
import { buildIdOfGuest, requireSameBuild } from "./symbols/build_id.ts";
import type { OpenedSymbols } from "./symbols/open_symbols.ts";
import { PcHistogram } from "./symbols/pc_histogram.ts";
import type { SymbolTable } from "./symbols/symbol_table.ts";
import { symbolizeText } from "./symbols/symbolize_text.ts";
import { formatPlace, Symbolizer } from "./symbols/symbolizer.ts";

/** A file of symbols that a test has given. */
export interface GivenSymbols extends OpenedSymbols {
  /** Its name, for errors. */
  readonly name: string;
}

/** The machine that is looked at. */
export interface DiagnosedMachine {
  readonly arch: string;
  readonly kernel: Kernel;
  readonly memory: GuestMemory;
  readonly cpus: readonly Cpu[];
  readonly given: GivenSymbols | undefined;
}

/** Frames of a backtrace in a position. */
const MAX_FRAMES = 24;
/** Places that a busy guest's time is told by. */
const MAX_PLACES = 5;
/** Samples below which a histogram says nothing. */
const FEW_SAMPLES = 5;

/** What one machine's failures tell. */
export class Diagnosis {
  readonly #machine: DiagnosedMachine;
  readonly #samples = new PcHistogram();
  #symbolizer: Symbolizer | undefined;

  /** Made with the machine; looks at nothing yet. */
  constructor(machine: DiagnosedMachine) {
    this.#machine = machine;
  }

  /**
   * Names of the kernel's code, and lines where the test gave a `vmlinux` with them.
   *
   * @throws {KernelInsightError} without a kernel.
   * @throws {InputError} when the symbols given are of another build.
   */
  symbolizer(): Symbolizer {
    const { kernel, given } = this.#machine;
    const table: SymbolTable = kernel.symbols;
    if (this.#symbolizer?.table === table) return this.#symbolizer;
    if (given) {
      const guest = ifReadable(() => buildIdOfGuest(kernel.memory, table));
      requireSameBuild(given.name, given.buildId, guest);
    }
    return this.#symbolizer = new Symbolizer(table, given?.lines);
  }

  /** A vCPU's frames, the innermost first. */
  backtrace(cpu: Cpu): Frame[] {
    const { arch, memory, given } = this.#machine;
    // Symbols that do not fit are told of; a guest without a kernel is not worth a word.
    const kernel = given ? this.symbolizer() : ifReadable(() => this.symbolizer());
    return backtrace(cpu, memory, arch, { limit: MAX_FRAMES, ...(kernel && { kernel }) });
  }

  /** Where a vCPU stands, with names. */
  position(cpu: Cpu): CpuPosition {
    const position = cpu.position();
    if (position.state === "stopped" || ifReadable(() => this.symbolizer()) === undefined) return position;
    const frames = this.backtrace(cpu);
    const { symbol, offset = 0, size = 0, file, line } = frames[0];
    const place = symbol === undefined ? undefined : formatPlace({ symbol, offset, size, file, line });
    return { ...position, ...(place && { symbol: place }), frames };
  }

  /** The kernel's log; undefined where it cannot be read. */
  log(): readonly LogEntry[] | undefined {
    return ifReadable(() => this.#machine.kernel.log());
  }

  /** Why the symbols that the test gave are of no use, where they are of none. */
  notice(): string | undefined {
    if (!this.#machine.given) return undefined;
    try {
      this.symbolizer();
    } catch (error) {
      if (error instanceof BootwrightError) return error.message;
      throw error;
    }
    return undefined;
  }

  /** A report's text with its bare addresses named. */
  symbolized(text: string): string {
    return ifReadable(() => symbolizeText(text, this.symbolizer())) ?? text;
  }

  /** Forgets where time was spent: a wait begins. */
  waitBegins(): void {
    this.#samples.clear();
  }

  /** Looks where vCPUs are. */
  sample(): void {
    for (const cpu of this.#machine.cpus) {
      if (cpu.state === "running") this.#samples.add(cpu.pc, cpu.mode);
    }
  }

  /** Where the guest spent the wait's time, the hottest place first; empty for one that mostly idled. */
  hotSpots(): string[] {
    if (this.#samples.samples < FEW_SAMPLES) return [];
    return this.#samples.describe(MAX_PLACES, ifReadable(() => this.symbolizer()));
  }
}

/** A log entry as `dmesg` prints it, without level. */
export function logLine({ timeNs, text }: LogEntry): string {
  return `[${(timeNs / 1e9).toFixed(6).padStart(12)}] ${text}`;
}

/**
 * What `look` gives; undefined where the kernel cannot be read, or not with the symbols that were given: a failure
 * that is being told must not make way for another.
 */
function ifReadable<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof BootwrightError) return undefined;
    throw error;
  }
}
