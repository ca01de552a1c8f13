/**
 * The x86 I/O port space: 65536 addresses of their own. An access that no device takes as a whole falls into
 * bytes, as on the ISA bus; where nothing is, reads give all ones.
 */
import { Bus } from "./bus.ts";

/** The port space of one machine. */
export class Ports extends Bus {
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
