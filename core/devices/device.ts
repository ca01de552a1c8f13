/** What a memory-mapped device is to the bus, and how it signals interrupts. */

/**
 * A memory-mapped device. Offsets are relative to the device's base. The bus only ever makes naturally
 * sized accesses of 1, 2 or 4 bytes (it splits 8-byte ones, low half first); values are unsigned.
 */
export interface Device {
  /** Reads `size` (1, 2 or 4) bytes at `offset`; returns an unsigned number. */
  read(offset: number, size: number): number;
  /** Writes the low `size` (1, 2 or 4) bytes of the unsigned `value` at `offset`. */
  write(offset: number, value: number, size: number): void;
  /** Puts the device into its state after power-on. */
  reset(): void;
}

/** One wire into an interrupt controller or a vCPU. Level-triggered: `true` is asserted. */
export interface InterruptLine {
  /** Drives the line. Driving it to the level it already has is harmless. */
  set(level: boolean): void;
}
