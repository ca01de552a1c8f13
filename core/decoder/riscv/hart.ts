/**
 * One RV64 hart: RV64GC with Zba, Zbb, Zbs, the three privilege modes and Sstc, as a vCPU. This file has the
 * interpreter's loop, the privileged instructions, interrupts and reset; memory, traps, CSRs, translation
 * and protection are in the files beside it.
 *
 * All that a guest can observe is in the state block, which generated code reads and writes too. What this
 * class caches of it (pc, MMU indexes, the current page) is read anew whenever the interpreter begins.
 *
 * Instructions can end the loop or make an interrupt deliverable only by way of a trap, a CSR, a device or a
 * privileged instruction: those set `attention`, so that the loop tests one field per instruction.
 */
import type {
  InterruptInputs,
  MachineContext,
  RegisterInfo,
  SoftwareVcpu,
  TranslationMirror,
} from "../../isa.ts";
import type { Timer } from "../../clock.ts";
import type { InterruptLine } from "../../devices/device.ts";
import {
  STATE_BUDGET,
  STATE_EPOCH_CONTEXT,
  STATE_INTERRUPT_PENDING,
  STATE_PC,
  STATE_REGISTER_DUMP,
  STATE_SYSTEM,
  TLB_FETCH,
  TLB_INVALID,
} from "../../translator/layout.ts";
import { expand } from "./compressed.ts";
import { accessCsr } from "./csr.ts";
import { decode } from "./decode.ts";
import { EXEC } from "./exec/mod.ts";
import type { Hart } from "./exec/hart_interface.ts";
import { LoadStore } from "./load_store.ts";
import { FAULT } from "./mmu.ts";
import { lowHalf, readRegister, shownRegisters, writeRegister } from "./registers.ts";
import {
  CONTEXT_FPU_CLEAN,
  CONTEXT_FPU_DIRTY,
  CONTEXT_FPU_OFF,
  CONTEXT_FPU_SHIFT,
  CONTEXT_FRM_DYNAMIC,
  MMU_MACHINE,
  MMU_SUPERVISOR,
  MMU_SUPERVISOR_SUM,
  MMU_USER,
  S_FFLAGS,
  S_FRM,
  S_MCOUNTEREN,
  S_MEDELEG,
  S_MENVCFG,
  S_MIDELEG,
  S_MIE,
  S_MIP,
  S_MIP_LINES,
  S_MIP_SOFTWARE,
  S_MSTATUS,
  S_PRIV,
  S_RESERVED,
  S_SCOUNTEREN,
  S_STIMECMP,
  xSlot,
} from "./state.ts";
import {
  CAUSE_BREAKPOINT,
  CAUSE_ECALL,
  CAUSE_FETCH_ACCESS,
  CAUSE_ILLEGAL,
  enterTrap,
  MSTATUS_FS,
  MSTATUS_MPP,
  MSTATUS_MPP_SHIFT,
  MSTATUS_MPRV,
  MSTATUS_SUM,
  MSTATUS_TSR,
  MSTATUS_TVM,
  MSTATUS_TW,
  PRIV_M,
  PRIV_S,
  PRIV_U,
  returnFromMachine,
  returnFromSupervisor,
  selectInterrupt,
} from "./trap.ts";

const STCE = 1 << 31; // menvcfg, high word
const ADUE = 1 << 29;
const STIP = 1 << 5;
const INTERRUPT_LINES = 0xaaa;
/** Timers due later than this (52 days) never fire: guest time must stay an exact integer. */
const NEVER_NS = 2 ** 52;
/** Times in a row that a handler's first instruction traps to itself, after which it is hopeless. */
const TRAP_STORM = 1000;
const WORD = 0x1_0000_0000;

/** What firmware delegates before it starts a kernel: all that S-mode can handle. */
const SBI_EXCEPTIONS = 0xb1ff; // but not ECALL from S-mode
const SBI_INTERRUPTS = 0x222;

