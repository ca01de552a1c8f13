/**
 * The x86 I/O port space: 65536 addresses of their own. An access that no device takes as a whole falls into
 * bytes, as on the ISA bus; where nothing is, reads give all ones.
 */
import { Bus, type Mapping } from "./bus.ts";
import type { Device } from "./devices/device.ts";

/** The table of ports grows by so many at least. */
const PORTS_STEP = 0x1000;

/** The port space of one machine. */
export class Ports extends Bus {
  /**
   * For each port up to the last one with a device the number of that, counted from 1: ports are used more often
   * than any device's memory.
   */
  #numbers = new Uint8Array(0);

  override map(name: string, base: number, size: number, device: Device): void {
    super.map(name, base, size, device);
    const end = base + size;
    if (end > this.#numbers.length) {
      const numbers = new Uint8Array(Math.ceil(end / PORTS_STEP) * PORTS_STEP);
      numbers.set(this.#numbers);
      this.#numbers = numbers;
    }
    this.#numbers.fill(this.mappings.length, base, end);
  }

  override find(port: number, size: number): Mapping | undefined {
    const number = this.#numbers[port];
    if (!number) return undefined; // also beyond the table
    const mapping = this.mappings[number - 1];
    return port + size <= mapping.base + mapping.size ? mapping : undefined;
  }

  override readDevice(port: number, size: number): number {
    if (size === 1 || this.find(port, size)) return super.readDevice(port, size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + super.readDevice(port + i, 1);
    return value;
  }

  override writeDevice(port: number, value: number, size: number): void {
    if (size === 1 || this.find(port, size)) {
      super.writeDevice(port, value, size);
      return;
    }
    for (let i = 0; i < size; i++) super.writeDevice(port + i, value >>> 8 * i & 0xff, 1);
  }
}
