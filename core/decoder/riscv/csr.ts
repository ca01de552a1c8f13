/**
 * Control and status registers: one row each, with how it reads and what may be written to it. Privileged
 * architecture 20240411, chapters 2, 3 and 12; Zicntr; Sstc (stimecmp).
 *
 * A number without a row raises an illegal instruction. So do `allowed` checks that fail, accesses from too
 * low a privilege, and writes to numbers that are read-only by their encoding.
 */
import type { RiscvHart } from "./hart.ts";
import { PMP_ENTRIES } from "./pmp.ts";
import {
  S_CYCLE_BASE,
  S_FFLAGS,
  S_FRM,
  S_INSTRET_BASE,
  S_MCAUSE,
  S_MCOUNTEREN,
  S_MCOUNTINHIBIT,
  S_MEDELEG,
  S_MENVCFG,
  S_MEPC,
  S_MIDELEG,
  S_MIE,
  S_MIP,
  S_MIP_SOFTWARE,
  S_MSCRATCH,
  S_MSTATUS,
  S_MTVAL,
  S_MTVEC,
  S_PMPADDR0,
  S_PMPCFG0,
  S_PRIV,
  S_SATP,
  S_SCAUSE,
  S_SCOUNTEREN,
  S_SENVCFG,
  S_SEPC,
  S_SSCRATCH,
  S_STIMECMP,
  S_STVAL,
  S_STVEC,
} from "./state.ts";
import {
  MSTATUS_FS,
  MSTATUS_MIE,
  MSTATUS_MPIE,
  MSTATUS_MPP,
  MSTATUS_MPP_SHIFT,
  MSTATUS_MPRV,
  MSTATUS_MXR,
  MSTATUS_SIE,
  MSTATUS_SPIE,
  MSTATUS_SPP,
  MSTATUS_SUM,
  MSTATUS_TSR,
  MSTATUS_TVM,
  MSTATUS_TW,
  PRIV_M,
  PRIV_S,
  PRIV_U,
} from "./trap.ts";

/** One register. */
export interface Csr {
  /** As instructions encode it. */
  readonly number: number;
  /** As assemblers spell it. */
  readonly name: string;
  /** Puts the value into `h.lo` and `h.hi`. */
  read(h: RiscvHart): void;
  /** Writes what may be written of the value. Absent where nothing may. */
  write?(h: RiscvHart, lo: number, hi: number): void;
  /** What else must hold for an access to be legal. */
  allowed?(h: RiscvHart): boolean;
  /** What the low word's set and clear instructions start from, where that is not what reading gives. */
  base?(h: RiscvHart): number;
}

/** How a CSR instruction changes the register. */
export const CSR_WRITE = 0;
/** Sets the bits of the operand. */
export const CSR_SET = 1;
/** Clears the bits of the operand. */
export const CSR_CLEAR = 2;

/** The bits of mstatus that are seen and written in sstatus. */
export const STATUS_SUPERVISOR: number = MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_FS | MSTATUS_SUM |
  MSTATUS_MXR;
const STATUS_MACHINE = STATUS_SUPERVISOR | MSTATUS_MIE | MSTATUS_MPIE | MSTATUS_MPP | MSTATUS_MPRV |
  MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR;
/** UXL = SXL = 64, in the high word. */
const STATUS_XLEN = 2 | 2 << 2;
/** UXL = 64, in the high word: what sstatus shows of it. */
export const STATUS_UXL: number = STATUS_XLEN & 3;
/** SD, in the high word: FS is dirty. */
export const STATUS_DIRTY: number = 1 << 31;
/** Interrupts that exist: S and M software, timer and external. */
const INTERRUPTS = 0xaaa;
const SUPERVISOR_INTERRUPTS = 0x222;
const SSIP = 1 << 1;
const STIP = 1 << 5;
const SEIP = 1 << 9;
/** Exceptions 0 to 9 and the page faults 12, 13, 15; not ECALL from M-mode. */
const DELEGATED_EXCEPTIONS = 0xb3ff;
/** FIOM in the low word; STCE and ADUE in the high word. */
const FIOM = 1;
const STCE = 1 << 31;
const ADUE = 1 << 29;
/** MXL = 64. */
const MISA_HI = 2 << 30;
/** A, C, D, F, I, M, S, U. */
const MISA_LO = [..."ACDFIMSU"].reduce((bits, letter) => bits | 1 << (letter.charCodeAt(0) - 65), 0);
/** satp.MODE and the PPN's high part; ASID has no bits. */
const SATP_HI = 0xf0000fff | 0;
const COUNTER_CY = 0;
const COUNTER_TM = 1;
const COUNTER_IR = 2;
const COUNTERS = 7;
const WORD = 0x1_0000_0000;

