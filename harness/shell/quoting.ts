/** Texts and bytes as words that a POSIX shell reads back unchanged. */
import { InputError } from "../errors.ts";

/** A word of a shell. @throws {InputError} for a NUL, which no shell can hold. */
export function quote(text: string, what: string): string {
  if (typeof text !== "string") throw new InputError(`${what} is a string.`);
  if (text.includes("\0")) throw new InputError(`${what} holds a NUL character, which no shell can read.`);
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

const QUOTE = 0x27;
const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const MINUS = 0x2d;
const OCTAL_ZERO = [0x5c, 0x30, 0x30, 0x30];
const OCTAL_MINUS = [0x5c, 0x30, 0x35, 0x35];

/**
 * Bytes as a quoted format of the shell's own `printf`, which prints just them. Every byte stands for itself
 * except NUL, which a shell cannot hold, and those that mean something to `printf` or to the quoting.
 */
export function quotePrintf(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 + 4 * bytes.length);
  let length = 0;
  out[length++] = QUOTE;
  bytes.forEach((byte, i) => {
    if (byte === 0) {
      out.set(OCTAL_ZERO, length);
      length += 4;
    } else if (byte === QUOTE) {
      out.set([QUOTE, BACKSLASH, QUOTE, QUOTE], length);
      length += 4;
    } else if (byte === MINUS && i === 0) { // would begin an option
      out.set(OCTAL_MINUS, length);
      length += 4;
    } else {
      if (byte === BACKSLASH || byte === PERCENT) out[length++] = byte;
      out[length++] = byte;
    }
  });
  out[length++] = QUOTE;
  return out.subarray(0, length);
}
