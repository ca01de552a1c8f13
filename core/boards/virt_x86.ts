/**
 * `virt-x86`: a PC without firmware and PCI. Two 16550 UARTs, CMOS clock, keyboard controller, ACPI with
 * power button, sleep and reset, a debug exit and pvpanic. The interrupt controllers and the PIT are the
 * engine's (KVM has them in the kernel); devices drive {@linkcode Machine.interruptPins}.
 */
import { formatBytes, ImageError } from "../boot/image_error.ts";
import type { ImageBytes } from "../boot/image_file.ts";
import { placeSegments, type Segment } from "../boot/kernel.ts";
import { bootParams } from "../boot/x86/boot_params.ts";
import { E820_ACPI, E820_RAM, E820_RESERVED, type E820Entry } from "../boot/x86/e820.ts";
import { loadX86Kernel, type X86Kernel } from "../boot/x86/kernel.ts";
import { startInfo } from "../boot/x86/pvh.ts";
import { x86_64 } from "../decoder/x86/isa.ts";
import { powerOnRegisters, type X86Registers } from "../decoder/x86/registers.ts";
import type { X86Vcpu } from "../decoder/x86/vcpu.ts";
import { AcpiPm } from "../devices/acpi_pm.ts";
import { CmosRtc } from "../devices/cmos_rtc.ts";
import { DebugExit, PvPanic, ResetControl } from "../devices/exit_ports.ts";
import { DEFAULT_EPOCH_SECONDS } from "../devices/goldfish_rtc.ts";
import { I8042 } from "../devices/i8042.ts";
import { Uart16550 } from "../devices/uart16550.ts";
import { Machine } from "../machine.ts";
import { type HostMemory, PAGE_SIZE } from "../memory.ts";
import type { Board } from "./board.ts";
import { acpiTables } from "./x86/acpi.ts";
import {
  ACPI_TABLES,
  BOOT_PARAMS,
  BOOT_SECTOR,
  COMMAND_LINE,
  COMMAND_LINE_BYTES,
  EBDA,
  EXTENDED_RAM,
  FLAT_BASE,
  HIGH_RAM_BASE,
  IRQS,
  LOW_RAM_MAX,
  MAX_VCPUS,
  PORTS,
  START_INFO,
  UART_HZ,
} from "./x86/address_map.ts";
import type { CpuMode } from "./x86/cpu_mode.ts";
import { entryRegisters, startTables } from "./x86/start.ts";

/** The first megabyte and as much again. */
const MIN_RAM_BYTES = 2 * EXTENDED_RAM;

/** What a `virt-x86` board is made from. */
export interface VirtX86Options {
  /** Where RAM comes from. */
  readonly memory: HostMemory;
  /** Bytes of RAM, a multiple of the page size. */
  readonly ramBytes: number;
  /** vCPUs, 1 to 8. */
  readonly vcpus: number;
  /** The kernel: a Linux `bzImage`, an ELF file or a flat binary. */
  readonly kernel: ImageBytes;
  /** What errors call it. @default "the kernel" */
  readonly kernelName?: string;
  /** Initial RAM disk. */
  readonly initrd?: ImageBytes;
  /** What errors call it. @default "the initrd" */
  readonly initrdName?: string;
  /** The kernel's command line. @default "" */
  readonly append?: string;
  /**
   * The mode a flat binary starts in: "real" as a boot sector, at 0:0x7c00; "protected" or "long" at 1 MiB.
   *
   * @default "real"
   */
  readonly cpuMode?: CpuMode;
  /** The real-time clock's date at guest time 0, in seconds since the Unix epoch. @default 2025-01-01 */
  readonly epochSeconds?: number;
}

/**
 * Builds the machine and loads its images.
 *
 * @throws {ImageError} when an image cannot be used.
 * @throws {MemoryError} when the host refuses the RAM.
 */
export async function createVirtX86(options: VirtX86Options): Promise<Board> {
  const { memory, ramBytes, vcpus } = options;
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MAX_VCPUS) {
    throw new RangeError(`A virt-x86 machine has 1 to ${MAX_VCPUS} vCPUs, not ${vcpus}.`);
  }
  if (!Number.isSafeInteger(ramBytes) || ramBytes < MIN_RAM_BYTES || ramBytes % PAGE_SIZE !== 0) {
    const least = formatBytes(MIN_RAM_BYTES);
    throw new RangeError(
      `A virt-x86 machine has ${least} of RAM or more, in whole pages, not ${ramBytes} bytes.`,
    );
  }
  const lowBytes = Math.min(ramBytes, LOW_RAM_MAX);
  const { kernel, segments, registers } = await loadImages(options, lowBytes);
  const machine = new Machine({
    isa: x86_64,
    memory,
    ramBase: 0,
    ramSize: lowBytes,
    vcpus,
    ...(ramBytes > lowBytes && { moreRam: { base: HIGH_RAM_BASE, size: ramBytes - lowBytes } }),
  });
  const devices = mapDevices(machine, options.epochSeconds ?? DEFAULT_EPOCH_SECONDS);
  const start = (fresh: boolean) => {
    placeSegments(machine.ram, segments, fresh);
    for (const vcpu of machine.vcpus as readonly X86Vcpu[]) {
      vcpu.holder.powerOn(vcpu.index === 0 ? registers : powerOnRegisters(vcpu.index));
    }
  };
  start(true);
  return {
    name: "virt-x86",
    machine,
    ...devices,
    kernel: kernel.image,
    reset() {
      machine.exit = undefined;
      machine.bus.reset();
      machine.ports.reset();
      start(false);
    },
  };
}