// Decoded words, direct-mapped. What a word means depends on nothing else.
const CACHE_MASK = 8191;
const cachedWords = new Int32Array(CACHE_MASK + 1);
const cachedIds = new Uint16Array(CACHE_MASK + 1);

/** What a hart holds besides its state block. */
export interface RiscvHartSave {
  /** {@linkcode RiscvHart.waiting}. */
  readonly waiting: boolean;
  /** {@linkcode RiscvHart.stopped}. */
  readonly stopped: boolean;
  /** Times in a row that a trap handler has trapped to itself. */
  readonly trapStreak: number;
}

/** One RV64 hart. */
export class RiscvHart extends LoadStore implements SoftwareVcpu, InterruptInputs, Hart {
  waiting = false;
  stopped = false;
  exceptions = 0;
  pcLo = 0;
  pcHi = 0;
  nextLo = 0;
  nextHi = 0;
  /**
   * Built-in firmware: called for an ECALL from S-mode. True when it has dealt with the call, which then
   * returns to the next instruction; false makes it a trap to M-mode.
   */
  sbi?: (hart: RiscvHart) => boolean;
  /** Called when the hart can only trap for ever, after it was stopped. */
  onTripleFault: (detail: string) => void = () => {};
  /**
   * FP exceptions raised by generated code since the last call (in fflags' order), which forgets them.
   * Called before fflags is read or written.
   */
  collectHostFlags: () => number = () => 0;
  readonly #timer: Timer;
  readonly #view: DataView;
  #fetchIndex = MMU_MACHINE;
  /** The current instruction's bits as fetched. */
  #word = 0;
  #trapStreak = 0;

  /**
   * A hart after power-on, in M-mode at address 0.
   *
   * @param index The hart id.
   */
  constructor(machine: MachineContext, readonly index: number) {
    super(machine);
    this.#timer = machine.clock.timer(() => this.timeCompareChanged());
    this.#view = machine.ram.view;
    this.reset(0n, PRIV_M, 0n, 0n);
  }

  /** Host address of the state block; 0 without FFI. */
  get stateAddress(): number {
    return this.pages.address;
  }

  /**
   * Puts the hart into its state after power-on, running. Svadu is on, as a device tree that names Svadu and
   * not Svade promises; kernels that start in M-mode and know of neither count on it. In S-mode it is the state
   * in which firmware hands over: traps and interrupts delegated, all memory accessible, counters and FPU
   * usable, Sstc on too.
   */
  reset(pc: bigint, privilege: number, a0: bigint, a1: bigint): void {
    const s = this.state;
    const epoch = s[STATE_EPOCH_CONTEXT >> 2], lines = s[S_MIP_LINES >> 2];
    // What lies between belongs to the engine.
    s.fill(0, 0, STATE_BUDGET >> 2);
    s.fill(0, STATE_SYSTEM >> 2, STATE_REGISTER_DUMP >> 2);
    s[S_MIP_LINES >> 2] = lines; // the devices' business
    s[STATE_EPOCH_CONTEXT >> 2] = epoch & ~255;
    this.mmu.reset();
    this.pmp.refresh();
    this.waiting = this.stopped = false;
    this.#trapStreak = 0;
    s[S_PRIV >> 2] = privilege;
    s[(S_MENVCFG >> 2) + 1] = ADUE;
    if (privilege !== PRIV_M) {
      s[S_MEDELEG >> 2] = SBI_EXCEPTIONS;
      s[S_MIDELEG >> 2] = SBI_INTERRUPTS;
      s[S_MCOUNTEREN >> 2] = s[S_SCOUNTEREN >> 2] = 7;
      s[(S_MENVCFG >> 2) + 1] |= STCE;
      s[S_STIMECMP >> 2] = s[(S_STIMECMP >> 2) + 1] = -1;
      s[S_MSTATUS >> 2] = 1 << 13; // FS = initial
      this.pmp.writeAddress(0, -1, -1);
      this.pmp.writeConfig(0, 0x1f, 0); // NAPOT, RWX
    }
    writeRegister(this, "a0", a0);
    writeRegister(this, "a1", a1);
    this.setPc(lowHalf(pc), lowHalf(pc >> 32n));
    this.modeChanged();
    this.timeCompareChanged();
  }

