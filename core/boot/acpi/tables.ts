/**
 * ACPI's static tables: headers, checksums, and those that describe a PC without PCI.
 *
 * Layouts: ACPI 6.5 §5.2.
 */

/** A table being built: little-endian fields at offsets. */
class Table {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }
  u8(at: number, value: number): void {
    this.view.setUint8(at, value);
  }
  u16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }
  u32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }
  u64(at: number, value: number): void {
    this.view.setBigUint64(at, BigInt(value), true);
  }
  text(at: number, text: string, size: number): void {
    this.bytes.set(new TextEncoder().encode(text.padEnd(size).slice(0, size)), at);
  }
}

const HEADER_BYTES = 36;
const CHECKSUM = 9;

/** A system description table (§5.2.6): header, then `body`. */
export function systemTable(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const table = new Table(HEADER_BYTES + body.length);
  table.text(0, signature, 4);
  table.u32(4, table.bytes.length);
  table.u8(8, revision);
  table.text(10, "BOOTWR", 6);
  table.text(16, "VIRTX86", 8);
  table.u32(24, 1);
  table.text(28, "BWRT", 4);
  table.u32(32, 1);
  table.bytes.set(body, HEADER_BYTES);
  table.u8(CHECKSUM, checksum(table.bytes));
  return table.bytes;
}

/** What makes the sum of all bytes zero. */
function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

/** Root System Description Pointer (§5.2.5.3). */
export function rsdp(xsdt: number): Uint8Array {
  const table = new Table(36);
  table.text(0, "RSD PTR ", 8);
  table.text(9, "BOOTWR", 6);
  table.u8(15, 2);
  table.u32(20, 36);
  table.u64(24, xsdt);
  table.u8(8, checksum(table.bytes.subarray(0, 20)));
  table.u8(32, checksum(table.bytes));
  return table.bytes;
}

/** Extended System Description Table (§5.2.8): where the others are. */
export function xsdt(addresses: readonly number[]): Uint8Array {
  const body = new Table(8 * addresses.length);
  addresses.forEach((address, i) => body.u64(8 * i, address));
  return systemTable("XSDT", 1, body.bytes);
}

/** Firmware ACPI Control Structure (§5.2.10); it has no checksum. */
export function facs(): Uint8Array {
  const table = new Table(64);
  table.text(0, "FACS", 4);
  table.u32(4, 64);
  table.u8(32, 2);
  return table.bytes;
}

/** Fixed hardware of the board. */
export interface FadtOptions {
  /** Guest-physical addresses of the other two tables. */
  readonly facs: number;
  readonly dsdt: number;
  /** Global system interrupt of power management. */
  readonly sci: number;
  /** Ports: event block (4 bytes) and control block (2 bytes). */
  readonly eventBlock: number;
  readonly controlBlock: number;
  /** The port of the reset register, and what to write there. */
  readonly resetPort: number;
  readonly resetValue: number;
  /** Index of the century in CMOS. */
  readonly century: number;
}

// Flags (§5.2.9, table 5.9): WBINVD works, C1 works, the power button is fixed hardware, sleep is not a
// button, reset register.
const WBINVD = 1 << 0;
const PROC_C1 = 1 << 2;
const SLP_BUTTON_IS_GENERIC = 1 << 5;
const RESET_REG_SUP = 1 << 10;
// IA-PC boot flags (§5.2.9.3): legacy devices, 8042, no VGA.
const LEGACY_DEVICES = 1 << 0;
const HAS_8042 = 1 << 1;
const NO_VGA = 1 << 2;
/** Latencies that say: no C2, no C3. */
const NO_C2 = 101;
const NO_C3 = 1001;

/** Fixed ACPI Description Table (§5.2.9). */
export function fadt(options: FadtOptions): Uint8Array {
  const whole = new Table(276);
  whole.u32(36, options.facs);
  whole.u32(40, options.dsdt);
  whole.u16(46, options.sci);
  whole.u32(56, options.eventBlock);
  whole.u32(64, options.controlBlock);
  whole.u8(88, 4);
  whole.u8(89, 2);
  whole.u16(96, NO_C2);
  whole.u16(98, NO_C3);
  whole.u8(108, options.century);
  whole.u16(109, LEGACY_DEVICES | HAS_8042 | NO_VGA);
  whole.u32(112, WBINVD | PROC_C1 | SLP_BUTTON_IS_GENERIC | RESET_REG_SUP);
  portAddress(whole, 116, options.resetPort, 8);
  whole.u8(128, options.resetValue);
  whole.u8(131, 5); // minor version
  whole.u64(140, options.dsdt);
  portAddress(whole, 148, options.eventBlock, 32);
  portAddress(whole, 172, options.controlBlock, 16);
  return systemTable("FACP", 6, whole.bytes.subarray(HEADER_BYTES));
}

/** A Generic Address Structure (§5.2.3.2) for I/O ports. */
function portAddress(table: Table, at: number, port: number, bits: number): void {
  table.u8(at, 1);
  table.u8(at + 1, bits);
  table.u8(at + 3, bits / 16 + 1 | 0);
  table.u64(at + 4, port);
}

/** Interrupt controllers of the board. */
export interface MadtOptions {
  readonly vcpus: number;
  readonly localApic: number;
  readonly ioApic: number;
  /** Global system interrupt of power management: level-triggered, active high. */
  readonly sci: number;
}

/** Multiple APIC Description Table (§5.2.12). */
export function madt(options: MadtOptions): Uint8Array {
  const entries: number[] = [];
  const u32 = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
  entries.push(...u32(options.localApic), ...u32(1)); // PCAT_COMPAT: a pair of 8259s as well
  for (let id = 0; id < options.vcpus; id++) entries.push(0, 8, id, id, ...u32(1));
  entries.push(1, 12, 0, 0, ...u32(options.ioApic), ...u32(0));
  // The PIT's ISA interrupt 0 is the I/O APIC's input 2.
  entries.push(2, 10, 0, 0, ...u32(2), 0, 0);
  const ACTIVE_HIGH_LEVEL = 0b1101;
  entries.push(2, 10, 0, options.sci, ...u32(options.sci), ACTIVE_HIGH_LEVEL, 0);
  // LINT1 of every processor is NMI.
  entries.push(4, 6, 0xff, 0, 0, 1);
  return systemTable("APIC", 5, Uint8Array.from(entries));
}
