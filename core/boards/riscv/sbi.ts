/**
 * The supervisor execution environment, answered by the board where there is no firmware: a kernel in S-mode
 * makes an ECALL and finds the result in a0 and a1. Nothing of it lives in guest memory.
 *
 * Specification: RISC-V Supervisor Binary Interface 2.0: Base, TIME, IPI, RFENCE, HSM, SRST, DBCN and the
 * legacy extensions. A supervisor is not trusted: its hart masks, addresses and sizes are checked, and no
 * call does more work than a page's worth of bytes or a hart's worth of TLB.
 */
import type { RiscvHart } from "../../decoder/riscv/hart.ts";
import type { Uart16550 } from "../../devices/uart16550.ts";
import type { Machine } from "../../machine.ts";
import { PAGE_SIZE } from "../../memory.ts";
import { pendSupervisorSoftware, startSupervisorMode } from "./start.ts";

// Error codes (chapter 3).
const SUCCESS = 0;
const ERR_FAILED = -1;
const ERR_NOT_SUPPORTED = -2;
const ERR_INVALID_PARAM = -3;
const ERR_INVALID_ADDRESS = -5;
const ERR_ALREADY_AVAILABLE = -6;

// Extension IDs.
const EXT_BASE = 0x10;
const EXT_TIME = 0x54494d45;
const EXT_IPI = 0x735049;
const EXT_RFENCE = 0x52464e43;
const EXT_HSM = 0x48534d;
const EXT_SRST = 0x53525354;
const EXT_DBCN = 0x4442434e;
/** Legacy extensions (chapter 5) are 0 to 8. */
const LEGACY_SET_TIMER = 0;
const LEGACY_PUTCHAR = 1;
const LEGACY_GETCHAR = 2;
const LEGACY_CLEAR_IPI = 3;
const LEGACY_SEND_IPI = 4;
const LEGACY_FENCE_I = 5;
const LEGACY_SFENCE_VMA = 6;
const LEGACY_SFENCE_VMA_ASID = 7;
const LEGACY_SHUTDOWN = 8;

/** Specification version 2.0: major in bits 30:24, minor in bits 23:0. */
const SPEC_VERSION = 2 << 24;
/** Not an assigned implementation ID: "BW". */
const IMPLEMENTATION_ID = 0x4257;
const IMPLEMENTATION_VERSION = 1;

// HSM hart states and suspend types (chapter 9).
const HART_STARTED = 0;
const HART_STOPPED = 1;
const HART_SUSPENDED = 4;
const SUSPEND_RETENTIVE = 0;

// SRST types and reasons (chapter 10).
const RESET_SHUTDOWN = 0;
const RESET_WARM_REBOOT = 2;
const REASON_SYSTEM_FAILURE = 1;

/** Console bytes moved per call; a caller repeats the call for the rest (chapter 12). */
const CONSOLE_BYTES_PER_CALL = PAGE_SIZE;
/** Remote fences of more pages than this forget everything instead. */
const FENCE_PAGES = 64;

const A0 = 10;
const A7 = 17;

/** The SBI of one machine. */
export class Sbi {
  /** The pc each hart goes on at after HART_SUSPEND; it is suspended while it waits there. */
  readonly #suspendedAt = new Map<RiscvHart, bigint>();
  #value = 0;

  /** @param console The UART the debug console and the legacy console use. */
  constructor(
    private readonly machine: Machine,
    private readonly console: Uart16550,
  ) {}

  /** Handles an ECALL from S-mode. Returns whether it did, which is always. */
  call(hart: RiscvHart): boolean {
    const extension = word(hart, A7);
    this.#value = 0;
    if (extension >>> 0 <= LEGACY_SHUTDOWN) {
      setRegister(hart, A0, this.#legacy(hart, extension));
      return true;
    }
    const error = this.#dispatch(hart, extension, word(hart, 16));
    setRegister(hart, A0, error);
    setRegister(hart, A0 + 1, error === SUCCESS ? this.#value : 0);
    return true;
  }

  get #harts(): readonly RiscvHart[] {
    return this.machine.vcpus as readonly RiscvHart[];
  }

  #dispatch(hart: RiscvHart, extension: number, func: number): number {
    switch (extension) {
      case EXT_BASE:
        return this.#base(hart, func);
      case EXT_TIME:
        return func === 0 ? this.#setTimer(hart) : ERR_NOT_SUPPORTED;
      case EXT_IPI:
        return func === 0 ? this.#forHarts(hart, 0, pendSupervisorSoftware) : ERR_NOT_SUPPORTED;
      case EXT_RFENCE:
        return this.#remoteFence(hart, func);
      case EXT_HSM:
        return this.#hartState(hart, func);
      case EXT_SRST:
        return func === 0 ? this.#systemReset(word(hart, A0), word(hart, A0 + 1)) : ERR_NOT_SUPPORTED;
      case EXT_DBCN:
        return this.#debugConsole(hart, func);
    }
    return ERR_NOT_SUPPORTED;
  }

