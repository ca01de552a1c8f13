/**
 * `virt-riscv64`: a RISC-V computer laid out like QEMU's `virt` machine, with the peripherals a serial-console
 * guest needs: two UARTs, PLIC, ACLINT, real-time clock and power control.
 *
 * It starts a kernel in one of three ways:
 * - `bios: "builtin"`: in S-mode, with the SBI answered by the board itself (`riscv/sbi.ts`). Hart 0 starts,
 *   the others wait for HSM.
 * - `bios: "none"`: every hart in M-mode at the kernel's entry, as after `qemu -bios none`.
 * - `firmware`: every hart in M-mode at the firmware's entry, which finds the kernel through the device tree
 *   and the structure OpenSBI's `fw_dynamic` wants.
 * Registers at entry: a0 = hart, a1 = device tree, a2 = that structure or 0.
 */
import { formatBytes, ImageError } from "../boot/image_error.ts";
import type { ImageBytes } from "../boot/image_file.ts";
import { type KernelImage, loadKernel, placeSegments, type Segment } from "../boot/kernel.ts";
import { DEVICE_TREE_AREA, layOutMemory } from "../boot/memory_layout.ts";
import { riscv64 } from "../decoder/riscv/isa.ts";
import type { RiscvHart } from "../decoder/riscv/hart.ts";
import { Aclint, AclintSswi } from "../devices/aclint.ts";
import { DEFAULT_EPOCH_SECONDS, GoldfishRtc } from "../devices/goldfish_rtc.ts";
import { Plic } from "../devices/plic.ts";
import { TestFinisher } from "../devices/test_finisher.ts";
import { Uart16550 } from "../devices/uart16550.ts";
import { Machine } from "../machine.ts";
import { type HostMemory, PAGE_SIZE } from "../memory.ts";
import type { Board } from "./board.ts";
import {
  IRQ_RTC,
  IRQ_UART0,
  IRQ_UART1,
  MAX_HARTS,
  RAM_BASE,
  REGIONS,
  SUPERVISOR_ENTRY,
  UART_HZ,
} from "./riscv/address_map.ts";
import { virtRiscv64DeviceTree } from "./riscv/device_tree.ts";
import { FW_DYNAMIC_INFO_BYTES, fwDynamicInfo } from "./riscv/fw_dynamic.ts";
import { Sbi } from "./riscv/sbi.ts";
import { pendSupervisorSoftware, startMachineMode, startSupervisorMode } from "./riscv/start.ts";

/** The device tree's area and as much again. */
const MIN_RAM_BYTES = 2 * DEVICE_TREE_AREA;

/** What a `virt-riscv64` board is made from. */
export interface VirtRiscv64Options {
  /** Where RAM comes from. */
  readonly memory: HostMemory;
  /** Bytes of RAM, a multiple of the page size. */
  readonly ramBytes: number;
  /** Harts, 1 to 8. */
  readonly vcpus: number;
  /** The kernel: a Linux `Image`, an ELF file or a flat binary, possibly compressed. */
  readonly kernel: ImageBytes;
  /** What errors call it. @default "the kernel" */
  readonly kernelName?: string;
  /** Initial RAM disk. */
  readonly initrd?: ImageBytes;
  /** What errors call it. @default "the initrd" */
  readonly initrdName?: string;
  /** The kernel's command line. @default "" */
  readonly append?: string;
  /** Machine-mode firmware (OpenSBI's `fw_dynamic` or `fw_jump`), an ELF file or a flat binary. */
  readonly firmware?: ImageBytes;
  /** What errors call it. @default "the firmware" */
  readonly firmwareName?: string;
  /**
   * Who answers SBI calls where there is no firmware.
   *
   * @default "builtin" for Linux and for ELF files linked 2 MiB into RAM, where firmware would start them;
   * "none" for everything else
   */
  readonly bios?: "builtin" | "none";
  /** The real-time clock's date at guest time 0, in seconds since the Unix epoch. @default 2025-01-01 */
  readonly epochSeconds?: number;
}

/**
 * Builds the machine and loads its images.
 *
 * @throws {ImageError} when an image cannot be used.
 * @throws {MemoryError} when the host refuses the RAM.
 */
export async function createVirtRiscv64(options: VirtRiscv64Options): Promise<Board> {
  const { memory, ramBytes, vcpus } = options;
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MAX_HARTS) {
    throw new RangeError(`A virt-riscv64 machine has 1 to ${MAX_HARTS} vCPUs, not ${vcpus}.`);
  }
  if (!Number.isSafeInteger(ramBytes) || ramBytes < MIN_RAM_BYTES || ramBytes % PAGE_SIZE !== 0) {
    const least = formatBytes(MIN_RAM_BYTES);
    throw new RangeError(
      `A virt-riscv64 machine has ${least} of RAM or more, in whole pages, not ${ramBytes} bytes.`,
    );
  }
  const images = await loadImages(options);
  const machine = new Machine({ isa: riscv64, memory, ramBase: RAM_BASE, ramSize: ramBytes, vcpus });
  const harts = machine.vcpus as readonly RiscvHart[];
  const serial = mapDevices(machine, harts, options.epochSeconds ?? DEFAULT_EPOCH_SECONDS);

  const sbi = images.builtinSbi ? new Sbi(machine, serial[0]) : undefined;
  for (const hart of harts) {
    hart.sbi = sbi && ((caller) => sbi.call(caller));
    hart.onTripleFault = (detail) => machine.requestExit({ kind: "tripleFault", detail });
  }
  const start = (fresh: boolean) => {
    placeSegments(machine.ram, images.segments, fresh);
    for (const hart of harts) {
      const { entry, deviceTree, dynamicInfo } = images;
      if (sbi) startSupervisorMode(hart, entry, BigInt(deviceTree));
      else startMachineMode(hart, entry, deviceTree, dynamicInfo);
    }
    if (sbi) { for (const hart of harts.slice(1)) hart.stopped = true; }
  };
  for (const { address, bytes } of images.segments) await machine.ram.expect(address, bytes.length);
  start(true);
  return {
    name: "virt-riscv64",
    machine,
    serial,
    kernel: images.kernel,
    reset() {
      machine.exit = undefined;
      machine.bus.reset();
      start(false);
    },
  };
}