/** A register kept as it is in the state block, of which the masked bits can be written. */
function plain(number: number, name: string, offset: number, maskLo = -1, maskHi = -1): Csr {
  const i = offset >> 2;
  return {
    number,
    name,
    read(h) {
      h.lo = h.state[i];
      h.hi = h.state[i + 1];
    },
    write(h, lo, hi) {
      h.state[i] = lo & maskLo;
      h.state[i + 1] = hi & maskHi;
    },
  };
}

/** A register that always reads the same and ignores writes. */
function constant(number: number, name: string, lo = 0, hi = 0): Csr {
  return {
    number,
    name,
    read(h) {
      h.lo = lo;
      h.hi = hi;
    },
  };
}

function low(number: number, name: string, rest: {
  read(h: RiscvHart): number;
  write?: Csr["write"];
  allowed?: Csr["allowed"];
  base?: Csr["base"];
}): Csr {
  const { read, ...others } = rest;
  return {
    number,
    name,
    read(h) {
      h.lo = read(h);
      h.hi = 0;
    },
    ...others,
  };
}

// ---- floating point

const fpOn = (h: RiscvHart): boolean => (h.state[S_MSTATUS >> 2] & MSTATUS_FS) !== 0;

function flags(h: RiscvHart): number {
  return h.state[S_FFLAGS >> 2] |= h.collectHostFlags();
}

function writeFloat(h: RiscvHart, flagBits: number | undefined, mode: number | undefined): void {
  if (flagBits !== undefined) {
    h.collectHostFlags();
    h.state[S_FFLAGS >> 2] = flagBits & 31;
  }
  if (mode !== undefined) h.state[S_FRM >> 2] = mode & 7;
  h.fpDirty();
}

const FLOAT: readonly Csr[] = [
  low(0x001, "fflags", { read: flags, write: (h, lo) => writeFloat(h, lo, undefined), allowed: fpOn }),
  low(0x002, "frm", {
    read: (h) => h.state[S_FRM >> 2],
    write: (h, lo) => writeFloat(h, undefined, lo),
    allowed: fpOn,
  }),
  low(0x003, "fcsr", {
    read: (h) => h.state[S_FRM >> 2] << 5 | flags(h),
    write: (h, lo) => writeFloat(h, lo, lo >> 5),
    allowed: fpOn,
  }),
];

// ---- counters

function readNumber(h: RiscvHart, value: number): void {
  h.lo = value | 0;
  h.hi = Math.floor(value / WORD) | 0;
}

/** Reads mcycle or minstret. */
function readCounter(h: RiscvHart, bit: number, offset: number): void {
  const i = offset >> 2, { state } = h;
  if (state[S_MCOUNTINHIBIT >> 2] >> bit & 1) readNumber(h, 0);
  else readNumber(h, h.machine.clock.instructions);
  const lo = (h.lo >>> 0) + (state[i] >>> 0);
  h.lo = lo | 0;
  h.hi = h.hi + state[i + 1] + (lo >= WORD ? 1 : 0) | 0;
}

