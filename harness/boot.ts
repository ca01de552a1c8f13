/** Makes a machine from images and options. Everything that can be wrong with them is found here. */
import { CPU_MODELS, type CpuModel } from "../accel/kvm/cpuid.ts";
import {
  ENGINE_CHOICES,
  type EngineChoice,
  type EngineSelection,
  EngineUnavailableError,
  selectEngine,
} from "../accel/select.ts";
import { formatBytes, ImageError } from "../core/boot/image_error.ts";
import type { Engine } from "../accel/engine.ts";
import type { Machine } from "../core/machine.ts";
import { MemoryError, PAGE_SIZE } from "../core/memory.ts";
import { CPU_MODES, type CpuMode } from "../core/boards/x86/cpu_mode.ts";
import type { ImageBytes } from "../core/boot/image_file.ts";
import { type Arch, ARCHS, type BoardOptions, BOARDS, type BoardSpecial } from "./boards.ts";
import type { HostDuration } from "./budget.ts";
import { Driver, type ResetPolicy } from "./driver.ts";
import { BootwrightError, HostError, InputError } from "./errors.ts";
import type { FaultPolicy } from "./faults/faults.ts";
import type { GivenSymbols } from "./diagnosis.ts";
import { HostFile } from "./host_file.ts";
import { parseBytes } from "./quantity.ts";
import { didYouMean } from "./suggest.ts";
import type { ShellOptions } from "./shell/shell.ts";
import { DEFAULT_TRANSCRIPT_BYTES } from "./transcript.ts";
import { Vm } from "./vm.ts";

/** An image: a path, a file URL, or its bytes. */
export type ImageSource = string | URL | Uint8Array;

/** What {@linkcode boot} makes a machine from. */
export interface BootOptions {
  /** Guest architecture. */
  readonly arch: Arch;
  /** Linux `Image` (also compressed) or `bzImage`, ELF file or flat binary. */
  readonly kernel: ImageSource;
  /** Initial RAM disk. @default none */
  readonly initrd?: ImageSource;
  /** The kernel's command line. @default "" */
  readonly append?: string;
  /**
   * The kernel's `vmlinux` (with debugging information: file and line in backtraces and crash reports) or
   * `System.map`. @default its symbols are found in guest memory
   */
  readonly symbols?: string | URL;
  /** Firmware to run in place of the built-in one (riscv64 only). @default none */
  readonly firmware?: ImageSource;
  /**
   * The mode a flat binary starts in (x86_64 only): "real" as a boot sector does, at 0:0x7c00; "protected" or
   * "long" at 1 MiB.
   *
   * @default "real"
   */
  readonly cpuMode?: CpuMode;
  /** RAM: `"512M"`, `"1G"`, or bytes. @default "512M" */
  readonly memory?: string | number;
  /** vCPUs. @default 1 */
  readonly cpus?: number;
  /** What executes the guest. "auto" takes the fastest that this host allows. @default "auto" */
  readonly engine?: EngineChoice;
  /**
   * What processor the guest sees under the engine "kvm": all that the host's has ("host"), or a level of the
   * x86-64 psABI, for guests that shall find the same on every host.
   *
   * @default "host"
   */
  readonly cpuModel?: CpuModel;
  /**
   * What a guest's own reset is: the end ("exit"), or a start over ("reboot", up to 16 times).
   *
   * @default "exit"
   */
  readonly onReset?: ResetPolicy;
  /** Wall time that any one wait may take before the verdict is "host too slow". @default host("5m") */
  readonly watchdog?: HostDuration;
  /** Bytes of each console's output to keep. @default 67108864 (64 MiB) */
  readonly transcriptBytes?: number;
  /**
   * Whether a console's text, and what patterns see of it, is without terminal escape sequences ("strip") or
   * with them ("keep"). Its bytes always have them.
   *
   * @default "strip"
   */
  readonly ansi?: "strip" | "keep";
  /**
   * What crashes do, by rule or family of docs/crash-rules.md: end a wait at once ("fatal"), fail it at its
   * end ("collect"), only be remembered ("note"), or nothing ("ignore").
   *
   * @default the table's classes
   */
  readonly faults?: Readonly<Record<string, FaultPolicy>>;
  /**
   * The folder in which a failed wait leaves a report (report.html, console, recording, machine state), or false
   * for none.
   *
   * @default the environment's BOOTWRIGHT_REPORT ("off" for none), else "bootwright-report"; none where
   * the permission to write there was not granted
   */
  readonly report?: string | false;
  /** How `vm.shell` works. @default on the second serial line where the guest has one */
  readonly shell?: ShellOptions;
}

