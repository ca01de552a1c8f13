/** The boards a machine can be made of, one row per architecture. A row's code is loaded when it is used. */
import type { Board } from "../core/boards/board.ts";
import type { ImageBytes } from "../core/boot/image_file.ts";
import type { HostMemory } from "../core/memory.ts";

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
}

/** A guest architecture. */
export type Arch = "riscv64";

/** One architecture. */
export interface BoardRow {
  /** For `doctor` and `--help`. */
  readonly summary: string;
  /** Most vCPUs it can have. */
  readonly maxCpus: number;
  /** Makes the machine. */
  create(options: BoardOptions): Promise<Board>;
}

/** Architecture → board. */
export const BOARDS: Readonly<Record<Arch, BoardRow>> = {
  riscv64: {
    summary: "RV64GC, board virt-riscv64 (ns16550a, PLIC, ACLINT), built-in SBI or OpenSBI",
    maxCpus: 8,
    create: async (options) =>
      await (await import("../core/boards/virt_riscv64.ts")).createVirtRiscv64(options),
  },
};

/** Every {@linkcode Arch}. */
export const ARCHS: readonly Arch[] = Object.keys(BOARDS) as Arch[];
