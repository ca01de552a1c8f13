/**
 * Finds the marks in what the guest's end of the shell's line sends; everything else is data. A mark is
 *
 *     0x1e  prefix (4 characters)  nonce (6)  letter  digits  ";"
 *
 * with the prefix of one session and the nonce of one command, all of them lower-case letters and digits. Since
 * 0x1e begins a mark and occurs nowhere else in one, a failed match never hides the start of a true one: its
 * bytes are data, and the search goes on with the byte that failed it.
 */

/** First byte of a mark: ASCII record separator. */
export const MARK_BYTE = 0x1e;
/** Characters of the prefix and of the nonce. */
export const PREFIX_LENGTH = 4;
export const NONCE_LENGTH = 6;
/** Digits of a mark's number: process identifiers and exit codes are shorter. */
const MAX_DIGITS = 10;
const SEMICOLON = 0x3b;
const LETTER_AT = 1 + PREFIX_LENGTH + NONCE_LENGTH;
const MAX_MARK = LETTER_AT + 1 + MAX_DIGITS + 1;

/** What a mark says. */
export interface Mark {
  readonly nonce: string;
  readonly letter: string;
  /** 0 where there are no digits. */
  readonly number: number;
}

/** What marks and data are given to. */
export interface FrameSink {
  /** A byte that belongs to no mark. */
  data(byte: number): void;
  /** A well-formed mark. Returns whether it is one that can be now; otherwise its bytes are data. */
  mark(mark: Mark): boolean;
}

/** Takes a stream apart. Remembers no more than one unfinished mark. */
export class FrameParser {
  readonly #prefix: Uint8Array;
  readonly #sink: FrameSink;
  readonly #held = new Uint8Array(MAX_MARK);
  #length = 0;

  /** @param prefix The session's. */
  constructor(prefix: string, sink: FrameSink) {
    this.#prefix = new TextEncoder().encode(prefix);
    this.#sink = sink;
  }

  /** Takes the next byte. */
  take(byte: number): void {
    if (this.#length === 0 && byte !== MARK_BYTE) return this.#sink.data(byte);
    if (!this.#fits(byte)) {
      this.#release();
      return this.take(byte);
    }
    this.#held[this.#length++] = byte;
    if (byte === SEMICOLON) {
      if (this.#sink.mark(this.#mark())) this.#length = 0;
      else this.#release();
    }
  }

  /** Whether the byte can follow what is held of a mark. */
  #fits(byte: number): boolean {
    const at = this.#length;
    if (at === 0) return byte === MARK_BYTE;
    if (at <= PREFIX_LENGTH) return byte === this.#prefix[at - 1];
    if (at < LETTER_AT) return isDigit(byte) || isLetter(byte);
    if (at === LETTER_AT) return isLetter(byte);
    return byte === SEMICOLON || (isDigit(byte) && at < MAX_MARK - 1);
  }

  #mark(): Mark {
    const text = String.fromCharCode(...this.#held.subarray(0, this.#length));
    return {
      nonce: text.slice(LETTER_AT - NONCE_LENGTH, LETTER_AT),
      letter: text[LETTER_AT],
      number: Number(text.slice(LETTER_AT + 1, -1)),
    };
  }

  /** What was held is no mark. */
  #release(): void {
    const length = this.#length;
    this.#length = 0;
    for (let i = 0; i < length; i++) this.#sink.data(this.#held[i]);
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isLetter(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}
