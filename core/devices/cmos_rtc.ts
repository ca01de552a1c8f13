/**
 * The PC's real-time clock and CMOS memory: an index port and a data port. The time is guest time from a
 * fixed date on; alarm, update and periodic interrupts.
 *
 * Registers: Motorola MC146818A data sheet; the century's index is the one ACPI's FADT names.
 */
import type { Clock, Timer } from "../clock.ts";
import type { Device, InterruptLine } from "./device.ts";
import { DEFAULT_EPOCH_SECONDS } from "./goldfish_rtc.ts";

const INDEX = 0;
const DATA = 1;
/** The index port's bit 7 masks NMIs; there are none. */
const INDEX_MASK = 0x7f;

const SECONDS = 0x00;
const SECONDS_ALARM = 0x01;
const MINUTES = 0x02;
const MINUTES_ALARM = 0x03;
const HOURS = 0x04;
const HOURS_ALARM = 0x05;
const DAY_OF_WEEK = 0x06;
const DAY = 0x07;
const MONTH = 0x08;
const YEAR = 0x09;
const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;
const REGISTER_C = 0x0c;
const REGISTER_D = 0x0d;
/** Index of the century, for ACPI's FADT. */
export const CENTURY = 0x32;

/** 32768 Hz time base, periodic rate 1024 Hz. */
const A_DEFAULT = 0x26;
const A_RATE = 0x0f;
const B_24_HOURS = 0x02;
const B_BINARY = 0x04;
const B_UPDATE = 0x10;
const B_ALARM = 0x20;
const B_PERIODIC = 0x40;
const B_SET = 0x80;
const C_IRQ = 0x80;
const D_VALID = 0x80;
/** An alarm register with both top bits set matches anything. */
const DONT_CARE = 0xc0;

const SECOND_NS = 1_000_000_000;
const BASE_HZ = 32768;

/** Everything a {@linkcode CmosRtc} remembers, as plain data. */
export interface CmosRtcState {
  readonly index: number;
  readonly memory: number[];
  /** Date at guest time 0, in seconds since the Unix epoch. */
  readonly originSeconds: number;
}

/** An MC146818 with 128 bytes of CMOS. */
export class CmosRtc implements Device {
  #index = 0;
  readonly #memory = new Uint8Array(128);
  #originSeconds: number;
  readonly #second: Timer;
  readonly #period: Timer;

  /** @param epochSeconds The date at guest time 0, in seconds since the Unix epoch. */
  constructor(
    private readonly clock: Clock,
    private readonly irq: InterruptLine,
    private readonly epochSeconds: number = DEFAULT_EPOCH_SECONDS,
  ) {
    this.#originSeconds = epochSeconds;
    this.#second = clock.timer(() => this.#tick());
    this.#period = clock.timer(() => this.#periodic());
    this.reset();
  }

  read(offset: number, size: number): number {
    if (size !== 1 || offset !== DATA) return 0xff;
    switch (this.#index) {
      case REGISTER_C: {
        const flags = this.#memory[REGISTER_C];
        this.#memory[REGISTER_C] = 0;
        this.irq.set(false);
        return flags;
      }
      case REGISTER_D:
        return D_VALID;
      default:
        return this.#timeField(this.#index) ?? this.#memory[this.#index];
    }
  }

  write(offset: number, value: number, size: number): void {
    if (size !== 1) return;
    if (offset === INDEX) {
      this.#index = value & INDEX_MASK;
      return;
    }
    switch (this.#index) {
      case REGISTER_C:
      case REGISTER_D:
        return;
      case REGISTER_A:
        this.#memory[REGISTER_A] = value & 0x7f;
        break;
      case REGISTER_B: {
        const wasSet = this.#memory[REGISTER_B] & B_SET;
        // Time stands still while it is being set: the registers hold it.
        if (!wasSet && (value & B_SET)) this.#freeze();
        this.#memory[REGISTER_B] = value;
        if (wasSet && !(value & B_SET)) this.#originSeconds = this.#written() - this.#elapsed();
        break;
      }
      default:
        this.#setField(this.#index, value);
    }
    this.#arm();
  }

  reset(): void {
    this.#memory.fill(0);
    this.#memory[REGISTER_A] = A_DEFAULT;
    this.#memory[REGISTER_B] = B_24_HOURS;
    this.#index = 0;
    this.#originSeconds = this.epochSeconds;
    this.#second.disarm();
    this.#period.disarm();
    this.irq.set(false);
  }

  save(): CmosRtcState {
    return { index: this.#index, memory: [...this.#memory], originSeconds: this.#originSeconds };
  }

  restore(state: CmosRtcState): void {
    this.#index = state.index & INDEX_MASK;
    this.#memory.set(state.memory.slice(0, this.#memory.length));
    this.#originSeconds = state.originSeconds;
    this.#arm();
  }

  /** Whole seconds of guest time. */
  #elapsed(): number {
    return Math.floor(this.clock.nowNs / SECOND_NS);
  }

