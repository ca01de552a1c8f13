/**
 * ACPI's fixed power management hardware: PM1 event and control registers. The guest sleeps (powers off) by
 * it, and hears of the power button through it.
 *
 * Registers: ACPI 6.5 §4.8.3.1 (PM1 event) and §4.8.3.2 (PM1 control).
 */
import type { MachineExit } from "../machine.ts";
import type { Device, InterruptLine } from "./device.ts";

const STATUS = 0;
const ENABLE = 2;
const CONTROL = 4;
/** Bytes of both blocks: events first, control at {@linkcode CONTROL_OFFSET}. */
export const ACPI_PM_BYTES = 6;
/** Offset of the control block. */
export const CONTROL_OFFSET = CONTROL;

const POWER_BUTTON = 1 << 8;
/** What can be enabled: timer, global lock, both buttons, RTC. Only the power button ever comes. */
const EVENTS = 1 << 0 | 1 << 5 | POWER_BUTTON | 1 << 9 | 1 << 10;

const SCI_EN = 1;
const SLP_TYP_SHIFT = 10;
const SLP_EN = 1 << 13;
/** The sleep type of S5, as the DSDT's `_S5` names it. */
export const SLEEP_TYPE_S5 = 5;

/** Everything an {@linkcode AcpiPm} remembers, as plain data. */
export interface AcpiPmState {
  readonly status: number;
  readonly enable: number;
  readonly control: number;
}

/** PM1 registers and the power button. */
export class AcpiPm implements Device {
  #status = 0;
  #enable = 0;
  #control = SCI_EN;

  /**
   * @param sci The system control interrupt: level-triggered.
   * @param onExit Told when the guest powers off.
   */
  constructor(
    private readonly sci: InterruptLine,
    private readonly onExit: (exit: MachineExit) => void,
  ) {}

  /** Presses the power button. */
  pressPowerButton(): void {
    this.#status |= POWER_BUTTON;
    this.#drive();
  }

  read(offset: number, size: number): number {
    const registers = [this.#status, this.#enable, this.#control];
    const value = registers[offset >> 1] ?? 0;
    if (size === 4) return (value | (registers[(offset >> 1) + 1] ?? 0) << 16) >>> 0;
    return size === 1 ? value >> 8 * (offset & 1) & 0xff : value;
  }

  write(offset: number, value: number, size: number): void {
    if (size === 4) {
      this.write(offset, value & 0xffff, 2);
      this.write(offset + 2, value >>> 16, 2);
      return;
    }
    const shift = size === 1 ? 8 * (offset & 1) : 0;
    const mask = size === 1 ? 0xff << shift : 0xffff;
    const bits = value << shift & mask;
    switch (offset & ~1) {
      case STATUS: // write one to clear
        this.#status &= ~bits;
        break;
      case ENABLE:
        this.#enable = (this.#enable & ~mask | bits) & EVENTS;
        break;
      case CONTROL:
        this.#control = (this.#control & ~mask | bits) & ~SLP_EN | SCI_EN;
        if (bits & SLP_EN && (this.#control >> SLP_TYP_SHIFT & 7) === SLEEP_TYPE_S5) {
          this.onExit({ kind: "poweroff" });
        }
        break;
    }
    this.#drive();
  }

  reset(): void {
    this.#status = this.#enable = 0;
    this.#control = SCI_EN;
    this.#drive();
  }

  save(): AcpiPmState {
    return { status: this.#status, enable: this.#enable, control: this.#control };
  }

  restore(state: AcpiPmState): void {
    this.#status = state.status & EVENTS;
    this.#enable = state.enable & EVENTS;
    this.#control = state.control & 0xffff & ~SLP_EN;
    this.#drive();
  }

  #drive(): void {
    this.sci.set((this.#status & this.#enable) !== 0);
  }
}
