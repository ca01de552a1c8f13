/** What every board is to the harness: a machine, its serial lines, and how to start it over. */
import type { KeyboardPort } from "../devices/keyboard_port.ts";
import type { SerialPort } from "../devices/serial_port.ts";
import type { Machine } from "../machine.ts";
import type { KernelImage } from "../boot/kernel.ts";

/** The host's end of a power button. */
export interface PowerButton {
  /** Presses it: the guest is told, and decides what comes of it. */
  pressPowerButton(): void;
}

/** A machine with its images loaded, ready to run. */
export interface Board {
  /** The name it is known by: "virt-riscv64", … */
  readonly name: string;
  /** RAM, vCPUs, devices and clock. */
  readonly machine: Machine;
  /** Serial lines; the first is the console. */
  readonly serial: readonly SerialPort[];
  /** The keyboard, where the board has one. */
  readonly keyboard?: KeyboardPort;
  /** The power button, where the board has one that the guest hears of. */
  readonly powerButton?: PowerButton;
  /** The kernel as it was loaded. */
  readonly kernel: KernelImage;
  /**
   * Presses reset: loads the images again and puts devices and vCPUs into their state after power-on. RAM
   * that no image covers keeps its contents, and guest time goes on.
   */
  reset(): void;
}