/** Everything that goes into RAM, and the boot processor's registers. */
interface Images {
  readonly kernel: X86Kernel;
  readonly segments: readonly Segment[];
  readonly registers: X86Registers;
}

async function loadImages(options: VirtX86Options, lowBytes: number): Promise<Images> {
  const { cpuMode = "real", vcpus, initrd } = options;
  const kernel = await loadX86Kernel(options.kernel, {
    file: options.kernelName ?? "the kernel",
    ramBytes: lowBytes,
    flatBase: cpuMode === "real" ? BOOT_SECTOR : FLAT_BASE,
    commandLineBytes: COMMAND_LINE_BYTES - 1,
  });
  const { image, protocol } = kernel;
  if (options.cpuMode !== undefined && protocol !== "flat") {
    throw new ImageError(
      image.file,
      "says itself in which mode it starts: it is no flat binary",
      "leave cpuMode out",
    );
  }
  const commandLine = new TextEncoder().encode(options.append ?? "");
  if (commandLine.length > kernel.commandLineBytes) {
    throw new ImageError(
      "the command line",
      `has ${commandLine.length} bytes, and the kernel takes ${kernel.commandLineBytes}`,
      "shorten it",
    );
  }
  const initrdFile = options.initrdName ?? "the initrd";
  const placed = initrd && placeInitrd(initrd.length, initrdFile, kernel, lowBytes);
  const memoryMap = usableMemory(options.ramBytes, lowBytes);
  const common = {
    commandLine: COMMAND_LINE,
    memoryMap,
    rsdp: ACPI_TABLES,
    ...(placed && { initrd: placed }),
  };

  const mode: CpuMode = protocol === "linux64" ? "long" : protocol === "pvh" ? "protected" : cpuMode;
  const segment = (address: number, bytes: ImageBytes) => ({ address, bytes, memoryBytes: bytes.length });
  const segments = [...image.segments, segment(ACPI_TABLES, acpiTables(vcpus))];
  for (const { address, bytes } of startTables(mode)) segments.push(segment(address, bytes));
  if (placed) segments.push(segment(placed.start, initrd));
  if (protocol !== "flat") segments.push(segment(COMMAND_LINE, Uint8Array.of(...commandLine, 0)));
  if (protocol === "linux64") {
    const parameters = bootParams({
      ...common,
      commandLineBytes: commandLine.length,
      ...(kernel.setupHeader && { setupHeader: kernel.setupHeader }),
    });
    segments.push(segment(BOOT_PARAMS, parameters));
  } else if (protocol === "pvh") {
    segments.push(segment(START_INFO, startInfo({ ...common, address: START_INFO })));
  }
  const registers = entryRegisters(mode, {
    entry: image.entry,
    ...(protocol === "linux64" && { rsi: BOOT_PARAMS }),
    ...(protocol === "pvh" && { rbx: START_INFO }),
  });
  return { kernel, segments, registers };
}

/** As high as it may go. */
function placeInitrd(
  bytes: number,
  file: string,
  kernel: X86Kernel,
  lowBytes: number,
): { start: number; end: number } {
  if (bytes === 0) throw new ImageError(file, "is empty", "give an initrd, or leave it out");
  const top = Math.min(lowBytes, kernel.initrdAddressMax + 1);
  const start = Math.floor((top - bytes) / PAGE_SIZE) * PAGE_SIZE;
  if (start < Math.max(kernel.image.end, EXTENDED_RAM)) {
    throw new ImageError(
      file,
      `(${formatBytes(bytes)}) does not fit beside ${kernel.image.file} in the guest's ${
        formatBytes(lowBytes)
      } of RAM`,
      "give the guest more memory",
    );
  }
  return { start, end: start + bytes };
}

function usableMemory(ramBytes: number, lowBytes: number): E820Entry[] {
  const span = (start: number, end: number, type: number) => ({ start, bytes: end - start, type });
  return [
    span(0, EBDA, E820_RAM),
    span(EBDA, 0xa0000, E820_RESERVED),
    span(ACPI_TABLES, EXTENDED_RAM, E820_ACPI),
    span(EXTENDED_RAM, lowBytes, E820_RAM),
    ...(ramBytes > lowBytes ? [span(HIGH_RAM_BASE, HIGH_RAM_BASE + ramBytes - lowBytes, E820_RAM)] : []),
  ];
}

function mapDevices(
  machine: Machine,
  epochSeconds: number,
): Required<Pick<Board, "serial" | "keyboard" | "powerButton">> {
  const { clock, interruptPins, ports } = machine;
  const onExit = machine.requestExit.bind(machine);
  const serial = [IRQS.com1, IRQS.com2].map((irq) => new Uart16550(clock, interruptPins.line(irq), UART_HZ));
  const keyboard = new I8042(interruptPins.line(IRQS.keyboard), onExit);
  const powerButton = new AcpiPm(interruptPins.line(IRQS.sci), onExit);
  const panic = new PvPanic((event) => {
    if (event === "panicked") {
      onExit({ kind: "panic", detail: "the guest's kernel reported a panic (pvpanic)" });
    }
  });
  const map = (name: keyof typeof PORTS, device: Parameters<typeof ports.map>[3]) => {
    const [base, count] = PORTS[name];
    ports.map(name, base, count, device);
  };
  map("i8042", keyboard);
  map("cmos", new CmosRtc(clock, interruptPins.line(IRQS.rtc), epochSeconds));
  map("debugExit", new DebugExit(onExit));
  map("com1", serial[0]);
  map("com2", serial[1]);
  map("pvpanic", panic);
  map("acpiPm", powerButton);
  map("resetControl", new ResetControl(onExit));
  return { serial, keyboard, powerButton };
}
