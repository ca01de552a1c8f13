/** The boards a machine can be made of, one row per architecture. A row's code is loaded when it is used. */
import type { Board } from "../core/boards/board.ts";
import type { CpuMode } from "../core/boards/x86/cpu_mode.ts";
import type { ImageBytes } from "../core/boot/image_file.ts";
import type { HostMemory } from "../core/memory.ts";
import type { LineDevice } from "./shell/protocol.ts";

/** What every board is made from. */
export interface BoardOptions {
  /** Where RAM comes from. */
  readonly memory: HostMemory;
  /** Bytes of RAM, a multiple of the page size. */
  readonly ramBytes: number;
  readonly vcpus: number;
  readonly kernel: ImageBytes;
  /** The kernel's name, for errors; likewise the others. */
  readonly kernelName: string;
  readonly initrd?: ImageBytes;
  readonly initrdName?: string;
  readonly firmware?: ImageBytes;
  readonly firmwareName?: string;
  readonly append?: string;
  readonly cpuMode?: CpuMode;
}

/** A guest architecture. */
export type Arch = "riscv64" | "x86_64";

/** An option that not every board takes. */
export type BoardSpecial = "firmware" | "cpuMode" | "cpuModel";

/** One architecture. */
export interface BoardRow {
  /** For `doctor` and `--help`. */
  readonly summary: string;
  /** Other names by which people know it. */
  readonly aliases: readonly string[];
  /** Most vCPUs it can have. */
  readonly maxCpus: number;
  /** Options that not every board takes and this one does. */
  readonly takes: readonly BoardSpecial[];
  /** How the guest knows the second serial line, on which `vm.shell` works. */
  readonly shellLine: LineDevice;
  /** Makes the machine. */
  create(options: BoardOptions): Promise<Board>;
}

/** Architecture → board. */
export const BOARDS: Readonly<Record<Arch, BoardRow>> = {
  riscv64: {
    summary: "RV64GC, board virt-riscv64 (ns16550a, PLIC, ACLINT), built-in SBI or OpenSBI",
    aliases: ["riscv", "rv64", "rv64gc"],
    maxCpus: 8,
    takes: ["firmware"],
    shellLine: { name: "ttyS1", numbers: [4, 65] },
    create: async (options) =>
      await (await import("../core/boards/virt_riscv64.ts")).createVirtRiscv64(options),
  },
  x86_64: {
    summary:
      "x86-64, board virt-x86 (PC with 16550, i8042, CMOS clock, ACPI), bzImage, PVH and flat binaries",
    aliases: ["amd64", "x64", "x86-64", "x86", "intel64"],
    maxCpus: 8,
    takes: ["cpuMode", "cpuModel"],
    shellLine: { name: "ttyS1", numbers: [4, 65] },
    create: async (options) => await (await import("../core/boards/virt_x86.ts")).createVirtX86(options),
  },
};

/** Every {@linkcode Arch}. */
export const ARCHS: readonly Arch[] = Object.keys(BOARDS) as Arch[];
