/** What every board is to the harness: a machine, its serial lines, and how to start it over. */
import type { SerialPort } from "../devices/serial_port.ts";
import type { Machine } from "../machine.ts";
import type { KernelImage } from "../boot/kernel.ts";

/** A machine with its images loaded, ready to run. */
export interface Board {
  /** The name it is known by: "virt-riscv64", … */
  readonly name: string;
  /** RAM, vCPUs, devices and clock. */
  readonly machine: Machine;
  /** Serial lines; the first is the console. */
  readonly serial: readonly SerialPort[];
  /** The kernel as it was loaded. */
  readonly kernel: KernelImage;
  /**
   * Presses reset: loads the images again and puts devices and vCPUs into their state after power-on. RAM
   * that no image covers keeps its contents, and guest time goes on.
   */
  reset(): void;
}
