/**
 * Tells a terminal's text from its escape sequences (ECMA-48 §5.4, §5.6 and §9), so that patterns match what
 * a person would see. A control character inside of a sequence, or a sequence beyond all reason, ends it: a
 * guest cannot hide its output behind a sequence it never finishes.
 */

const TEXT = 0;
const ESCAPE = 1;
/** After `ESC [`: parameters, until a final byte. */
const CONTROL_SEQUENCE = 2;
/** After `ESC ]`, `ESC P`, `ESC X`, `ESC ^`, `ESC _`: a string, until BEL or `ESC \`. */
const CONTROL_STRING = 3;
/** An escape inside of a string: its terminator, or the next sequence. */
const STRING_ESCAPE = 4;

const BEL = 0x07;
const ESC = 0x1b;
/** Longest sequence taken for one, in characters. */
const MAX_SEQUENCE = 4096;

/** Where in a sequence a stream is. */
export class AnsiFilter {
  #state = TEXT;
  /** Characters of the sequence so far. */
  #length = 0;

  /** @param from The {@linkcode AnsiFilter.position} to go on from. @default in text */
  constructor(from: number = TEXT) {
    this.#state = from & 7;
    this.#length = from >>> 3;
  }

  /** Where it is: 0 in text; else opaque. */
  get position(): number {
    return this.#state === TEXT ? TEXT : this.#length << 3 | this.#state;
  }

  /** Takes the next UTF-16 unit; returns whether it is text. */
  isText(unit: number): boolean {
    if (this.#state === TEXT) {
      if (unit !== ESC) return true;
      this.#state = ESCAPE;
      this.#length = 0;
      return false;
    }
    this.#state = this.#next(unit);
    if (++this.#length > MAX_SEQUENCE) this.#state = TEXT;
    // A line's end is never part of a sequence.
    return this.#state === TEXT && (unit === 0x0a || unit === 0x0d);
  }

  #next(unit: number): number {
    if (unit === 0x0a || unit === 0x0d || unit === 0x18 || unit === 0x1a) return TEXT;
    switch (this.#state) {
      case ESCAPE:
        if (unit === 0x5b) return CONTROL_SEQUENCE;
        if (unit === 0x5d || unit === 0x50 || unit === 0x58 || unit === 0x5e || unit === 0x5f) {
          return CONTROL_STRING;
        }
        // Intermediate bytes (ESC ( B and the like) come before the final one.
        return unit === ESC || (unit >= 0x20 && unit < 0x30) ? ESCAPE : TEXT;
      case CONTROL_SEQUENCE:
        if (unit === ESC) return ESCAPE;
        return unit >= 0x40 ? TEXT : CONTROL_SEQUENCE;
      case CONTROL_STRING:
        return unit === BEL ? TEXT : unit === ESC ? STRING_ESCAPE : CONTROL_STRING;
      default: // STRING_ESCAPE
        if (unit === 0x5c) return TEXT;
        this.#state = ESCAPE;
        return this.#next(unit);
    }
  }
}

/** `text` without its escape sequences. */
export function stripAnsi(text: string, filter: AnsiFilter = new AnsiFilter()): string {
  if (filter.position === TEXT && !text.includes("\x1b")) return text;
  let result = "";
  let from = filter.position === TEXT ? 0 : -1;
  for (let i = 0; i < text.length; i++) {
    const visible = filter.isText(text.charCodeAt(i));
    if (visible && from < 0) from = i;
    if (!visible && from >= 0) {
      result += text.slice(from, i);
      from = -1;
    }
  }
  return from < 0 ? result : result + text.slice(from);
}
