/**
 * The framing of gdb's remote serial protocol: `$data#checksum`, acknowledged by `+` or refused by `-`, and the
 * lone byte 0x03 that interrupts. Specification: gdb manual, appendix E.1 (overview) and E.11 (acknowledgment).
 *
 * Packets are strings of one character per byte (Latin-1), because most of them are text and the rest is escaped.
 * What arrives is not trusted: a packet longer than {@linkcode MOST_PACKET_CHARACTERS} is dropped, and so is
 * whatever lies between packets.
 */

/** Longest packet in either direction, without its frame: what qSupported promises as PacketSize. */
export const MOST_PACKET_CHARACTERS = 0x4000;

/** What has arrived. */
export type Arrival =
  | { readonly kind: "packet"; readonly data: string }
  /** A packet with a wrong checksum, or one that is too long. */
  | { readonly kind: "damaged" }
  /** The last packet sent arrived damaged at the other end. */
  | { readonly kind: "refused" }
  | { readonly kind: "interrupt" };

const PACKET_START = 0x24; // $
const PACKET_END = 0x23; // #
const ESCAPE = 0x7d; // }
const REFUSED = 0x2d; // -
const INTERRUPT = 0x03;
const ESCAPE_FLIP = 0x20;

/** Takes a stream of bytes apart. */
export class PacketReader {
  #state: "between" | "data" | "checksum" = "between";
  #data = "";
  #sum = 0;
  #escaped = false;
  #tooLong = false;
  #checksum = "";

  /** What `bytes` complete. */
  *read(bytes: Uint8Array): Generator<Arrival> {
    for (const byte of bytes) {
      const arrival = this.#take(byte);
      if (arrival) yield arrival;
    }
  }

  #take(byte: number): Arrival | undefined {
    if (byte === PACKET_START) return this.#begin();
    switch (this.#state) {
      case "between":
        if (byte === INTERRUPT) return { kind: "interrupt" };
        if (byte === REFUSED) return { kind: "refused" };
        return undefined;
      case "data":
        if (byte === PACKET_END) {
          this.#state = "checksum";
          this.#checksum = "";
        } else this.#append(byte);
        return undefined;
      case "checksum":
        this.#checksum += String.fromCharCode(byte);
        return this.#checksum.length === 2 ? this.#end() : undefined;
    }
  }

  /** An unescaped `$` is never data: what came before it was cut off. */
  #begin(): undefined {
    this.#state = "data";
    this.#data = "";
    this.#sum = 0;
    this.#escaped = this.#tooLong = false;
  }

  #append(byte: number): void {
    this.#sum = (this.#sum + byte) & 255;
    if (!this.#escaped && byte === ESCAPE) {
      this.#escaped = true;
      return;
    }
    if (this.#data.length === MOST_PACKET_CHARACTERS) this.#tooLong = true;
    else this.#data += String.fromCharCode(this.#escaped ? byte ^ ESCAPE_FLIP : byte);
    this.#escaped = false;
  }

  #end(): Arrival {
    this.#state = "between";
    const intact = /^[0-9a-f]{2}$/i.test(this.#checksum) && parseInt(this.#checksum, 16) === this.#sum;
    return intact && !this.#tooLong ? { kind: "packet", data: this.#data } : { kind: "damaged" };
  }
}

/** A packet as it is sent. Characters above 255 may not be in it. */
export function encodePacket(data: string): Uint8Array {
  // `*` would begin a run length in replies.
  const escaped = data.replace(/[#$}*]/g, (c) => `}${String.fromCharCode(c.charCodeAt(0) ^ ESCAPE_FLIP)}`);
  let sum = 0;
  for (let i = 0; i < escaped.length; i++) sum += escaped.charCodeAt(i);
  return latin1Bytes(`$${escaped}#${(sum & 255).toString(16).padStart(2, "0")}`);
}

/** The bytes of a string of one character per byte. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Bytes in hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Bytes from hexadecimal; undefined where the text is none. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || /[^0-9a-f]/i.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** A text in hexadecimal, as UTF-8. */
export function textToHex(text: string): string {
  return toHex(new TextEncoder().encode(text));
}

/** An unsigned number of `bits` bits from hexadecimal digits; undefined where the text is none. */
export function parseHex(text: string, bits = 64): bigint | undefined {
  if (!/^[0-9a-f]+$/i.test(text) || text.length > 64) return undefined;
  const value = BigInt(`0x${text}`);
  return value >> BigInt(bits) === 0n ? value : undefined;
}

/** A count or length from hexadecimal digits: at most 2^32 - 1; undefined where the text is none. */
export function parseCount(text: string): number | undefined {
  const value = parseHex(text, 32);
  return value === undefined ? undefined : Number(value);
}
