/**
 * Reads DWARF's data representation (DWARF 5, §7.4 to §7.6) out of untrusted bytes: nothing is read past the end,
 * and numbers stay exact.
 */
import { viewOf } from "../elf_file.ts";

/** Debugging information is damaged, or of a kind not known here. What it belongs to is passed over. */
export class DwarfError extends Error {
  /** The name of the class. */
  override name = "DwarfError";
}

const MAX_STRING_BYTES = 4096;
/** An initial length that says: 64-bit DWARF, the length follows. */
const DWARF64 = 0xffff_ffff;
/** Initial lengths from here on are reserved. */
const FIRST_RESERVED_LENGTH = 0xffff_fff0;

/** A place in a section's bytes. */
export class Cursor {
  readonly #view: DataView;
  /** Bytes of an offset into a section: 4, or 8 in 64-bit DWARF. */
  offsetBytes: 4 | 8 = 4;

  /**
   * Begins at `at`.
   *
   * @param end Where reading must stop.
   */
  constructor(readonly bytes: Uint8Array, public at: number, public end: number = bytes.length) {
    this.#view = viewOf(bytes);
    this.end = Math.min(end, bytes.length);
  }

  /** One byte. */
  u8(): number {
    if (this.at >= this.end) throw truncated();
    return this.bytes[this.at++];
  }

  /** One signed byte. */
  s8(): number {
    return this.u8() << 24 >> 24;
  }

  /** Two bytes. */
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  /** Four bytes. */
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Eight bytes that hold a length or an offset: one that no section could have is damage. */
  u64(): number {
    const value = Number(this.#view.getBigUint64(this.#take(8), true));
    if (value > Number.MAX_SAFE_INTEGER) throw new DwarfError("A length or offset is absurdly large.");
    return value;
  }

  /** A 64-bit address as a signed number: canonical addresses are exact in a double, the upper half is negative. */
  address(): number {
    const at = this.#take(8);
    return this.#view.getInt32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
  }

  /** An offset into a section. */
  offset(): number {
    return this.offsetBytes === 4 ? this.u32() : this.u64();
  }

  /** A unit's length; sets how long its offsets are. */
  initialLength(): number {
    const length = this.u32();
    this.offsetBytes = length === DWARF64 ? 8 : 4;
    if (length === DWARF64) return this.u64();
    if (length >= FIRST_RESERVED_LENGTH) throw new DwarfError("A unit's length is reserved.");
    return length;
  }

  /** Unsigned LEB128; what is too large for a double's 53 bits loses its lowest bits. */
  uleb(): number {
    let byte = this.u8();
    let value = byte & 0x7f;
    for (let scale = 128; byte >= 0x80; scale *= 128) {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
    }
    return value;
  }

  /** Signed LEB128. */
  sleb(): number {
    let byte = this.u8();
    let value = byte & 0x7f, scale = 128;
    for (; byte >= 0x80; scale *= 128) {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
    }
    return (byte & 0x40) === 0 ? value : value - scale;
  }

  /** A string that ends with a NUL. */
  string(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0 || end >= this.end) throw truncated();
    const text = DECODER.decode(this.bytes.subarray(this.at, Math.min(end, this.at + MAX_STRING_BYTES)));
    this.at = end + 1;
    return text;
  }

  /** Passes over bytes. */
  skip(bytes: number): void {
    this.#take(bytes);
  }

  #take(bytes: number): number {
    const at = this.at;
    if (!(bytes >= 0 && at + bytes <= this.end)) throw truncated();
    this.at += bytes;
    return at;
  }
}

function truncated(): DwarfError {
  return new DwarfError("Debugging information ends in the middle.");
}

const DECODER = new TextDecoder();
