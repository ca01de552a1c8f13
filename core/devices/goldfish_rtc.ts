/**
 * Goldfish real-time clock: guest time as nanoseconds since the Unix epoch, and one alarm. It starts at a
 * fixed date, so that two runs of the same guest see the same time.
 *
 * Registers: Linux `drivers/rtc/rtc-goldfish.c` and `include/clocksource/timer-goldfish.h`. 64-bit values
 * exceed 2^53, hence the bigints; nothing here is hot.
 */
import type { Clock, Timer } from "../clock.ts";
import type { Device, InterruptLine } from "./device.ts";

const TIME_LOW = 0x00; // reading it latches TIME_HIGH; writing it sets the time, TIME_HIGH written before
const TIME_HIGH = 0x04;
const ALARM_LOW = 0x08; // writing it arms the alarm, ALARM_HIGH written before
const ALARM_HIGH = 0x0c;
const IRQ_ENABLED = 0x10;
const CLEAR_ALARM = 0x14;
const ALARM_STATUS = 0x18;
const CLEAR_INTERRUPT = 0x1c;

/** 2025-01-01T00:00:00Z, in seconds since the Unix epoch. */
export const DEFAULT_EPOCH_SECONDS = 1_735_689_600;

/** Everything a {@linkcode GoldfishRtc} remembers, as plain data. */
export interface GoldfishRtcState {
  /** Date at guest time 0, in ns since the Unix epoch. */
  readonly originNs: bigint;
  readonly latchedHigh: number;
  readonly writtenHigh: number;
  /** Date of the alarm, in ns since the Unix epoch; the last one if none is armed. */
  readonly alarmNs: bigint;
  readonly alarmArmed: boolean;
  readonly interruptEnabled: boolean;
  readonly interruptPending: boolean;
}

const low = (value: bigint): number => Number(BigInt.asUintN(32, value));
const high = (value: bigint): number => Number(BigInt.asUintN(32, value >> 32n));
const join = (highWord: number, lowWord: number): bigint =>
  BigInt.asIntN(64, (BigInt(highWord) << 32n) | BigInt(lowWord));

/** A Goldfish real-time clock. */
export class GoldfishRtc implements Device {
  #state: { -readonly [K in keyof GoldfishRtcState]: GoldfishRtcState[K] };
  readonly #timer: Timer;

  /** @param epochSeconds The date at guest time 0, in seconds since the Unix epoch. */
  constructor(
    private readonly clock: Clock,
    private readonly irq: InterruptLine,
    private readonly epochSeconds: number = DEFAULT_EPOCH_SECONDS,
  ) {
    this.#timer = clock.timer(() => this.#ring());
    this.#state = this.#initial();
  }

  read(offset: number, size: number): number {
    if (size !== 4) return 0;
    const state = this.#state;
    switch (offset) {
      case TIME_LOW: {
        const now = this.#nowNs();
        state.latchedHigh = high(now);
        return low(now);
      }
      case TIME_HIGH:
        return state.latchedHigh;
      case ALARM_LOW:
        return low(state.alarmNs);
      case ALARM_HIGH:
        return high(state.alarmNs);
      case IRQ_ENABLED:
        return state.interruptEnabled ? 1 : 0;
      case ALARM_STATUS:
        return state.alarmArmed ? 1 : 0;
    }
    return 0;
  }

  write(offset: number, value: number, size: number): void {
    if (size !== 4) return;
    const state = this.#state;
    switch (offset) {
      case TIME_HIGH:
      case ALARM_HIGH:
        state.writtenHigh = value;
        return;
      case TIME_LOW:
        state.originNs = join(state.writtenHigh, value) - BigInt(this.clock.nowNs);
        break;
      case ALARM_LOW:
        state.alarmNs = join(state.writtenHigh, value);
        state.alarmArmed = true;
        break;
      case IRQ_ENABLED:
        state.interruptEnabled = (value & 1) !== 0;
        break;
      case CLEAR_ALARM:
        state.alarmArmed = false;
        break;
      case CLEAR_INTERRUPT:
        state.interruptPending = false;
        break;
    }
    this.#update();
  }

  reset(): void {
    this.restore(this.#initial());
  }

  /** The device's state as plain data. */
  save(): GoldfishRtcState {
    return { ...this.#state };
  }

  /** Puts back what {@linkcode GoldfishRtc.save} gave. */
  restore(state: GoldfishRtcState): void {
    this.#state = { ...state };
    this.#update();
  }

  #initial(): GoldfishRtcState {
    return {
      originNs: BigInt(this.epochSeconds) * 1_000_000_000n,
      latchedHigh: 0,
      writtenHigh: 0,
      alarmNs: 0n,
      alarmArmed: false,
      interruptEnabled: false,
      interruptPending: false,
    };
  }

  #nowNs(): bigint {
    return this.#state.originNs + BigInt(this.clock.nowNs);
  }

  #ring(): void {
    this.#state.alarmArmed = false;
    this.#state.interruptPending = true;
    this.#update();
  }

  #update(): void {
    const state = this.#state;
    // An alarm in the past rings at once: the timer's due time has then passed already.
    if (state.alarmArmed) this.#timer.arm(Number(state.alarmNs - state.originNs));
    else this.#timer.disarm();
    this.irq.set(state.interruptPending && state.interruptEnabled);
  }
}