const MIN_TRANSCRIPT_BYTES = 4096;
const KNOWN_OPTIONS = [
  "arch",
  "kernel",
  "initrd",
  "append",
  "symbols",
  "firmware",
  "cpuMode",
  "cpuModel",
  "memory",
  "cpus",
  "engine",
  "onReset",
  "watchdog",
  "transcriptBytes",
  "ansi",
  "faults",
  "report",
  "shell",
];

/**
 * Makes a machine. It stands still until something is awaited of it.
 *
 * @example
 * ```ts
 * import { boot, guest } from "@bootwright/bootwright";
 *
 * await using vm = await boot({ arch: "riscv64", kernel: "hello.elf" });
 * await vm.console.waitFor(/Hello from (\w+)/, { within: guest("1s") });
 * ```
 * @throws {InputError} when an option or an image cannot be used.
 * @throws {HostError} when the host lacks what the machine needs.
 */
export async function boot(options: BootOptions): Promise<Vm> {
  checkOptions(options);
  const { arch, cpus = 1 } = options;
  const row = BOARDS[arch];
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > row.maxCpus) {
    throw new InputError(`A ${arch} machine has 1 to ${row.maxCpus} vCPUs, not ${cpus}.`);
  }
  const ramBytes = memoryBytes(options.memory ?? "512M");
  try {
    const [selection, kernel, initrd, firmware] = await Promise.all([
      selectEngine(options.engine ?? "auto", { arch, cpuModel: options.cpuModel }),
      openImage(options.kernel, "kernel"),
      options.initrd === undefined ? undefined : openImage(options.initrd, "initrd"),
      options.firmware === undefined ? undefined : openImage(options.firmware, "firmware"),
    ]);
    const boardOptions: BoardOptions = {
      memory: selection.memory,
      ramBytes,
      vcpus: cpus,
      kernel: kernel.bytes,
      kernelName: kernel.name,
      ...(initrd && { initrd: initrd.bytes, initrdName: initrd.name }),
      ...(firmware && { firmware: firmware.bytes, firmwareName: firmware.name }),
      append: options.append ?? "",
      ...(options.cpuMode && { cpuMode: options.cpuMode }),
    };
    const board = await row.create(boardOptions);
    const engine = bind(selection, board.machine);
    const driver = new Driver(board, engine, options.onReset ?? "exit", options.watchdog);
    return new Vm(driver, {
      arch,
      notice: selection.notice,
      console: {
        transcriptBytes: options.transcriptBytes ?? DEFAULT_TRANSCRIPT_BYTES,
        stripAnsi: options.ansi !== "keep",
      },
      command: reproduceCommand(options),
      faults: options.faults ?? {},
      report: options.report,
      symbols: await givenSymbols(options.symbols),
      shell: options.shell,
    });
  } catch (error) {
    throw translated(error);
  }
}

/** The engine for a machine. The machine's memory does not outlive the attempt. */
function bind(selection: EngineSelection, machine: Machine): Engine {
  try {
    return selection.create(machine);
  } catch (error) {
    machine.dispose();
    throw error;
  }
}

function checkOptions(options: BootOptions): void {
  for (const name of Object.keys(options)) {
    if (!KNOWN_OPTIONS.includes(name)) {
      throw new InputError(`boot() has no option "${name}".${didYouMean(name, KNOWN_OPTIONS)}`);
    }
  }
  checkArch(options.arch);
  if (options.cpuMode !== undefined) oneOf("cpuMode", options.cpuMode, CPU_MODES);
  if (options.cpuModel !== undefined) oneOf("cpuModel", options.cpuModel, CPU_MODELS);
  for (const name of ["firmware", "cpuMode", "cpuModel"] as const satisfies readonly BoardSpecial[]) {
    if (options[name] !== undefined && !BOARDS[options.arch].takes.includes(name)) {
      throw new InputError(`A ${options.arch} machine takes no ${name}; leave it out.`);
    }
  }
  if (options.engine !== undefined) oneOf("engine", options.engine, ENGINE_CHOICES);
  if (options.onReset !== undefined) oneOf("onReset", options.onReset, ["exit", "reboot"]);
  if (options.ansi !== undefined) oneOf("ansi", options.ansi, ["strip", "keep"]);
  const { transcriptBytes } = options;
  if (transcriptBytes !== undefined && !(transcriptBytes >= MIN_TRANSCRIPT_BYTES)) {
    throw new InputError(`transcriptBytes is ${MIN_TRANSCRIPT_BYTES} or more, not ${transcriptBytes}.`);
  }
}

