/**
 * Addresses and interrupt numbers of the `virt-riscv64` board. They are those of QEMU's `virt` machine where
 * it has the same device, because teaching kernels and tutorials have them built in.
 */
import { ACLINT_SIZE, SSWI_SIZE } from "../../devices/aclint.ts";
import { PLIC_SIZE } from "../../devices/plic.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A span of guest-physical addresses. */
export interface Region {
  /** First address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

/** Where each device is. */
export const REGIONS = {
  test: { base: 0x10_0000, size: 4 * KIB },
  rtc: { base: 0x10_1000, size: 4 * KIB },
  clint: { base: 0x200_0000, size: ACLINT_SIZE },
  sswi: { base: 0x2f0_0000, size: SSWI_SIZE },
  plic: { base: 0xc00_0000, size: PLIC_SIZE },
  uart0: { base: 0x1000_0000, size: 256 },
  // 0x1000_1000 + 4 KiB * (0..7) is left to virtio-mmio
  uart1: { base: 0x1000_9000, size: 256 },
} as const satisfies Record<string, Region>;

/** Guest-physical address of RAM. */
export const RAM_BASE = 0x8000_0000;
/** Where firmware (and this board, in its place) starts a supervisor: one large page above it. */
export const SUPERVISOR_ENTRY: number = RAM_BASE + 2 * MIB;

/** PLIC sources. 1 to 8 are left to virtio-mmio. */
export const IRQ_UART0 = 10;
/** PLIC source. */
export const IRQ_RTC = 11;
/** PLIC source. */
export const IRQ_UART1 = 12;

/** Input clock of the UARTs: 115200 baud is divisor 2. */
export const UART_HZ = 3_686_400;
/** Guest time counts nanoseconds. */
export const TIMEBASE_HZ = 1_000_000_000;
/** Most harts a board can have. */
export const MAX_HARTS = 8;