  /** What a register of the running time holds; undefined for any other, and while it is being set. */
  #timeField(index: number): number | undefined {
    const b = this.#memory[REGISTER_B];
    if (b & B_SET) return undefined;
    const date = new Date((this.#originSeconds + this.#elapsed()) * 1000);
    switch (index) {
      case SECONDS:
        return this.#encode(date.getUTCSeconds());
      case MINUTES:
        return this.#encode(date.getUTCMinutes());
      case HOURS:
        return this.#encodeHours(date.getUTCHours());
      case DAY_OF_WEEK:
        return this.#encode(date.getUTCDay() + 1);
      case DAY:
        return this.#encode(date.getUTCDate());
      case MONTH:
        return this.#encode(date.getUTCMonth() + 1);
      case YEAR:
        return this.#encode(date.getUTCFullYear() % 100);
      case CENTURY:
        return this.#encode(Math.floor(date.getUTCFullYear() / 100));
      default:
        return undefined;
    }
  }

  #freeze(): void {
    for (const index of [SECONDS, MINUTES, HOURS, DAY_OF_WEEK, DAY, MONTH, YEAR, CENTURY]) {
      this.#memory[index] = this.#timeField(index)!;
    }
  }

  #setField(index: number, value: number): void {
    const isTime = this.#timeField(index) !== undefined;
    if (isTime) this.#freeze();
    this.#memory[index] = value;
    if (isTime) this.#originSeconds = this.#written() - this.#elapsed();
  }

  /** The time that the registers hold, in seconds since the Unix epoch. */
  #written(): number {
    const at = (index: number) => this.#decode(this.#memory[index]);
    const year = at(CENTURY) * 100 + at(YEAR);
    return Date.UTC(year, at(MONTH) - 1, at(DAY), this.#decodeHours(), at(MINUTES), at(SECONDS)) / 1000;
  }

  #encode(value: number): number {
    return this.#memory[REGISTER_B] & B_BINARY ? value : Math.floor(value / 10) << 4 | value % 10;
  }

  #decode(value: number): number {
    return this.#memory[REGISTER_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
  }

  #encodeHours(hours: number): number {
    if (this.#memory[REGISTER_B] & B_24_HOURS) return this.#encode(hours);
    return this.#encode(hours % 12 || 12) | (hours >= 12 ? 0x80 : 0);
  }

  #decodeHours(): number {
    const raw = this.#memory[HOURS];
    if (this.#memory[REGISTER_B] & B_24_HOURS) return this.#decode(raw);
    return this.#decode(raw & 0x7f) % 12 + (raw & 0x80 ? 12 : 0);
  }

  /** Arms what the guest wants to be told of. */
  #arm(): void {
    const b = this.#memory[REGISTER_B];
    const wantsSeconds = b & (B_UPDATE | B_ALARM) && !(b & B_SET);
    if (wantsSeconds) this.#second.arm((this.#elapsed() + 1) * SECOND_NS);
    else this.#second.disarm();
    const periodNs = this.#periodNs();
    if (b & B_PERIODIC && periodNs > 0) this.#period.arm(this.clock.nowNs + periodNs);
    else this.#period.disarm();
  }

  /** Rate selection (table 5): 2^(15 − rate + 1) Hz, the first two as 8 and 9. */
  #periodNs(): number {
    const rate = this.#memory[REGISTER_A] & A_RATE;
    if (rate === 0) return 0;
    const shift = rate <= 2 ? rate + 7 : rate;
    return SECOND_NS * 2 ** (shift - 1) / BASE_HZ;
  }

  #tick(): void {
    this.#second.arm((this.#elapsed() + 1) * SECOND_NS);
    this.#raise(B_UPDATE | (this.#alarmMatches() ? B_ALARM : 0));
  }

  #periodic(): void {
    this.#period.arm(this.clock.nowNs + this.#periodNs());
    this.#raise(B_PERIODIC);
  }

  #alarmMatches(): boolean {
    const matches = (alarm: number, time: number) =>
      (this.#memory[alarm] & DONT_CARE) === DONT_CARE || this.#memory[alarm] === this.#timeField(time);
    return matches(SECONDS_ALARM, SECONDS) && matches(MINUTES_ALARM, MINUTES) && matches(HOURS_ALARM, HOURS);
  }

  /** Sets flags of register C, which has register B's bits, and the interrupt where B wants it. */
  #raise(flags: number): void {
    this.#memory[REGISTER_C] |= flags;
    if (this.#memory[REGISTER_C] & this.#memory[REGISTER_B] & (B_UPDATE | B_ALARM | B_PERIODIC)) {
      this.#memory[REGISTER_C] |= C_IRQ;
      this.irq.set(true);
    }
  }
}
