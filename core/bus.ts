/**
 * The physical address map: RAM and memory-mapped devices; likewise the port space of ISAs that have one
 * (`ports.ts`). Only slow paths come here; RAM is reached directly through TLBs everywhere else.
 *
 * Addresses are guest-physical and plain numbers. Unmapped reads give all ones and unmapped writes are
 * ignored unless the ISA turns them into access faults, which it can: {@linkcode Bus.find}.
 */
import type { Device } from "./devices/device.ts";
import type { GuestRam } from "./memory.ts";

/** A device at its place in the address map. */
export interface Mapping {
  /** Guest-physical address of the device's offset 0. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** What answers there. */
  readonly device: Device;
  /** The name under which reports and the device tree know it. */
  readonly name: string;
}

/** The address map of one machine. */
export class Bus {
  /** Reads and writes of devices so far; a statistic. */
  deviceAccesses = 0;
  readonly #mappings: Mapping[] = [];

  /** @param rams What no device may overlap. */
  constructor(private readonly rams: readonly GuestRam[] = []) {}

  /** Every mapped device, in the order they were mapped. */
  get mappings(): readonly Mapping[] {
    return this.#mappings;
  }

  /**
   * Maps a device.
   *
   * @throws {RangeError} when it overlaps RAM or another device: a mistake in the board.
   */
  map(name: string, base: number, size: number, device: Device): void {
    const overlaps = (b: number, s: number) => base < b + s && b < base + size;
    const other = this.#mappings.find((m) => overlaps(m.base, m.size));
    if (other || this.rams.some((ram) => overlaps(ram.base, ram.size))) {
      throw new RangeError(`Device ${name} overlaps ${other?.name ?? "RAM"}`);
    }
    this.#mappings.push({ base, size, device, name });
  }

  /** The device that holds the whole of `[address, address + size)`, if any. */
  find(address: number, size: number): Mapping | undefined {
    for (const m of this.#mappings) {
      if (address >= m.base && address + size <= m.base + m.size) return m;
    }
    return undefined;
  }

  /** Reads 1, 2 or 4 bytes from a device (not RAM); all ones where nothing is mapped. */
  readDevice(address: number, size: number): number {
    this.deviceAccesses++;
    const m = this.find(address, size);
    if (!m) return size === 4 ? 0xffffffff : (1 << (8 * size)) - 1;
    return m.device.read(address - m.base, size) >>> 0;
  }

  /** Writes 1, 2 or 4 bytes to a device (not RAM); ignored where nothing is mapped. */
  writeDevice(address: number, value: number, size: number): void {
    this.deviceAccesses++;
    const m = this.find(address, size);
    if (m) m.device.write(address - m.base, value >>> 0, size);
  }

  /** Resets every device. */
  reset(): void {
    for (const m of this.#mappings) m.device.reset();
  }
}
