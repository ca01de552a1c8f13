/**
 * RISC-V ACLINT: software interrupts and timers of every hart. MSWI and MTIMER share one 64 KiB region laid
 * out like the SiFive CLINT, so that firmware for either drives it; SSWI is a region of its own.
 *
 * Registers: RISC-V Advanced Core Local Interruptor Specification 1.0-rc4, chapters 2 to 4 and the
 * SiFive CLINT compatibility table. MTIME is guest time in ns and read-only here, because the `time` CSR of
 * every hart reads the same clock.
 */
import type { Clock, Timer } from "../clock.ts";
import type { Device, InterruptLine } from "./device.ts";

const MSIP = 0x0; // 4 bytes per hart
const MTIMECMP = 0x4000; // 8 bytes per hart
const MTIME = 0xbff8;
/** Bytes of the MSWI and MTIMER region. */
export const ACLINT_SIZE = 0x10000;
/** Bytes of the SSWI region: one 4-byte SETSSIP register per hart. */
export const SSWI_SIZE = 0x4000;

const WORD = 2 ** 32;

/** What one hart gets from the ACLINT. */
export interface AclintOutputs {
  /** Machine software interrupt. */
  readonly software: InterruptLine;
  /** Machine timer interrupt. */
  readonly timer: InterruptLine;
}

/** Everything an {@linkcode Aclint} remembers, as plain data. */
export interface AclintState {
  readonly msip: number[];
  /** Low and high words, by hart. */
  readonly mtimecmp: number[];
}

/** MSWI and MTIMER. */
export class Aclint implements Device {
  readonly #msip: Uint8Array;
  /** Low and high words, by hart. All ones: never. */
  readonly #mtimecmp: Uint32Array;
  readonly #timers: Timer[];

  constructor(private readonly clock: Clock, private readonly harts: readonly AclintOutputs[]) {
    this.#msip = new Uint8Array(harts.length);
    this.#mtimecmp = new Uint32Array(2 * harts.length).fill(0xffffffff);
    this.#timers = harts.map((_, hart) => clock.timer(() => this.#updateTimer(hart)));
  }

  read(offset: number, size: number): number {
    if (size !== 4 || offset & 3) return 0;
    if (offset < MTIMECMP) return this.#msip[(offset - MSIP) >> 2] ?? 0;
    if (offset < MTIME) return this.#mtimecmp[(offset - MTIMECMP) >> 2] ?? 0;
    const now = this.clock.nowNs;
    if (offset === MTIME) return now % WORD;
    if (offset === MTIME + 4) return Math.floor(now / WORD);
    return 0;
  }

  write(offset: number, value: number, size: number): void {
    if (size !== 4 || offset & 3) return;
    if (offset < MTIMECMP) {
      const hart = (offset - MSIP) >> 2;
      if (hart >= this.harts.length) return;
      this.#msip[hart] = value & 1;
      this.harts[hart].software.set((value & 1) !== 0);
    } else if (offset < MTIME) {
      const word = (offset - MTIMECMP) >> 2;
      if (word >= this.#mtimecmp.length) return;
      this.#mtimecmp[word] = value;
      this.#updateTimer(word >> 1);
    }
  }

  reset(): void {
    const harts = this.harts.length;
    this.restore({ msip: new Array(harts).fill(0), mtimecmp: new Array(2 * harts).fill(0xffffffff) });
  }

  /** The device's state as plain data. */
  save(): AclintState {
    return { msip: Array.from(this.#msip), mtimecmp: Array.from(this.#mtimecmp) };
  }

  /** Puts back what {@linkcode Aclint.save} gave. */
  restore(state: AclintState): void {
    for (let hart = 0; hart < this.harts.length; hart++) {
      this.#msip[hart] = state.msip[hart] & 1;
      this.#mtimecmp[2 * hart] = state.mtimecmp[2 * hart];
      this.#mtimecmp[2 * hart + 1] = state.mtimecmp[2 * hart + 1];
      this.harts[hart].software.set(this.#msip[hart] !== 0);
      this.#updateTimer(hart);
    }
  }

  #updateTimer(hart: number): void {
    const dueNs = this.#mtimecmp[2 * hart + 1] * WORD + this.#mtimecmp[2 * hart];
    const pending = this.clock.nowNs >= dueNs;
    const timer = this.#timers[hart];
    if (pending) timer.disarm();
    else timer.arm(dueNs);
    this.harts[hart].timer.set(pending);
  }
}

/** Supervisor software interrupts: writing 1 to a hart's register sets its SSIP bit, which software clears. */
export class AclintSswi implements Device {
  /** @param harts Called to set the SSIP bit of each hart. */
  constructor(private readonly harts: readonly (() => void)[]) {}

  read(_offset: number, _size: number): number {
    return 0;
  }

  write(offset: number, value: number, size: number): void {
    if (size !== 4 || offset & 3 || !(value & 1)) return;
    this.harts[offset >> 2]?.();
  }

  reset(): void {}
}