/** Makes mcycle or minstret read `lo, hi` in the next instruction. */
function writeCounter(h: RiscvHart, bit: number, offset: number, lo: number, hi: number): void {
  const i = offset >> 2, { state } = h;
  if (state[S_MCOUNTINHIBIT >> 2] >> bit & 1) readNumber(h, 0);
  else readNumber(h, h.machine.clock.instructions + 1);
  state[i] = lo - h.lo | 0;
  state[i + 1] = hi - h.hi - (lo >>> 0 < h.lo >>> 0 ? 1 : 0) | 0;
}

/** Stops and starts counters: each keeps the value it has. */
function writeCountInhibit(h: RiscvHart, value: number): void {
  for (const [bit, offset] of [[COUNTER_CY, S_CYCLE_BASE], [COUNTER_IR, S_INSTRET_BASE]]) {
    const inhibited = h.state[S_MCOUNTINHIBIT >> 2] >> bit & 1;
    if (inhibited === (value >> bit & 1)) continue;
    readCounter(h, bit, offset);
    const { lo, hi } = h;
    h.state[S_MCOUNTINHIBIT >> 2] ^= 1 << bit;
    writeCounter(h, bit, offset, lo, hi);
  }
}

/** Whether mcounteren and scounteren let the current mode read an unprivileged counter. */
function counterEnabled(h: RiscvHart, bit: number): boolean {
  const { state } = h;
  const privilege = state[S_PRIV >> 2];
  if (privilege < PRIV_M && !(state[S_MCOUNTEREN >> 2] >> bit & 1)) return false;
  return privilege !== PRIV_U || (state[S_SCOUNTEREN >> 2] >> bit & 1) !== 0;
}

function counter(
  number: number,
  name: string,
  bit: number,
  read: (h: RiscvHart) => void,
): Csr {
  return { number, name, read, allowed: (h) => counterEnabled(h, bit) };
}

const readCycle = (h: RiscvHart) => readCounter(h, COUNTER_CY, S_CYCLE_BASE);
const readInstret = (h: RiscvHart) => readCounter(h, COUNTER_IR, S_INSTRET_BASE);

const COUNTER: readonly Csr[] = [
  counter(0xc00, "cycle", COUNTER_CY, readCycle),
  counter(0xc01, "time", COUNTER_TM, (h) => readNumber(h, h.machine.clock.nowNs)),
  counter(0xc02, "instret", COUNTER_IR, readInstret),
  {
    number: 0xb00,
    name: "mcycle",
    read: readCycle,
    write: (h, lo, hi) => writeCounter(h, COUNTER_CY, S_CYCLE_BASE, lo, hi),
  },
  {
    number: 0xb02,
    name: "minstret",
    read: readInstret,
    write: (h, lo, hi) => writeCounter(h, COUNTER_IR, S_INSTRET_BASE, lo, hi),
  },
  plain(0x306, "mcounteren", S_MCOUNTEREN, COUNTERS, 0),
  plain(0x106, "scounteren", S_SCOUNTEREN, COUNTERS, 0),
  low(0x320, "mcountinhibit", { read: (h) => h.state[S_MCOUNTINHIBIT >> 2], write: writeCountInhibit }),
];

const NUMBERED_COUNTERS: readonly Csr[] = Array.from({ length: 29 }, (_, i) => i + 3).flatMap((n) => [
  { ...constant(0xc00 + n, `hpmcounter${n}`), allowed: (h: RiscvHart) => counterEnabled(h, n) },
  constant(0xb00 + n, `mhpmcounter${n}`),
  constant(0x320 + n, `mhpmevent${n}`),
]);

// ---- status

function readStatus(h: RiscvHart, mask: number, xlen: number): void {
  const status = h.state[S_MSTATUS >> 2];
  h.lo = status & mask;
  h.hi = xlen | ((status & MSTATUS_FS) === MSTATUS_FS ? STATUS_DIRTY : 0);
}

