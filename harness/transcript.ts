/**
 * Everything a console has printed, within a bound: raw bytes for the record, and the last characters at
 * hand for matching. Text is what a terminal would show: without escape sequences, unless asked otherwise.
 * Offsets are UTF-16 units of the text from the beginning of the stream, so they stay true when the oldest is
 * dropped.
 */
import { AnsiFilter, stripAnsi } from "./ansi_filter.ts";
import { MATCH_WINDOW } from "./matching/stream_matcher.ts";

/** Bytes kept unless asked otherwise. */
export const DEFAULT_TRANSCRIPT_BYTES = 64 * 2 ** 20;

/** Characters before a match that `^` and lookbehind may look at. */
const CONTEXT = 256;
const TAIL_UNITS = MATCH_WINDOW + CONTEXT;

/** The record of one console. */
export class Transcript {
  /** UTF-16 units printed so far. */
  units = 0;
  /** Bytes dropped from the beginning because the record was full. */
  droppedBytes = 0;
  #droppedUnits = 0;
  #log = new Uint8Array(4096);
  #length = 0;
  /** The last units, at least TAIL_UNITS of them once there are so many. */
  #tail = new Uint16Array(4096);
  #tailLength = 0;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #midCharacter = false;
  readonly #filter = new AnsiFilter();
  /** Where the filter was before the oldest byte kept. */
  #firstPosition = 0;

  /**
   * @param capacity Bytes to keep; at least 4 KiB.
   * @param strip Whether escape sequences are no text.
   */
  constructor(private readonly capacity: number, private readonly strip: boolean = true) {}

  /** Bytes printed so far. */
  get bytes(): number {
    return this.droppedBytes + this.#length;
  }

  /** Takes a byte from the guest; calls `onUnit` for each UTF-16 unit that it completes. */
  append(byte: number, onUnit: (unit: number) => void): void {
    if (this.#length === this.#log.length) this.#makeRoom();
    this.#log[this.#length++] = byte;
    if (byte < 0x80 && !this.#midCharacter) {
      this.#takeUnit(byte, onUnit);
      return;
    }
    const text = this.#decoder.decode(Uint8Array.of(byte), { stream: true });
    // Lead bytes of UTF-8 begin a character; ASCII ends one; others end it when they give text.
    this.#midCharacter = byte >= 0xc0 || (byte >= 0x80 && text === "" && this.#midCharacter);
    for (let i = 0; i < text.length; i++) {
      this.#takeUnit(text.charCodeAt(i), onUnit);
    }
  }

  /** The bytes kept. */
  raw(): Uint8Array {
    return this.#log.slice(0, this.#length);
  }

  /** The text kept, after a note where the beginning had to be dropped. */
  text(): string {
    const note = this.droppedBytes > 0 ? `[… the first ${this.droppedBytes} bytes were dropped …]\n` : "";
    return note + this.#decodeAll();
  }

  /**
   * The text from offset `from` on (or from the oldest kept), preceded by some context.
   *
   * @param context Characters of context at most.
   * @returns the text, and where in it `from` is.
   */
  since(from: number, context = CONTEXT): { text: string; start: number } {
    if (this.units - from <= this.#tailLength - CONTEXT || this.#tailLength === this.units) {
      const start = Math.max(0, this.#tailLength - (this.units - from));
      const first = Math.max(0, start - context);
      return { text: this.#tailText(first), start: start - first };
    }
    return { text: this.#decodeAll(), start: Math.max(0, from - this.#droppedUnits) };
  }

  /** The last `count` lines, the unfinished one included. */
  lastLines(count: number): string[] {
    const lines = this.#tailText(0).split(/\r*\n/);
    if (lines.at(-1) === "") lines.pop();
    return lines.slice(-count);
  }

  #tailText(from: number): string {
    let text = "";
    for (let i = from; i < this.#tailLength; i += 8192) {
      const units = this.#tail.subarray(i, Math.min(i + 8192, this.#tailLength));
      // Spread, it would be iterated: seven times as slow.
      text += String.fromCharCode.apply(null, units as unknown as number[]);
    }
    return text;
  }

  #decodeAll(): string {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#log.subarray(0, this.#length), {
      stream: true,
    });
    return this.strip ? stripAnsi(text, new AnsiFilter(this.#firstPosition)) : text;
  }

  #takeUnit(unit: number, onUnit: (unit: number) => void): void {
    if (this.strip && !this.#filter.isText(unit)) return;
    this.#appendUnit(unit);
    onUnit(unit);
  }

  #appendUnit(unit: number): void {
    if (this.#tailLength === this.#tail.length) this.#makeTailRoom();
    this.#tail[this.#tailLength++] = unit;
    this.units++;
  }

  /** Grows the tail, or drops its oldest units where it is long enough. */
  #makeTailRoom(): void {
    if (this.#tailLength < 4 * TAIL_UNITS) {
      const grown = new Uint16Array(2 * this.#tailLength);
      grown.set(this.#tail);
      this.#tail = grown;
      return;
    }
    this.#tail.copyWithin(0, this.#tailLength - TAIL_UNITS);
    this.#tailLength = TAIL_UNITS;
  }

  /** Grows the log, or drops its older half where it may not grow. */
  #makeRoom(): void {
    if (this.#length < this.capacity) {
      const grown = new Uint8Array(Math.min(2 * this.#length, this.capacity));
      grown.set(this.#log);
      this.#log = grown;
      return;
    }
    // Cut after an ASCII byte: characters are whole on both sides of it.
    let cut = this.#length >>> 1;
    while (cut < this.#length && this.#log[cut - 1] >= 0x80) cut++;
    const dropped = new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#log.subarray(0, cut));
    const filter = new AnsiFilter(this.#firstPosition);
    this.#droppedUnits += this.strip ? stripAnsi(dropped, filter).length : dropped.length;
    this.#firstPosition = filter.position;
    this.#log.copyWithin(0, cut, this.#length);
    this.#length -= cut;
    this.droppedBytes += cut;
  }
}