  /** Chapter 4. */
  #base(hart: RiscvHart, func: number): number {
    switch (func) {
      case 0:
        this.#value = SPEC_VERSION;
        return SUCCESS;
      case 1:
        this.#value = IMPLEMENTATION_ID;
        return SUCCESS;
      case 2:
        this.#value = IMPLEMENTATION_VERSION;
        return SUCCESS;
      case 3: {
        const known = [EXT_BASE, EXT_TIME, EXT_IPI, EXT_RFENCE, EXT_HSM, EXT_SRST, EXT_DBCN];
        const extension = word(hart, A0);
        this.#value = known.includes(extension) || extension >>> 0 <= LEGACY_SHUTDOWN ? 1 : 0;
        return SUCCESS;
      }
      case 4: // mvendorid, marchid, mimpid: not a commercial implementation
      case 5:
      case 6:
        return SUCCESS;
    }
    return ERR_NOT_SUPPORTED;
  }

  /** Chapter 6. With Sstc the timer is the hart's own. */
  #setTimer(hart: RiscvHart): number {
    hart.setRegister("stimecmp", unsigned64(hart, A0));
    return SUCCESS;
  }

  /** Calls `act` on every hart that the mask in x[first] and its base in x[first + 1] select (section 3.1). */
  #forHarts(caller: RiscvHart, first: number, act: (hart: RiscvHart) => void): number {
    const at = A0 + first;
    const base = unsigned64(caller, at + 1);
    if (base === ALL_ONES) {
      for (const hart of this.#harts) act(hart);
      return SUCCESS;
    }
    const mask = unsigned64(caller, at) << (base < 64n ? base : 64n);
    if (mask >> BigInt(this.#harts.length) !== 0n) return ERR_INVALID_PARAM;
    this.#forMask(mask, act);
    return SUCCESS;
  }

  #forMask(mask: bigint, act: (hart: RiscvHart) => void): void {
    for (const hart of this.#harts) {
      if (mask >> BigInt(hart.index) & 1n) act(hart);
    }
  }

  /** Chapter 8. FENCE.I needs nothing: stores reach instruction fetches at once. */
  #remoteFence(hart: RiscvHart, func: number): number {
    switch (func) {
      case 0:
        return this.#forHarts(hart, 0, () => {});
      case 1: // SFENCE.VMA
      case 2: // SFENCE.VMA with ASID, which the TLBs do not tell apart
        return this.#forHarts(hart, 0, (other) => fence(other, hart, A0 + 2));
    }
    return ERR_NOT_SUPPORTED; // 3 to 6 are for hypervisors
  }

  /** Chapter 9. */
  #hartState(hart: RiscvHart, func: number): number {
    const target = func <= 2 && func !== 1 ? this.#harts[index(hart, A0)] : hart;
    if (target === undefined) return ERR_INVALID_PARAM;
    switch (func) {
      case 0: { // hart_start
        if (!target.stopped) return ERR_ALREADY_AVAILABLE;
        const entry = Number(unsigned64(hart, A0 + 1));
        if (!this.machine.ram.contains(entry, 2)) return ERR_INVALID_ADDRESS;
        startSupervisorMode(target, entry, unsigned64(hart, A0 + 2));
        return SUCCESS;
      }
      case 1: // hart_stop
        hart.stopped = true;
        this.machine.control.yield = true;
        return SUCCESS;
      case 2: // hart_get_status
        this.#value = target.stopped
          ? HART_STOPPED
          : this.#isSuspended(target)
          ? HART_SUSPENDED
          : HART_STARTED;
        return SUCCESS;
      case 3: // hart_suspend
        if (word(hart, A0) !== SUSPEND_RETENTIVE) return ERR_NOT_SUPPORTED;
        hart.waiting = true;
        this.#suspendedAt.set(hart, join(hart.nextLo, hart.nextHi));
        this.machine.control.yield = true;
        return SUCCESS;
    }
    return ERR_NOT_SUPPORTED;
  }

  #isSuspended(hart: RiscvHart): boolean {
    return hart.waiting && this.#suspendedAt.get(hart) === hart.register("pc");
  }

  /** Chapter 10. The call does not return: the machine stops after this instruction. */
  #systemReset(type: number, reason: number): number {
    if (type >>> 0 > RESET_WARM_REBOOT || reason >>> 0 > REASON_SYSTEM_FAILURE) return ERR_INVALID_PARAM;
    this.machine.requestExit({
      kind: type === RESET_SHUTDOWN ? "poweroff" : "reset",
      ...(reason === REASON_SYSTEM_FAILURE && { failure: 'the guest gave "system failure" as its reason' }),
    });
    return SUCCESS;
  }

  /** Chapter 12. */
  #debugConsole(hart: RiscvHart, func: number): number {
    if (func === 2) {
      this.console.transmit(word(hart, A0));
      return SUCCESS;
    }
    if (func > 2) return ERR_NOT_SUPPORTED;
    const { ram } = this.machine;
    const length = Number(unsigned64(hart, A0));
    const address = Number(unsigned64(hart, A0 + 1));
    if (unsigned64(hart, A0 + 2) !== 0n || !ram.contains(address, length)) return ERR_INVALID_PARAM;
    const count = Math.min(length, CONSOLE_BYTES_PER_CALL);
    if (func === 0) {
      for (const byte of ram.read(address, count)) this.console.transmit(byte);
      this.#value = count;
    } else {
      const bytes = [];
      for (let byte = 0; bytes.length < count && (byte = this.console.take()) >= 0;) bytes.push(byte);
      if (bytes.length > 0) ram.write(address, Uint8Array.from(bytes));
      this.#value = bytes.length;
    }
    return SUCCESS;
  }

  /** Chapter 5. Hart masks are passed by virtual address; 0 means every hart. */
  #legacy(hart: RiscvHart, extension: number): number {
    switch (extension) {
      case LEGACY_SET_TIMER:
        return this.#setTimer(hart);
      case LEGACY_PUTCHAR:
        this.console.transmit(word(hart, A0));
        return SUCCESS;
      case LEGACY_GETCHAR:
        return this.console.take();
      case LEGACY_CLEAR_IPI:
        hart.setRegister("sip", (hart.register("sip") ?? 0n) & ~2n);
        return SUCCESS;
      case LEGACY_SEND_IPI:
        return this.#forLegacyMask(hart, pendSupervisorSoftware);
      case LEGACY_FENCE_I:
        return SUCCESS;
      case LEGACY_SFENCE_VMA:
      case LEGACY_SFENCE_VMA_ASID:
        return this.#forLegacyMask(hart, (other) => fence(other, hart, A0 + 1));
    }
    this.machine.requestExit({ kind: "poweroff" });
    return SUCCESS;
  }

  #forLegacyMask(hart: RiscvHart, act: (hart: RiscvHart) => void): number {
    const { ram } = this.machine;
    const pointer = unsigned64(hart, A0);
    if (pointer === 0n) {
      for (const other of this.#harts) act(other);
      return SUCCESS;
    }
    const address = hart.translateAddress(pointer);
    if (address === undefined || !ram.contains(address, 8)) return ERR_FAILED;
    this.#forMask(ram.view.getBigUint64(address - ram.base, true), act);
    return SUCCESS;
  }
}

