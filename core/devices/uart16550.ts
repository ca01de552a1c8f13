/**
 * NS16550A UART with 16-byte FIFOs. Transmission takes no guest time: a byte written to THR is on the line
 * at once and THR is empty again. Reception is paced by the guest: a byte that finds no room stays with the
 * host ({@linkcode SerialPort}), so overruns happen in loopback mode only.
 *
 * Registers and interrupt rules: National Semiconductor PC16550D data sheet, sections 8.1 to 8.10.
 */
import type { Clock, Timer } from "../clock.ts";
import type { Device, InterruptLine } from "./device.ts";
import type { SerialPort } from "./serial_port.ts";

// Registers (table I). RBR, THR and IER give way to the divisor latch while LCR.DLAB is set.
const RBR_THR_DLL = 0;
const IER_DLM = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RECEIVED_DATA = 0x01;
const IER_THR_EMPTY = 0x02;
const IER_LINE_STATUS = 0x04;
const IER_MODEM_STATUS = 0x08;

// Interrupt identification (table II), highest priority first.
const IIR_LINE_STATUS = 0x06;
const IIR_RECEIVED_DATA = 0x04;
const IIR_TIMEOUT = 0x0c;
const IIR_THR_EMPTY = 0x02;
const IIR_MODEM_STATUS = 0x00;
const IIR_NONE = 0x01;
const IIR_FIFOS_ENABLED = 0xc0;

const FCR_ENABLE = 0x01;
const FCR_CLEAR_RECEIVER = 0x02;
const FCR_TRIGGER_SHIFT = 6;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;

const LCR_WORD_LENGTH = 0x03;
const LCR_TWO_STOP_BITS = 0x04;
const LCR_PARITY = 0x08;
const LCR_DLAB = 0x80;

const MCR_DTR = 0x01;
const MCR_RTS = 0x02;
const MCR_OUT1 = 0x04;
const MCR_OUT2 = 0x08;
const MCR_LOOPBACK = 0x10;
const MCR_WRITABLE = 0x1f;

const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_TRANSMITTER_IDLE = 0x60; // THRE and TEMT: always, since transmission takes no time

const MSR_CTS = 0x10;
const MSR_DSR = 0x20;
const MSR_RI = 0x40;
const MSR_DCD = 0x80;
const MSR_RI_TRAILING_EDGE = 0x04;
/** Outside of loopback the far end is there and ready. */
const MSR_CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD;

const FIFO_BYTES = 16;
const RESET_DIVISOR = 12;
/** Receiver timeout: this many character times without a byte arriving or being read (section 8.4). */
const TIMEOUT_CHARACTERS = 4;
/** Clock ticks per bit. */
const OVERSAMPLING = 16;

/** Everything a {@linkcode Uart16550} remembers, as plain data. */
export interface Uart16550State {
  readonly ier: number;
  readonly fcr: number;
  readonly lcr: number;
  readonly mcr: number;
  readonly scr: number;
  readonly divisor: number;
  readonly overrun: boolean;
  readonly modemDeltas: number;
  readonly thrEmptyPending: boolean;
  readonly timedOut: boolean;
  readonly timeoutNs: number;
  readonly received: number[];
}

/** An NS16550A. */
export class Uart16550 implements Device, SerialPort {
  onTransmit: (byte: number) => void = () => {};
  onReceiveSpace: () => void = () => {};
  #ier = 0;
  #fcr = 0;
  #lcr = 0;
  #mcr = 0;
  #scr = 0;
  #divisor = RESET_DIVISOR;
  #overrun = false;
  #modemDeltas = 0;
  #thrEmptyPending = false;
  #timedOut = false;
  readonly #fifo = new Uint8Array(FIFO_BYTES);
  #head = 0;
  #count = 0;
  readonly #timeout: Timer;

