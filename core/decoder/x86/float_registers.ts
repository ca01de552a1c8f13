/**
 * The x87 and SSE registers by name, in the XSAVE area that holds them (AMD64 Architecture Programmer's Manual,
 * volume 2, §11.5.10 and volume 1, §11.4.4.3).
 */
import type { RegisterInfo } from "../../isa.ts";

const STACK = 32, VECTORS = 160, SLOT_BYTES = 16;
const STATE_BITS = 512;
/** Bits of XSTATE_BV: x87 and SSE are what the area says, not what they are after power-on. */
const X87 = 1, SSE = 2;

/** Where a register is. */
interface Place {
  readonly offset: number;
  readonly bytes: number;
  readonly component: typeof X87 | typeof SSE;
}

const numbered = (
  prefix: string,
  count: number,
  first: number,
  bytes: number,
  component: Place["component"],
) =>
  Array.from({ length: count }, (_, i): [string, Place] => [
    `${prefix}${i}`,
    { offset: first + i * SLOT_BYTES, bytes, component },
  ]);

const PLACES: ReadonlyMap<string, Place> = new Map([
  ...numbered("st", 8, STACK, 10, X87),
  ["fctrl", { offset: 0, bytes: 2, component: X87 }],
  ["fstat", { offset: 2, bytes: 2, component: X87 }],
  ...numbered("xmm", 16, VECTORS, 16, SSE),
  ["mxcsr", { offset: 24, bytes: 4, component: SSE }],
]);

/** All of them: the x87 stack from its top, control and status, the vectors' low 128 bits, and their control. */
export const FLOAT_REGISTERS: readonly RegisterInfo[] = Array.from(
  PLACES,
  ([name, { bytes }]) => ({ name, bits: bytes * 8 }),
);

/** A register's bits; undefined when there is none of that name. */
export function readFloat(xsave: Uint8Array, name: string): bigint | undefined {
  const place = PLACES.get(name);
  if (!place) return undefined;
  let value = 0n;
  for (let i = place.bytes - 1; i >= 0; i--) value = value << 8n | BigInt(xsave[place.offset + i]);
  return value;
}

/** The area with one register changed; undefined when there is none of that name. */
export function withFloat(
  xsave: Uint8Array,
  name: string,
  value: bigint,
): Uint8Array<ArrayBuffer> | undefined {
  const place = PLACES.get(name);
  if (!place) return undefined;
  const area = xsave.slice();
  for (let i = 0; i < place.bytes; i++) area[place.offset + i] = Number(value >> BigInt(8 * i) & 0xffn);
  area[STATE_BITS] |= place.component;
  return area;
}
