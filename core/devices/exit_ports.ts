/**
 * Ports by which a PC guest ends its machine or says how it fares: the chipset's reset control (0xcf9), a
 * debug exit for test kernels, and pvpanic, to which a dying kernel reports.
 *
 * Reset control: Intel ICH data sheets, "RST_CNT". pvpanic: QEMU `docs/specs/pvpanic.rst`.
 */
import type { MachineExit } from "../machine.ts";
import type { Device } from "./device.ts";

const RST_CPU = 1 << 2;
/** What the guest writes to the reset control port to reset: hard reset, now. */
export const RESET_NOW = 0x06;

/** The reset control register. */
export class ResetControl implements Device {
  #value = 0;

  /** @param onExit Told when the guest resets the machine. */
  constructor(private readonly onExit: (exit: MachineExit) => void) {}

  read(_offset: number, _size: number): number {
    return this.#value;
  }

  write(_offset: number, value: number, _size: number): void {
    this.#value = value & 0xff & ~RST_CPU;
    if (value & RST_CPU) this.onExit({ kind: "reset" });
  }

  reset(): void {
    this.#value = 0;
  }
}

/** A test kernel's exit: what is written is the code. */
export class DebugExit implements Device {
  /** @param onExit Told how the machine shall end. */
  constructor(private readonly onExit: (exit: MachineExit) => void) {}

  read(_offset: number, _size: number): number {
    return 0;
  }

  write(_offset: number, value: number, _size: number): void {
    this.onExit({ kind: "debugExit", code: value });
  }

  reset(): void {}
}

const PANICKED = 1 << 0;
const CRASH_LOADED = 1 << 1;
const SHUTDOWN = 1 << 2;

/** The paravirtual panic device. */
export class PvPanic implements Device {
  /** @param onEvent Told what the guest's kernel reports. */
  constructor(private readonly onEvent: (event: "panicked" | "crashLoaded" | "shutdown") => void) {}

  /** The events it understands. */
  read(_offset: number, _size: number): number {
    return PANICKED | CRASH_LOADED | SHUTDOWN;
  }

  write(_offset: number, value: number, _size: number): void {
    if (value & PANICKED) this.onEvent("panicked");
    else if (value & CRASH_LOADED) this.onEvent("crashLoaded");
    else if (value & SHUTDOWN) this.onEvent("shutdown");
  }

  reset(): void {}
}