  /**
   * @param irq The line the interrupt output drives.
   * @param inputHz Frequency of the clock the divisor divides.
   */
  constructor(clock: Clock, private readonly irq: InterruptLine, private readonly inputHz: number) {
    this.clock = clock;
    this.#timeout = clock.timer(() => {
      this.#timedOut = this.#count > 0;
      this.#updateInterrupt();
    });
  }

  private readonly clock: Clock;

  get space(): number {
    return this.#mcr & MCR_LOOPBACK ? 0 : this.#capacity - this.#count;
  }

  get unread(): number {
    return this.#count;
  }

  receive(byte: number): boolean {
    if (this.space === 0) return false;
    this.#push(byte);
    return true;
  }

  /** Sends a byte as if it had been written to THR: how firmware prints. */
  transmit(byte: number): void {
    this.onTransmit(byte & 0xff);
  }

  /** Takes the oldest received byte as a read of RBR would, -1 when there is none: how firmware reads. */
  take(): number {
    return this.#count === 0 ? -1 : this.#pop();
  }

  read(offset: number, _size: number): number {
    switch (offset) {
      case RBR_THR_DLL:
        if (this.#lcr & LCR_DLAB) return this.#divisor & 0xff;
        return this.#pop();
      case IER_DLM:
        return this.#lcr & LCR_DLAB ? this.#divisor >> 8 : this.#ier;
      case IIR_FCR: {
        const id = this.#interruptId();
        if (id === IIR_THR_EMPTY) {
          this.#thrEmptyPending = false;
          this.#updateInterrupt();
        }
        return id | (this.#fcr & FCR_ENABLE ? IIR_FIFOS_ENABLED : 0);
      }
      case LCR:
        return this.#lcr;
      case MCR:
        return this.#mcr;
      case LSR: {
        const value = LSR_TRANSMITTER_IDLE | (this.#count > 0 ? LSR_DATA_READY : 0) |
          (this.#overrun ? LSR_OVERRUN : 0);
        this.#overrun = false;
        this.#updateInterrupt();
        return value;
      }
      case MSR: {
        const value = this.#modemLines() | this.#modemDeltas;
        this.#modemDeltas = 0;
        this.#updateInterrupt();
        return value;
      }
      case SCR:
        return this.#scr;
    }
    return 0;
  }

  write(offset: number, value: number, _size: number): void {
    const byte = value & 0xff;
    switch (offset) {
      case RBR_THR_DLL:
        if (this.#lcr & LCR_DLAB) this.#divisor = (this.#divisor & 0xff00) | byte;
        else this.#send(byte);
        break;
      case IER_DLM:
        if (this.#lcr & LCR_DLAB) {
          this.#divisor = (this.#divisor & 0xff) | (byte << 8);
        } else {
          // Enabling the THRE interrupt while THR is empty raises it (section 8.5).
          if (byte & ~this.#ier & IER_THR_EMPTY) this.#thrEmptyPending = true;
          this.#ier = byte & 0x0f;
        }
        break;
      case IIR_FCR:
        this.#writeFifoControl(byte);
        break;
      case LCR:
        this.#lcr = byte;
        break;
      case MCR:
        this.#writeModemControl(byte & MCR_WRITABLE);
        break;
      case SCR:
        this.#scr = byte;
        break;
    }
    this.#updateInterrupt();
  }

  reset(): void {
    this.restore({
      ier: 0,
      fcr: 0,
      lcr: 0,
      mcr: 0,
      scr: 0,
      divisor: RESET_DIVISOR,
      overrun: false,
      modemDeltas: 0,
      thrEmptyPending: false,
      timedOut: false,
      timeoutNs: Infinity,
      received: [],
    });
    this.onReceiveSpace();
  }

  /** The device's state as plain data. */
  save(): Uart16550State {
    return {
      ier: this.#ier,
      fcr: this.#fcr,
      lcr: this.#lcr,
      mcr: this.#mcr,
      scr: this.#scr,
      divisor: this.#divisor,
      overrun: this.#overrun,
      modemDeltas: this.#modemDeltas,
      thrEmptyPending: this.#thrEmptyPending,
      timedOut: this.#timedOut,
      timeoutNs: this.#timeout.dueNs,
      received: Array.from({ length: this.#count }, (_, i) => this.#fifo[(this.#head + i) % FIFO_BYTES]),
    };
  }

  /** Puts back what {@linkcode Uart16550.save} gave. */
  restore(state: Uart16550State): void {
    this.#ier = state.ier & 0x0f;
    this.#fcr = state.fcr & 0xff;
    this.#lcr = state.lcr & 0xff;
    this.#mcr = state.mcr & MCR_WRITABLE;
    this.#scr = state.scr & 0xff;
    this.#divisor = state.divisor & 0xffff;
    this.#overrun = state.overrun;
    this.#modemDeltas = state.modemDeltas & 0x0f;
    this.#thrEmptyPending = state.thrEmptyPending;
    this.#timedOut = state.timedOut;
    this.#fifo.set(state.received.slice(0, FIFO_BYTES));
    this.#head = 0;
    this.#count = Math.min(state.received.length, FIFO_BYTES);
    this.#timeout.arm(state.timeoutNs);
    this.#updateInterrupt();
  }

  get #capacity(): number {
    return this.#fcr & FCR_ENABLE ? FIFO_BYTES : 1;
  }

  #send(byte: number): void {
    this.#thrEmptyPending = true; // cleared by the write, raised again by THR having emptied
    if (!(this.#mcr & MCR_LOOPBACK)) this.onTransmit(byte);
    else if (this.#count < this.#capacity) this.#push(byte);
    else this.#overrun = true;
  }

  #push(byte: number): void {
    this.#fifo[(this.#head + this.#count++) % FIFO_BYTES] = byte;
    this.#restartTimeout();
    this.#updateInterrupt();
  }

  #pop(): number {
    if (this.#count === 0) return 0;
    const byte = this.#fifo[this.#head];
    this.#head = (this.#head + 1) % FIFO_BYTES;
    this.#count--;
    this.#restartTimeout();
    this.#updateInterrupt();
    this.onReceiveSpace();
    return byte;
  }

  #writeFifoControl(value: number): void {
    const toggled = (value ^ this.#fcr) & FCR_ENABLE;
    this.#fcr = value & FCR_ENABLE ? value : 0;
    if (!toggled && !(value & FCR_ENABLE && value & FCR_CLEAR_RECEIVER)) return;
    this.#count = 0;
    this.#restartTimeout();
    this.onReceiveSpace();
  }

  #writeModemControl(value: number): void {
    const before = this.#modemLines();
    const wasLoopback = this.#mcr & MCR_LOOPBACK;
    this.#mcr = value;
    const after = this.#modemLines();
    // Delta bits 0, 1, 3 follow any change of CTS, DSR, DCD; bit 2 only RI going inactive.
    this.#modemDeltas |= ((before ^ after) >> 4) & ~MSR_RI_TRAILING_EDGE;
    if (before & ~after & MSR_RI) this.#modemDeltas |= MSR_RI_TRAILING_EDGE;
    if (wasLoopback && !(value & MCR_LOOPBACK)) this.onReceiveSpace();
  }

  #modemLines(): number {
    const mcr = this.#mcr;
    if (!(mcr & MCR_LOOPBACK)) return MSR_CONNECTED;
    return (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
      (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
  }

  #restartTimeout(): void {
    this.#timedOut = false;
    if (this.#count > 0 && this.#fcr & FCR_ENABLE) {
      const lcr = this.#lcr;
      const bits = 1 + 5 + (lcr & LCR_WORD_LENGTH) + (lcr & LCR_PARITY ? 1 : 0) + 1 +
        (lcr & LCR_TWO_STOP_BITS ? 1 : 0);
      const ticks = TIMEOUT_CHARACTERS * bits * OVERSAMPLING * Math.max(this.#divisor, 1);
      this.#timeout.arm(this.clock.nowNs + Math.ceil(ticks * 1e9 / this.inputHz));
    } else if (this.#timeout.dueNs !== Infinity) {
      this.#timeout.disarm();
    }
  }

  #interruptId(): number {
    const ier = this.#ier;
    if (ier & IER_LINE_STATUS && this.#overrun) return IIR_LINE_STATUS;
    if (ier & IER_RECEIVED_DATA) {
      const trigger = this.#fcr & FCR_ENABLE ? TRIGGER_LEVELS[this.#fcr >> FCR_TRIGGER_SHIFT] : 1;
      if (this.#count >= trigger) return IIR_RECEIVED_DATA;
      if (this.#timedOut) return IIR_TIMEOUT;
    }
    if (ier & IER_THR_EMPTY && this.#thrEmptyPending) return IIR_THR_EMPTY;
    if (ier & IER_MODEM_STATUS && this.#modemDeltas) return IIR_MODEM_STATUS;
    return IIR_NONE;
  }

  #updateInterrupt(): void {
    this.irq.set(this.#interruptId() !== IIR_NONE);
  }
}