function writeStatus(h: RiscvHart, value: number, mask: number): void {
  const old = h.state[S_MSTATUS >> 2];
  let status = old & ~mask | value & mask;
  if ((status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT === 2) status = status & ~MSTATUS_MPP | old & MSTATUS_MPP;
  h.state[S_MSTATUS >> 2] = status;
  if ((old ^ status) & MSTATUS_MXR) h.mmu.flushData();
  h.modeChanged();
}

function writeEnvironment(h: RiscvHart, lo: number, hi: number): void {
  h.state[S_MENVCFG >> 2] = lo & FIOM;
  h.state[(S_MENVCFG >> 2) + 1] = hi & (STCE | ADUE);
  h.timeCompareChanged();
}

const timerAllowed = (h: RiscvHart): boolean =>
  h.state[S_PRIV >> 2] === PRIV_M ||
  ((h.state[(S_MENVCFG >> 2) + 1] & STCE) !== 0 && counterEnabled(h, COUNTER_TM));

function writeSatp(h: RiscvHart, lo: number, hi: number): void {
  const mode = hi >>> 28;
  if (mode !== 0 && (mode < 8 || mode > 10)) return; // an unsupported mode: no effect at all
  const i = S_SATP >> 2;
  const modeWas = h.state[i + 1] >>> 28;
  h.state[i] = lo;
  h.state[i + 1] = hi & SATP_HI;
  if (mode !== modeWas) h.mmu.flushAll(); // "takes effect immediately", section 12.1.11
}

const SUPERVISOR: readonly Csr[] = [
  {
    number: 0x100,
    name: "sstatus",
    read: (h) => readStatus(h, STATUS_SUPERVISOR, STATUS_UXL),
    write: (h, lo) => writeStatus(h, lo, STATUS_SUPERVISOR),
  },
  low(0x104, "sie", {
    read: (h) => h.state[S_MIE >> 2] & h.state[S_MIDELEG >> 2],
    write(h, lo) {
      const mask = h.state[S_MIDELEG >> 2];
      h.state[S_MIE >> 2] = h.state[S_MIE >> 2] & ~mask | lo & mask;
      h.interruptsChanged();
    },
  }),
  plain(0x105, "stvec", S_STVEC, ~2),
  plain(0x10a, "senvcfg", S_SENVCFG, FIOM, 0),
  plain(0x140, "sscratch", S_SSCRATCH),
  plain(0x141, "sepc", S_SEPC, ~1),
  plain(0x142, "scause", S_SCAUSE),
  plain(0x143, "stval", S_STVAL),
  low(0x144, "sip", {
    read: (h) => h.state[S_MIP >> 2] & h.state[S_MIDELEG >> 2],
    write(h, lo) {
      const mask = h.state[S_MIDELEG >> 2] & SSIP;
      h.state[S_MIP_SOFTWARE >> 2] = h.state[S_MIP_SOFTWARE >> 2] & ~mask | lo & mask;
      h.interruptsChanged();
    },
  }),
  {
    ...plain(0x14d, "stimecmp", S_STIMECMP),
    write(h, lo, hi) {
      h.state[S_STIMECMP >> 2] = lo;
      h.state[(S_STIMECMP >> 2) + 1] = hi;
      h.timeCompareChanged();
    },
    allowed: timerAllowed,
  },
  {
    ...plain(0x180, "satp", S_SATP),
    write: writeSatp,
    allowed: (h) => h.state[S_PRIV >> 2] !== PRIV_S || !(h.state[S_MSTATUS >> 2] & MSTATUS_TVM),
  },
];

// ---- machine

const MACHINE: readonly Csr[] = [
  constant(0xf11, "mvendorid"),
  constant(0xf12, "marchid"),
  constant(0xf13, "mimpid"),
  low(0xf14, "mhartid", { read: (h) => h.index }),
  constant(0xf15, "mconfigptr"),
  {
    number: 0x300,
    name: "mstatus",
    read: (h) => readStatus(h, -1, STATUS_XLEN),
    write: (h, lo) => writeStatus(h, lo, STATUS_MACHINE),
  },
  constant(0x301, "misa", MISA_LO, MISA_HI),
  plain(0x302, "medeleg", S_MEDELEG, DELEGATED_EXCEPTIONS, 0),
  low(0x303, "mideleg", {
    read: (h) => h.state[S_MIDELEG >> 2],
    write(h, lo) {
      h.state[S_MIDELEG >> 2] = lo & SUPERVISOR_INTERRUPTS;
      h.interruptsChanged();
    },
  }),
  low(0x304, "mie", {
    read: (h) => h.state[S_MIE >> 2],
    write(h, lo) {
      h.state[S_MIE >> 2] = lo & INTERRUPTS;
      h.interruptsChanged();
    },
  }),
  plain(0x305, "mtvec", S_MTVEC, ~2),
  { ...plain(0x30a, "menvcfg", S_MENVCFG), write: writeEnvironment },
  plain(0x340, "mscratch", S_MSCRATCH),
  plain(0x341, "mepc", S_MEPC, ~1),
  plain(0x342, "mcause", S_MCAUSE),
  plain(0x343, "mtval", S_MTVAL),
  low(0x344, "mip", {
    read: (h) => h.state[S_MIP >> 2],
    write(h, lo) {
      const timer = h.state[(S_MENVCFG >> 2) + 1] & STCE ? 0 : STIP;
      const mask = SSIP | SEIP | timer;
      h.state[S_MIP_SOFTWARE >> 2] = h.state[S_MIP_SOFTWARE >> 2] & ~mask | lo & mask;
      h.interruptsChanged();
    },
    base: (h) => h.state[S_MIP_SOFTWARE >> 2], // not the external controller's SEIP, section 3.1.9
  }),
];

const PROTECTION: readonly Csr[] = [
  ...[0, 8].map((first): Csr => ({
    ...plain(0x3a0 + first / 4, `pmpcfg${first / 4}`, S_PMPCFG0 + first),
    write(h, lo, hi) {
      h.pmp.writeConfig(first, lo, hi);
      h.mmu.flushAll();
    },
  })),
  ...Array.from({ length: PMP_ENTRIES }, (_, i): Csr => ({
    ...plain(0x3b0 + i, `pmpaddr${i}`, S_PMPADDR0 + 8 * i),
    write(h, lo, hi) {
      h.pmp.writeAddress(i, lo, hi);
      h.mmu.flushAll();
    },
  })),
];

/** Every register that exists, in the order a debugger shows them. */
export const CSRS: readonly Csr[] = [
  ...FLOAT,
  ...SUPERVISOR,
  ...MACHINE,
  ...PROTECTION,
  ...COUNTER,
  ...NUMBERED_COUNTERS,
];

const BY_NUMBER: (Csr | undefined)[] = new Array(4096).fill(undefined);
for (const row of CSRS) BY_NUMBER[row.number] = row;

/** The register of an assembler name. */
export function csrNamed(name: string): Csr | undefined {
  return CSRS.find((row) => row.name === name);
}

/**
 * Executes a CSR instruction: the old value goes to `h.lo` and `h.hi`. Returns false, having changed
 * nothing, when the access is illegal.
 *
 * @param op CSR_WRITE, CSR_SET or CSR_CLEAR.
 * @param write Whether the instruction writes at all (set and clear of nothing do not).
 */
export function accessCsr(
  h: RiscvHart,
  number: number,
  op: number,
  write: boolean,
  lo: number,
  hi: number,
): boolean {
  const row = BY_NUMBER[number];
  if (row === undefined || h.state[S_PRIV >> 2] < (number >> 8 & 3)) return false;
  if (write && number >> 10 === 3) return false;
  if (row.allowed !== undefined && !row.allowed(h)) return false;
  row.read(h);
  if (!write || row.write === undefined) return true;
  const oldLo = h.lo, oldHi = h.hi;
  const base = op !== CSR_WRITE && row.base !== undefined ? row.base(h) : oldLo;
  if (op === CSR_SET) row.write(h, base | lo, oldHi | hi);
  else if (op === CSR_CLEAR) row.write(h, base & ~lo, oldHi & ~hi);
  else row.write(h, lo, hi);
  h.lo = oldLo;
  h.hi = oldHi;
  return true;
}
