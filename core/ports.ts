/**
 * The x86 I/O port space: 65536 addresses of their own. An access that no device takes as a whole falls into
 * bytes, as on the ISA bus; where nothing is, reads give all ones.
 */
import { Bus } from "./bus.ts";
import type { Device } from "./devices/device.ts";

/** The port space of one machine. */
export class Ports {
  readonly #bus = new Bus();

  /** Accesses so far; a statistic. */
  get accesses(): number {
    return this.#bus.deviceAccesses;
  }

  /** Gives ports to a device. @throws {RangeError} when another one has them. */
  map(name: string, base: number, count: number, device: Device): void {
    this.#bus.map(name, base, count, device);
  }

  /** Reads 1, 2 or 4 bytes. */
  read(port: number, size: number): number {
    if (size === 1 || this.#bus.find(port, size)) return this.#bus.readDevice(port, size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.#bus.readDevice(port + i, 1);
    return value;
  }

  /** Writes 1, 2 or 4 bytes. */
  write(port: number, value: number, size: number): void {
    if (size === 1 || this.#bus.find(port, size)) {
      this.#bus.writeDevice(port, value, size);
      return;
    }
    for (let i = 0; i < size; i++) this.#bus.writeDevice(port + i, value >>> 8 * i & 0xff, 1);
  }

  /** Resets every device. */
  reset(): void {
    this.#bus.reset();
  }
}
