/**
 * What surrounds the code of a random guest: where everything lies, trap handlers, page tables.
 *
 *     RAM +0x00000  M-mode handler      +0x08000  code (2 pages)      +0x20000  page tables
 *         +0x01000  S-mode handler      +0x10000  data (8 pages)      +0x40000  end of what is used
 *         +0x02000  handlers' data
 *
 * Under translation, RAM's start is mapped at its own address (for S-mode), at USER (in pages, as the case's
 * mode needs), at LARGE and HUGE (superpages); where addresses are long enough, FAR shows the same again;
 * DEVICES shows the pages of devices.
 */
import { PAGE_SIZE } from "../../core/memory.ts";
import type { GuestRandom } from "./guest_random.ts";
import { Program } from "./riscv_assembler.ts";

/** Guest-physical address of RAM. */
export const RAM = 0x8000_0000;
/** RAM of the machines that run random guests. */
export const RAM_BYTES = 2 ** 21;
export const MACHINE_HANDLER = RAM;
export const SUPERVISOR_HANDLER = RAM + 0x1000;
/** Bytes to go on by from an instruction in the code pages, by halfword; 0 where none starts. */
export const LENGTHS = RAM + 0x2000;
/** pc, and mstatus bits for MPP and SPP. */
export const LANDINGS = RAM + 0x3000;
export const LANDING_COUNT = 16;
/** Handlers' registers, and how many landings were used. */
const SAVED = RAM + 0x3800;
/** Two pages. Every window shows them at the same bits 29:13. */
export const CODE = RAM + 0x8000;
export const DATA = RAM + 0x1_0000;
export const DATA_PAGES = 8;
export const TABLES = RAM + 0x2_0000;
const USED_PAGES = 64;

export const USER = 0x4000_0000;
export const LARGE = 0x4020_0000;
export const DEVICES = 0x5000_0000;
export const HUGE = 0xc000_0000;
/** Added to an address: the same under Sv48 and Sv57, at the end of what programs use of their address space. */
export const FAR = 255 * 2 ** 39;
/** mtime, mtimecmp, msip, UART, clock, PLIC claim. */
export const DEVICE_REGISTERS: readonly number[] = [
  ...[0x200_bff8, 0x200_4000, 0x200_0000],
  ...[0x1000_0000, 0x10_1000, 0xc20_0004],
];

const MSTATUS_SPP = 1 << 8, MSTATUS_MPP_SHIFT = 11, MSTATUS_MPP = 3 << MSTATUS_MPP_SHIFT;
const TIME = 0xc01, STIMECMP = 0x14d;

/** The mstatus bits that make MRET and SRET go to a mode; SRET as far as it can. */
export function landingStatus(privilege: number): number {
  return privilege << MSTATUS_MPP_SHIFT | (privilege === 0 ? 0 : MSTATUS_SPP);
}

/** The CSRs and bits by which the handlers of two modes differ. */
interface HandlerMode {
  readonly address: number;
  readonly saved: number;
  readonly status: number;
  readonly scratch: number;
  readonly epc: number;
  readonly cause: number;
  readonly pending: number;
  readonly previous: number;
  readonly back: string;
}

const T0 = 5, T1 = 6, T2 = 7;

/** Goes on after the instruction that trapped or, where none of the code did, at the next landing. */
function handler(h: HandlerMode): Uint8Array<ArrayBuffer> {
  return new Program(h.address)
    .add("csrrw", { csr: h.scratch, rs1: T0 })
    .addressOf(T0, h.saved)
    .add("sd", { rs1: T0, rs2: T1 })
    .add("sd", { rs1: T0, rs2: T2, imm: 8 })
    .add("csrrs", { rd: T1, csr: h.cause })
    .branch("blt", { rs1: T1 }, "interrupt")
    .add("csrrs", { rd: T1, csr: h.epc })
    .add("slli", { rd: T2, rs1: T1, imm: 34 })
    .add("srli", { rd: T2, rs1: T2, imm: 34 + 13 })
    .add("addi", { rd: T2, rs1: T2, imm: -((CODE - RAM) >> 13) })
    .branch("bne", { rs1: T2 }, "land")
    .add("slli", { rd: T2, rs1: T1, imm: 64 - 13 })
    .add("srli", { rd: T2, rs1: T2, imm: 64 - 13 + 1 })
    .addressOf(T0, LENGTHS)
    .add("add", { rd: T0, rs1: T0, rs2: T2 })
    .add("lbu", { rd: T2, rs1: T0 })
    .addressOf(T0, h.saved)
    .branch("beq", { rs1: T2 }, "land")
    .add("add", { rd: T1, rs1: T1, rs2: T2 })
    .add("csrrw", { csr: h.epc, rs1: T1 })
    .branch("jal", {}, "return")
    .label("land")
    .add("ld", { rd: T1, rs1: T0, imm: 16 })
    .add("addi", { rd: T1, rs1: T1, imm: 1 })
    .add("sd", { rs1: T0, rs2: T1, imm: 16 })
    .add("andi", { rd: T1, rs1: T1, imm: LANDING_COUNT - 1 })
    .add("slli", { rd: T1, rs1: T1, imm: 4 })
    .addressOf(T2, LANDINGS)
    .add("add", { rd: T1, rs1: T1, rs2: T2 })
    .add("ld", { rd: T2, rs1: T1 })
    .add("csrrw", { csr: h.epc, rs1: T2 })
    .add("lui", { rd: T2, imm: (h.previous + 0x800) & ~0xfff })
    .add("addiw", { rd: T2, rs1: T2, imm: h.previous << 20 >> 20 })
    .add("csrrc", { csr: h.status, rs1: T2 })
    .add("ld", { rd: T1, rs1: T1, imm: 8 })
    .add("and", { rd: T1, rs1: T1, rs2: T2 })
    .add("csrrs", { csr: h.status, rs1: T1 })
    .branch("jal", {}, "return")
    .label("interrupt") // silence what can be, for a while
    .add("csrrwi", { csr: h.pending })
    .add("csrrs", { rd: T1, csr: TIME })
    .add("addi", { rd: T1, rs1: T1, imm: 301 })
    .add("csrrw", { csr: STIMECMP, rs1: T1 })
    .label("return")
    .add("ld", { rd: T1, rs1: T0 })
    .add("ld", { rd: T2, rs1: T0, imm: 8 })
    .add("csrrs", { rd: T0, csr: h.scratch })
    .add(h.back)
    .bytes();
}