/** Finds the architecture, also by the names that others give it. */
function checkArch(arch: string): void {
  const meant = ARCHS.find((known) => BOARDS[known].aliases.includes(String(arch).toLowerCase()));
  if (meant === undefined) return oneOf("architecture", arch, ARCHS);
  throw new InputError(`There is no architecture "${arch}"; here it is called ${meant}.`);
}

function oneOf(what: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw new InputError(
    `There is no ${what} "${value}".${didYouMean(String(value), allowed)} There is: ${allowed.join(", ")}.`,
  );
}

/** Bytes of RAM, checked against what the host has where it tells. */
function memoryBytes(size: string | number): number {
  const bytes = parseBytes(size, "Memory");
  if (bytes === 0) throw new InputError("A guest needs memory; 0 bytes are none.");
  if (bytes % PAGE_SIZE !== 0) {
    throw new InputError(`Memory is a multiple of ${PAGE_SIZE} bytes, not ${bytes}.`);
  }
  const hostBytes = hostMemoryBytes();
  if (hostBytes !== undefined && bytes > hostBytes) {
    throw new InputError(
      `The guest's memory of ${formatBytes(bytes)} is more than the host's ${
        formatBytes(hostBytes)
      }; ask for less.`,
    );
  }
  return bytes;
}

/** The host's memory, where the permission to ask was granted. */
export function hostMemoryBytes(): number | undefined {
  const permission = { name: "sys", kind: "systemMemoryInfo" } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") return undefined;
  return Deno.systemMemoryInfo().total;
}

async function givenSymbols(path: string | URL | undefined): Promise<GivenSymbols | undefined> {
  if (path === undefined) return undefined;
  const { openSymbols } = await import("./symbols/open_symbols.ts");
  return { ...openSymbols(path), name: String(path) };
}

async function openImage(source: ImageSource, what: string): Promise<{ bytes: ImageBytes; name: string }> {
  if (source instanceof Uint8Array) return { bytes: source, name: `the ${what}` };
  if (typeof source !== "string" && !(source instanceof URL)) {
    throw new InputError(`The ${what} is a path, a file URL or bytes.`);
  }
  const name = String(source);
  try {
    const { isFile, size } = await Deno.stat(source);
    // A pipe can be read but once; what says that it is empty may be one of /proc.
    const bytes = isFile && size > 0
      ? new HostFile(source, `The ${what} ${name}`)
      : await Deno.readFile(source);
    return { bytes, name };
  } catch (error) {
    throw new InputError(`The ${what} ${name} cannot be read: ${reason(error)}.`, { cause: error });
  }
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.NotCapable) return "the permission --allow-read was not granted for it";
  if (error instanceof Deno.errors.PermissionDenied) return "the host denies access to it";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}

/** An error of a lower layer as the harness's own. */
function translated(error: unknown): unknown {
  if (error instanceof BootwrightError || !(error instanceof Error)) return error;
  if (error instanceof ImageError || error instanceof RangeError) {
    return new InputError(error.message, { cause: error });
  }
  if (error instanceof MemoryError || error instanceof EngineUnavailableError) {
    return new HostError(error.message, { cause: error });
  }
  return error;
}

/** The command that makes the same machine; undefined where an image has no file. */
function reproduceCommand(options: BootOptions): readonly string[] | undefined {
  const words = ["bootwright", "run", "--arch", options.arch];
  for (
    const name of [
      "kernel",
      "initrd",
      "firmware",
      "append",
      "memory",
      "cpus",
      "cpuMode",
      "cpuModel",
      "engine",
    ] as const
  ) {
    const value = options[name];
    if (value === undefined) continue;
    if (value instanceof Uint8Array) return undefined;
    words.push(
      `--${name.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}`,
      value instanceof URL ? value.pathname : String(value),
    );
  }
  return words;
}
