/**
 * The x86 I/O port space: 65536 addresses of their own. An access that no device takes as a whole falls into
 * bytes, as on the ISA bus; where nothing is, reads give all ones.
 */
import { Bus, type Mapping } from "./bus.ts";
import type { Device } from "./devices/device.ts";

const PORTS = 0x10000;

/** The port space of one machine. */
export class Ports extends Bus {
  /** For each port the number of its device, counted from 1: ports are used more often than any device's memory. */
  #numbers = new Uint8Array(); // until there is any: most guests have no ports

  override map(name: string, base: number, size: number, device: Device): void {
    super.map(name, base, size, device);
    if (this.#numbers.length === 0) this.#numbers = new Uint8Array(PORTS);
    this.#numbers.fill(this.mappings.length, base, base + size);
  }

  override find(port: number, size: number): Mapping | undefined {
    const number = this.#numbers[port];
    if (!number) return undefined; // also beyond the last port, where an access of several bytes may lead
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