/** The handler at {@linkcode MACHINE_HANDLER}. */
export const MACHINE_HANDLER_CODE: Uint8Array<ArrayBuffer> = handler({
  address: MACHINE_HANDLER,
  saved: SAVED,
  status: 0x300,
  scratch: 0x340,
  epc: 0x341,
  cause: 0x342,
  pending: 0x344,
  previous: MSTATUS_MPP,
  back: "mret",
});

/** The handler at {@linkcode SUPERVISOR_HANDLER}. */
export const SUPERVISOR_HANDLER_CODE: Uint8Array<ArrayBuffer> = handler({
  address: SUPERVISOR_HANDLER,
  saved: SAVED + 0x80,
  status: 0x100,
  scratch: 0x140,
  epc: 0x141,
  cause: 0x142,
  pending: 0x144,
  previous: MSTATUS_SPP,
  back: "sret",
});

// Page table entry
const V = 1, R = 2, W = 4, X = 8, U = 0x10, A = 0x40, D = 0x80;

/**
 * Writes page tables. Data pages have one bit or another wrong, unless the guest is smooth; code has, if it is wild. Table 0 is the root; the last-level tables are 1 (for S-mode) and 2 (USER).
 */
export function writePageTables(view: DataView, paging: number, random: GuestRandom, kind: string): void {
  const pte = (table: number, index: number, target: number, bits: number) =>
    view.setBigUint64(
      TABLES - RAM + table * PAGE_SIZE + 8 * index,
      BigInt(target / PAGE_SIZE) << 10n | BigInt(bits),
      true,
    );
  const pointer = (table: number, index: number, to: number) => pte(table, index, TABLES + to * PAGE_SIZE, V);
  const all = V | R | W | X | A | D;

  let root = 0;
  for (let level = paging - 5; level > 3; level--, root += 8) {
    pointer(root, 0, root + 8);
    if (level === 4) pointer(root, FAR / 2 ** 39, root + 8);
  }
  pointer(root, HUGE / 2 ** 30 - 1, 3); // of RAM
  pte(root, HUGE / 2 ** 30, RAM, all | random.pick([0, U]));
  pointer(root, USER / 2 ** 30, 4);
  pointer(3, 0, 1);
  pointer(4, 0, 2);
  pte(
    4,
    (LARGE - USER) / 2 ** 21,
    RAM,
    kind === "smooth" ? all | U : all ^ random.pick([0, U, U, U | D, U | X, A | D]),
  );
  pointer(4, (DEVICES - USER) / 2 ** 21, 5);
  DEVICE_REGISTERS.forEach((address, i) =>
    pte(5, i, address - address % PAGE_SIZE, V | R | W | A | D | random.pick([0, U]))
  );
  for (let page = 0; page < USED_PAGES; page++) {
    const own = RAM + page * PAGE_SIZE;
    const isCode = own >= CODE && own < DATA, isData = own >= DATA && own < TABLES;
    for (const [table, user] of [[1, 0], [2, U]]) {
      let bits = all | user;
      const faulty = isData && kind !== "smooth" || isCode && kind === "wild";
      if (faulty && random.oneIn(4)) bits ^= 1 << random.below(8);
      if (isData && random.oneIn(8)) bits &= ~(A | D);
      if (isCode && random.oneIn(4)) bits &= ~D;
      // Neighbours are not neighbours in RAM, so that what runs over a page's end is noticed.
      const target = isData ? DATA + random.below((TABLES - DATA) / PAGE_SIZE) * PAGE_SIZE : own;
      if (table === 1 || isCode || isData) pte(table, page, target, bits);
    }
  }
}