  /** Makes the hart go on at an address. */
  setPc(lo: number, hi: number): void {
    this.pcLo = this.nextLo = lo & ~1;
    this.pcHi = this.nextHi = hi;
    this.#leave();
  }

  // ---- the interpreter

  interpret(budget: number): void {
    if (budget <= 0 || this.waiting || this.stopped) return;
    const { state, mmu } = this;
    const { clock, control, debug } = this.machine;
    const { armed } = debug;
    const view = this.#view;
    this.#enter();
    for (let left = budget;;) {
      if (this.attention) {
        this.attention = false;
        if (state[STATE_INTERRUPT_PENDING >> 2] !== 0) this.#deliverInterrupt();
      }
      const pcLo = this.pcLo;
      if (armed && debug.stopsAt(this.index, pcLo, this.pcHi)) break;
      const inPage = pcLo & 4095;
      if ((pcLo ^ inPage) === mmu.pageLo && this.pcHi === mmu.pageHi && inPage <= 4092) {
        this.#word = view.getInt32(mmu.pageOffset + inPage, true);
        this.#execute();
      } else if (this.#fetch()) this.#execute();
      this.pcLo = this.nextLo;
      this.pcHi = this.nextHi;
      clock.instructions++;
      if (--left === 0) break;
      if (this.attention && (control.yield || clock.deadlineMoved || this.waiting || this.stopped)) break;
    }
    this.#leave();
  }

  /** Executes the fetched instruction: its first halfword tells how long it is. */
  #execute(): void {
    const word = this.#word;
    let insn = word;
    let length = 4;
    if ((word & 3) !== 3) {
      insn = expand(word & 0xffff);
      length = 2;
    }
    const lo = this.pcLo + length | 0;
    this.nextLo = lo;
    this.nextHi = lo >>> 0 < length ? this.pcHi + 1 | 0 : this.pcHi;
    const at = (insn ^ insn >>> 12 ^ insn >>> 20) & CACHE_MASK;
    let id = cachedIds[at];
    if (cachedWords[at] !== insn) {
      cachedWords[at] = insn;
      cachedIds[at] = id = decode(insn);
    }
    EXEC[id](this, insn);
  }

  /** Fetches where the current page does not answer: a new page, or an instruction that reaches its end. */
  #fetch(): boolean {
    const { pcLo, pcHi, mmu } = this;
    const first = this.#fetchHalf(pcLo, pcHi);
    if (first < 0) return false;
    mmu.selectPage(pcLo, pcHi, this.#fetchIndex);
    this.#word = first;
    if ((first & 3) !== 3) return true;
    const lo = pcLo + 2 | 0;
    const second = this.#fetchHalf(lo, lo === 0 ? pcHi + 1 | 0 : pcHi);
    this.#word |= second << 16;
    return second >= 0;
  }

  #fetchHalf(lo: number, hi: number): number {
    const offset = this.mmu.lookup(lo, hi, 2, TLB_FETCH, this.#fetchIndex);
    if (offset >= 0) return this.#view.getUint16(offset, true);
    this.trap(offset === FAULT ? this.mmu.cause : CAUSE_FETCH_ACCESS, lo, hi);
    return -1;
  }

