/** The PC's memory map, as the BIOS's E820 call and ACPI §15 name its kinds. */

/** Usable. */
export const E820_RAM = 1;
/** Not to be touched. */
export const E820_RESERVED = 2;
/** ACPI tables, usable once they were read. */
export const E820_ACPI = 3;

/** One span of physical addresses. */
export interface E820Entry {
  /** First address. */
  readonly start: number;
  /** Bytes. */
  readonly bytes: number;
  /** {@linkcode E820_RAM} and so on. */
  readonly type: number;
}
