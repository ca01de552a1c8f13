/**
 * Hands bytes to a serial port as soon as it has room for them. Nobody types that fast, and a guest's terminal
 * layer drops what it cannot hold (Linux: 64 KiB per line): whoever sends more must wait for answers in between.
 */
import type { SerialPort } from "../../core/devices/serial_port.ts";

/** A queue of bytes in front of a port. */
export class LineInput {
  readonly #port: SerialPort;
  #queue: Uint8Array = new Uint8Array();
  #delivered = 0;
  readonly #before: () => void;

  /** Takes the port's input over. */
  constructor(port: SerialPort) {
    this.#port = port;
    this.#before = port.onReceiveSpace;
    port.onReceiveSpace = () => this.#deliver();
  }

  /** Gives the port's input back. */
  release(): void {
    this.clear();
    this.#port.onReceiveSpace = this.#before;
  }

  /** Sends bytes after those sent before. */
  send(bytes: Uint8Array): void {
    const queue = new Uint8Array(this.#queue.length - this.#delivered + bytes.length);
    queue.set(this.#queue.subarray(this.#delivered));
    queue.set(bytes, queue.length - bytes.length);
    this.#queue = queue;
    this.#delivered = 0;
    this.#deliver();
  }

  /** Forgets what was not delivered. */
  clear(): void {
    this.#queue = new Uint8Array();
    this.#delivered = 0;
  }

  #deliver(): void {
    while (this.#delivered < this.#queue.length && this.#port.receive(this.#queue[this.#delivered])) {
      this.#delivered++;
    }
  }
}