/** Everything that goes into RAM, and where the harts begin. */
interface Images {
  readonly kernel: KernelImage;
  readonly segments: readonly Segment[];
  readonly builtinSbi: boolean;
  readonly entry: number;
  readonly deviceTree: number;
  /** Address of the structure for OpenSBI; 0 without firmware. */
  readonly dynamicInfo: number;
}

async function loadImages(options: VirtRiscv64Options): Promise<Images> {
  const { ramBytes, vcpus, initrd, firmware } = options;
  const load = (image: ImageBytes, file: string) =>
    loadKernel(image, { file, arch: "riscv64", ramBase: RAM_BASE, ramBytes });
  const kernelFile = options.kernelName ?? "the kernel";
  const initrdFile = options.initrdName ?? "the initrd";
  const firmwareFile = options.firmwareName ?? "the firmware";
  let kernel = await load(options.kernel, kernelFile);
  const first = firmware && await load(firmware, firmwareFile);
  if (first) {
    if (kernel.format === "flat") kernel = moveTo(kernel, SUPERVISOR_ENTRY, ramBytes);
    if (kernel.start < first.end) {
      throw new ImageError(kernelFile, `overlaps ${firmwareFile}`, "link it above, at 0x80200000");
    }
  }
  if (initrd?.length === 0) throw new ImageError(initrdFile, "is empty", "give an initrd, or leave it out");

  const layout = layOutMemory({
    ramBase: RAM_BASE,
    ramBytes,
    kernelEnd: kernel.end,
    kernelFile,
    initrdBytes: initrd?.length ?? 0,
    initrdFile,
  });
  const bootargs = options.append ?? "";
  const tree = virtRiscv64DeviceTree({ harts: vcpus, ramBytes, bootargs, initrd: layout.initrd });
  // Firmware adds nodes to the tree in place: half of the area stays free for that.
  if (tree.length > DEVICE_TREE_AREA / 2) {
    const limit = formatBytes(DEVICE_TREE_AREA / 2);
    throw new ImageError("the device tree", `is larger than ${limit}`, "shorten the kernel's command line");
  }
  const segment = (address: number, bytes: ImageBytes) => ({ address, bytes, memoryBytes: bytes.length });
  const segments = [...kernel.segments, segment(layout.deviceTree, tree)];
  if (initrd && layout.initrd) segments.push(segment(layout.initrd.start, initrd));
  let dynamicInfo = 0;
  if (first) {
    dynamicInfo = layout.deviceTree + DEVICE_TREE_AREA - FW_DYNAMIC_INFO_BYTES;
    segments.push(...first.segments, segment(dynamicInfo, fwDynamicInfo(kernel.entry)));
  }
  const bios = options.bios ??
    (kernel.format === "linux" || kernel.start === SUPERVISOR_ENTRY ? "builtin" : "none");
  return {
    kernel,
    segments,
    builtinSbi: !first && bios === "builtin",
    entry: (first ?? kernel).entry,
    deviceTree: layout.deviceTree,
    dynamicInfo,
  };
}

/** A flat binary runs wherever it is put: above firmware, where there is some. */
function moveTo(kernel: KernelImage, address: number, ramBytes: number): KernelImage {
  const segments = kernel.segments.map((s) => ({ ...s, address }));
  const end = address + kernel.end - kernel.start;
  if (end > RAM_BASE + ramBytes) {
    throw new ImageError(kernel.file, "does not fit in RAM above the firmware", "give the guest more memory");
  }
  return { ...kernel, segments, entry: address, start: address, end };
}

function mapDevices(machine: Machine, harts: readonly RiscvHart[], epochSeconds: number): Uart16550[] {
  const { bus, clock } = machine;
  const map = (name: keyof typeof REGIONS, device: Parameters<typeof bus.map>[3]) =>
    bus.map(name, REGIONS[name].base, REGIONS[name].size, device);

  // Context 2h is hart h's M-mode, 2h + 1 its S-mode.
  const plic = new Plic(harts.flatMap((hart) => [hart.interruptLine(11), hart.interruptLine(9)]));
  const serial = [IRQ_UART0, IRQ_UART1].map((irq) => new Uart16550(clock, plic.source(irq), UART_HZ));
  map("test", new TestFinisher((exit) => machine.requestExit(exit)));
  map("rtc", new GoldfishRtc(clock, plic.source(IRQ_RTC), epochSeconds));
  map(
    "clint",
    new Aclint(
      clock,
      harts.map((hart) => ({ software: hart.interruptLine(3), timer: hart.interruptLine(7) })),
    ),
  );
  map("sswi", new AclintSswi(harts.map((hart) => () => pendSupervisorSoftware(hart))));
  map("plic", plic);
  map("uart0", serial[0]);
  map("uart1", serial[1]);
  return serial;
}
