/**
 * Types bytes into a serial line as fast as the guest reads them: a byte is handed over only when there is
 * room for it, and no two come closer than a real line's would. No byte is ever dropped.
 */
import type { Clock, Timer } from "../core/clock.ts";
import type { SerialPort } from "../core/devices/serial_port.ts";

/** Guest time from one typed byte to the next: about one megabaud, so that no guest is overrun. */
const BYTE_NS = 10_000;

/** The host's typist at one serial line. */
export class SerialInput {
  readonly #clock: Clock;
  readonly #port: SerialPort;
  readonly #onRead: () => void;
  readonly #pace: Timer;
  #bytes: Uint8Array = new Uint8Array();
  #delivered = 0;

  /** @param onRead Called when the guest has read the last byte of what was sent. */
  constructor(clock: Clock, port: SerialPort, onRead: () => void) {
    this.#clock = clock;
    this.#port = port;
    this.#onRead = onRead;
    this.#pace = clock.timer(() => this.#deliver());
    port.onReceiveSpace = () => this.#spaceAppeared();
  }

  /** Whether the guest has read everything that was sent. */
  get allRead(): boolean {
    return this.unread === 0;
  }

  /** Bytes sent that the guest has not read. */
  get unread(): number {
    return this.#bytes.length - this.#delivered + this.#port.unread;
  }

  /** Sends bytes; what was sent before and not delivered yet is forgotten. */
  send(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#delivered = 0;
    if (bytes.length > 0) this.#spaceAppeared();
  }

  /** Forgets what was not delivered. */
  cancel(): void {
    this.#bytes = new Uint8Array();
    this.#delivered = 0;
    this.#pace.disarm();
  }

  /** Hands the guest the next byte, and sees to the one after it. */
  #deliver(): void {
    if (this.#delivered < this.#bytes.length && this.#port.receive(this.#bytes[this.#delivered])) {
      this.#delivered++;
    }
    if (this.#delivered < this.#bytes.length && this.#port.space > 0) {
      this.#pace.arm(this.#clock.nowNs + BYTE_NS);
    }
  }

  #spaceAppeared(): void {
    if (this.#delivered < this.#bytes.length) {
      if (this.#pace.dueNs === Infinity && this.#port.space > 0) {
        this.#pace.arm(this.#clock.nowNs + BYTE_NS);
      }
    } else if (this.#bytes.length > 0 && this.#port.unread === 0) {
      this.#onRead();
    }
  }
}
