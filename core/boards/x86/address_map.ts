/** `virt-x86`: where things are. Below 1 MiB as a PC has it; RAM below and above the hole under 4 GiB. */

/** Most vCPUs. */
export const MAX_VCPUS = 8;

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** RAM below the hole. The rest of the first 4 GiB is for devices: later PCIe, now the APICs. */
export const LOW_RAM_MAX = 3 * GIB;
/** Where RAM goes on. */
export const HIGH_RAM_BASE = 4 * GIB;

// What the board itself leaves in low memory for the kernel to find.
export const GDT = 0x500;
export const START_INFO = 0x6000;
export const BOOT_PARAMS = 0x7000;
export const PAGE_TABLES = 0x9000; // PML4, one PDPT, four page directories: 4 GiB, identity-mapped
export const BOOT_STACK = 0x8ff0;
export const COMMAND_LINE = 0x20000;
/** Bytes for the command line with its zero. */
export const COMMAND_LINE_BYTES = 0x10000;
/** Where a PC's BIOS has its data area; usable memory ends below. */
export const EBDA = 0x9fc00;
/** ACPI tables: where the RSDP is looked for, too. */
export const ACPI_TABLES = 0xe0000;
/** Flat binaries: in real mode where a boot sector goes, else here. */
export const BOOT_SECTOR = 0x7c00;
export const FLAT_BASE = MIB;
/** Where usable memory goes on after the first megabyte. */
export const EXTENDED_RAM = MIB;

export const IO_APIC = 0xfec0_0000;
export const LOCAL_APIC = 0xfee0_0000;

/** I/O ports: first and count. */
export const PORTS = {
  i8042: [0x60, 5],
  cmos: [0x70, 2],
  debugExit: [0xf4, 4],
  com2: [0x2f8, 8],
  com1: [0x3f8, 8],
  pvpanic: [0x505, 1],
  acpiPm: [0x600, 6],
  resetControl: [0xcf9, 1],
} as const;

/** Global system interrupts; those below 16 are the ISA's. */
export const IRQS = { keyboard: 1, com2: 3, com1: 4, rtc: 8, sci: 9 } as const;

/** The clock that a PC's UARTs divide, in Hz. */
export const UART_HZ = 1_843_200;