  /** Takes over from generated code: reads anew what is cached of the state block. */
  #enter(): void {
    const s = this.state;
    this.pcLo = s[STATE_PC >> 2];
    this.pcHi = s[(STATE_PC >> 2) + 1];
    this.mmu.pageLo = TLB_INVALID;
    this.modeChanged();
  }

  #leave(): void {
    this.state[STATE_PC >> 2] = this.pcLo;
    this.state[(STATE_PC >> 2) + 1] = this.pcHi;
  }

  // ---- modes and contexts

  /** Follows a change of privilege or mstatus. */
  modeChanged(): void {
    const status = this.state[S_MSTATUS >> 2];
    const privilege = this.state[S_PRIV >> 2];
    const index = mmuIndex(privilege, status);
    if (index !== this.#fetchIndex) {
      this.#fetchIndex = index;
      this.mmu.pageLo = TLB_INVALID;
    }
    const borrowed = privilege === PRIV_M && (status & MSTATUS_MPRV) !== 0;
    this.selectDataIndex(borrowed ? mmuIndex((status & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT, status) : index);
    this.attention = true;
  }

  context(): number {
    const s = this.state;
    const status = s[S_MSTATUS >> 2];
    const privilege = s[S_PRIV >> 2];
    if (privilege === PRIV_M && status & MSTATUS_MPRV && (status & MSTATUS_MPP) !== MSTATUS_MPP) return -1;
    const fs = status & MSTATUS_FS;
    const fpu = fs === 0 ? CONTEXT_FPU_OFF : fs === MSTATUS_FS ? CONTEXT_FPU_DIRTY : CONTEXT_FPU_CLEAN;
    const rounding = s[S_FRM >> 2] === 0 ? 0 : CONTEXT_FRM_DYNAMIC;
    return mmuIndex(privilege, status) | fpu << CONTEXT_FPU_SHIFT | rounding;
  }

  fetchOffset(): number {
    const s = this.state;
    const lo = s[STATE_PC >> 2], hi = s[(STATE_PC >> 2) + 1];
    const index = mmuIndex(s[S_PRIV >> 2], s[S_MSTATUS >> 2]);
    const offset = this.mmu.lookup(lo, hi, 2, TLB_FETCH, index);
    if (offset < 0 || !this.mmu.selectPage(lo, hi, index)) return -1;
    const straddles = (lo & 4095) === 4094 && (this.#view.getUint16(offset, true) & 3) === 3;
    return straddles ? -1 : offset;
  }

  deschedule(): void {
    this.state[S_RESERVED >> 2] = 0;
  }

  /** See {@linkcode SoftwareVcpu.mirror}. */
  get mirror(): TranslationMirror | undefined {
    return this.mmu.mirror;
  }

  set mirror(mirror: TranslationMirror | undefined) {
    this.mmu.mirror = mirror;
  }

  /** See {@linkcode Mmu.flushAll}. */
  flushAll(): void {
    this.mmu.flushAll();
  }

  /** See {@linkcode Mmu.flushPage}. */
  flushPage(lo: number, hi: number): void {
    this.mmu.flushPage(lo, hi);
  }

  /** See {@linkcode Mmu.dropStoreTranslations}. */
  dropStoreTranslations(ramPage: number): void {
    this.mmu.dropStoreTranslations(ramPage);
  }

  /** See {@linkcode Mmu.watchedPageChanged}. */
  watchedPageChanged(lo: number, hi: number): void {
    this.mmu.watchedPageChanged(lo, hi);
  }

  // ---- interrupts and time

  interruptLine(number: number): InterruptLine {
    const bit = 1 << number & INTERRUPT_LINES;
    if (bit === 0 || number > 11) throw new RangeError(`A hart has no interrupt ${number}`);
    return {
      set: (level) => {
        const s = this.state;
        s[S_MIP_LINES >> 2] = level ? s[S_MIP_LINES >> 2] | bit : s[S_MIP_LINES >> 2] & ~bit;
        this.interruptsChanged();
      },
    };
  }

  /** Sums up what is pending after a change of any part of it, or of mie. */
  interruptsChanged(): void {
    const s = this.state;
    const compares = s[(S_MENVCFG >> 2) + 1] & STCE;
    const software = s[S_MIP_SOFTWARE >> 2];
    const timer = compares ? s[(S_MIP_LINES >> 2) + 1] : software & STIP;
    const pending = software & ~STIP | timer | s[S_MIP_LINES >> 2];
    s[S_MIP >> 2] = pending;
    s[STATE_INTERRUPT_PENDING >> 2] = pending & s[S_MIE >> 2] ? 1 : 0;
    this.attention = true;
  }

  /** Sets stimecmp, on behalf of firmware. `Infinity` disarms the timer. */
  setTimer(dueNs: number): void {
    const s = this.state;
    const due = dueNs < NEVER_NS;
    s[S_STIMECMP >> 2] = due ? dueNs | 0 : -1;
    s[(S_STIMECMP >> 2) + 1] = due ? Math.floor(dueNs / WORD) | 0 : -1;
    this.timeCompareChanged();
  }

  /** Compares stimecmp with the time after a change of either (or of menvcfg.STCE). */
  timeCompareChanged(): void {
    const s = this.state;
    const due = (s[(S_STIMECMP >> 2) + 1] >>> 0) * WORD + (s[S_STIMECMP >> 2] >>> 0);
    const enabled = (s[(S_MENVCFG >> 2) + 1] & STCE) !== 0;
    const reached = enabled && this.machine.clock.nowNs >= due;
    s[(S_MIP_LINES >> 2) + 1] = reached ? STIP : 0;
    if (enabled && !reached && due < NEVER_NS) this.#timer.arm(due);
    else this.#timer.disarm();
    this.interruptsChanged();
  }

  wake(): void {
    if (this.state[STATE_INTERRUPT_PENDING >> 2] !== 0) this.waiting = false;
  }

  takeInterrupt(): void {
    this.#enter();
    this.#deliverInterrupt();
    this.#leave();
  }

  #deliverInterrupt(): void {
    const code = selectInterrupt(this.state);
    if (code < 0) return;
    this.waiting = false;
    enterTrap(this, code, 0, 0, true);
    this.pcLo = this.nextLo;
    this.pcHi = this.nextHi;
  }

  // ---- exceptions and privileged instructions

  /** Raises an exception in the current instruction. */
  override trap(cause: number, tvalLo: number, tvalHi: number): void {
    this.exceptions++;
    const from = this.state[S_PRIV >> 2];
    enterTrap(this, cause, tvalLo, tvalHi, false);
    const same = this.nextLo === this.pcLo && this.nextHi === this.pcHi && this.state[S_PRIV >> 2] === from;
    this.#trapStreak = same ? this.#trapStreak + 1 : 0;
    if (this.#trapStreak < TRAP_STORM) return;
    this.#trapStreak = 0;
    this.stopped = true;
    const address = (half: number) => (half >>> 0).toString(16).padStart(8, "0");
    this.onTripleFault(
      `hart ${this.index}: the ${this.mode} trap handler at 0x${address(this.nextHi)}${
        address(this.nextLo)
      } ` +
        `only traps again (cause ${cause}, address 0x${address(tvalHi)}${address(tvalLo)})`,
    );
  }

  illegal(_insn: number): void {
    const compressed = (this.#word & 3) !== 3;
    this.trap(CAUSE_ILLEGAL, compressed ? this.#word & 0xffff : this.#word, 0);
  }

  ecall(): void {
    const privilege = this.state[S_PRIV >> 2];
    if (privilege === PRIV_S && this.sbi !== undefined) {
      this.attention = true;
      if (this.sbi(this)) return;
    }
    enterTrap(this, CAUSE_ECALL + privilege, 0, 0, false); // in no streak: generated code does it, too
  }

  ebreak(): void {
    this.trap(CAUSE_BREAKPOINT, this.pcLo, this.pcHi);
  }

  mret(insn: number): void {
    if (this.state[S_PRIV >> 2] !== PRIV_M) this.illegal(insn);
    else returnFromMachine(this);
  }

  sret(insn: number): void {
    const privilege = this.state[S_PRIV >> 2];
    const refused = privilege === PRIV_S && (this.state[S_MSTATUS >> 2] & MSTATUS_TSR) !== 0;
    if (privilege === PRIV_U || refused) this.illegal(insn);
    else returnFromSupervisor(this);
  }

  wfi(insn: number): void {
    const privilege = this.state[S_PRIV >> 2];
    const refused = privilege === PRIV_S && (this.state[S_MSTATUS >> 2] & MSTATUS_TW) !== 0;
    if (privilege === PRIV_U || refused) return this.illegal(insn);
    this.waiting = this.state[STATE_INTERRUPT_PENDING >> 2] === 0;
    this.attention = true;
  }

  fence(): void {}

  fenceI(): void {}

  sfenceVma(rs1: number, _rs2: number, insn: number): void {
    const s = this.state;
    const privilege = s[S_PRIV >> 2];
    const refused = privilege === PRIV_S && (s[S_MSTATUS >> 2] & MSTATUS_TVM) !== 0;
    if (privilege === PRIV_U || refused) this.illegal(insn);
    else if (rs1 === 0) this.mmu.flushAll();
    else this.mmu.flushPage(s[xSlot(rs1) >> 2], s[(xSlot(rs1) >> 2) + 1]);
  }

  csr(
    number: number,
    op: number,
    _read: boolean,
    write: boolean,
    valueLo: number,
    valueHi: number,
    insn: number,
  ): boolean {
    if (accessCsr(this, number, op, write, valueLo, valueHi)) return true;
    this.illegal(insn);
    return false;
  }

  // ---- floating point

  fpEnabled(insn: number): boolean {
    if (this.state[S_MSTATUS >> 2] & MSTATUS_FS) return true;
    this.illegal(insn);
    return false;
  }

  fpDirty(): void {
    this.state[S_MSTATUS >> 2] |= MSTATUS_FS;
  }

  roundingMode(rm: number, insn: number): number {
    const mode = rm === 7 ? this.state[S_FRM >> 2] : rm;
    if (mode <= 4) return mode;
    this.illegal(insn);
    return -1;
  }

  accrue(flags: number): void {
    this.state[S_FFLAGS >> 2] |= flags;
  }

  // ---- for tests and debuggers

  registers(): readonly RegisterInfo[] {
    return shownRegisters();
  }

  register(name: string): bigint | undefined {
    return readRegister(this, name);
  }

  setRegister(name: string, value: bigint): boolean {
    return writeRegister(this, name, value);
  }

  get mode(): string {
    const privilege = this.state[S_PRIV >> 2];
    return privilege === PRIV_M ? "machine" : privilege === PRIV_S ? "supervisor" : "user";
  }

  translateAddress(virtual: bigint): number | undefined {
    const s = this.state;
    const index = mmuIndex(s[S_PRIV >> 2], s[S_MSTATUS >> 2]);
    return this.mmu.probe(lowHalf(virtual), lowHalf(virtual >> 32n), index);
  }

  save(): RiscvHartSave {
    const { waiting, stopped } = this;
    return { waiting, stopped, trapStreak: this.#trapStreak };
  }

  /** Takes over what {@linkcode RiscvHart.save} gave, after the state block was restored. */
  restore(saved: RiscvHartSave): void {
    this.waiting = saved.waiting;
    this.stopped = saved.stopped;
    this.#trapStreak = saved.trapStreak;
    this.pmp.refresh();
    this.#enter();
    this.timeCompareChanged();
  }
}

/** The MMU index of a privilege level. */
function mmuIndex(privilege: number, status: number): number {
  if (privilege === PRIV_U) return MMU_USER;
  if (privilege === PRIV_M) return MMU_MACHINE;
  return status & MSTATUS_SUM ? MMU_SUPERVISOR_SUM : MMU_SUPERVISOR;
}
