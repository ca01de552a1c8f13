/**
 * The input pins of an interrupt controller that is not a device of the board: KVM's in-kernel PICs and I/O
 * APIC. Devices drive lines as ever; whoever has the controller is told of changes, and of the levels so far
 * when it takes over. On x86 a pin's number is its global system interrupt.
 */
import type { InterruptLine } from "./device.ts";

/** Input pins, by number. */
export class InterruptPins {
  readonly #levels = new Map<number, boolean>();
  #onChange: (pin: number, level: boolean) => void = () => {};

  /** The wire to a pin, for one device. */
  line(pin: number): InterruptLine {
    if (!this.#levels.has(pin)) this.#levels.set(pin, false);
    return {
      set: (level) => {
        if (this.#levels.get(pin) === level) return;
        this.#levels.set(pin, level);
        this.#onChange(pin, level);
      },
    };
  }

  /** Tells `onChange` of every change from now on, and of every pin that is asserted now. */
  connect(onChange: (pin: number, level: boolean) => void): void {
    this.#onChange = onChange;
    this.refresh();
  }

  /** Tells of every pin that is asserted, after the controller has forgotten. */
  refresh(): void {
    for (const [pin, level] of this.#levels) if (level) this.#onChange(pin, level);
  }
}