const ALL_ONES = (1n << 64n) - 1n;

/** The low word of an integer register, signed. */
function word(hart: RiscvHart, register: number): number {
  return hart.state[2 * register];
}

function unsigned64(hart: RiscvHart, register: number): bigint {
  return join(hart.state[2 * register], hart.state[2 * register + 1]);
}

function join(lo: number, hi: number): bigint {
  return BigInt(hi >>> 0) << 32n | BigInt(lo >>> 0);
}

/** A hart number; -1 when it is none of ours whatever their number. */
function index(hart: RiscvHart, register: number): number {
  return hart.state[2 * register + 1] === 0 ? hart.state[2 * register] : -1;
}

function setRegister(hart: RiscvHart, register: number, value: number): void {
  hart.state[2 * register] = value;
  hart.state[2 * register + 1] = value >> 31;
}

/** Forgets what `target` knows of the range whose start and size are in the caller's x[at] and x[at + 1]. */
function fence(target: RiscvHart, caller: RiscvHart, at: number): void {
  const start = unsigned64(caller, at), size = unsigned64(caller, at + 1);
  if (size === 0n || size > BigInt(FENCE_PAGES * PAGE_SIZE)) {
    target.flushAll();
    return;
  }
  const pageSize = BigInt(PAGE_SIZE);
  for (let page = start & -pageSize; page < start + size; page += pageSize) {
    target.flushPage(Number(BigInt.asIntN(32, page)), Number(BigInt.asIntN(32, page >> 32n)));
  }
}
