/** Collects bytes, up to a bound. */

/** A growing array of bytes. */
export class ByteSink {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** @param limit Bytes kept at most. */
  constructor(private readonly limit: number) {}

  /** Bytes kept. */
  get length(): number {
    return this.#length;
  }

  /** Whether there was no room for a byte. */
  overflowed = false;

  /** Adds a byte. */
  add(byte: number): void {
    if (this.#length === this.limit) {
      this.overflowed = true;
      return;
    }
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = byte;
  }

  /** What was collected; a copy. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}
