/**
 * The look at the TLB that most accesses begin with, and what becomes of those that miss, as bytes. They are written so
 * often that they are not put together from instructions: these words are their encodings (Intel SDM vol. 2), with
 * what differs put in.
 *
 *     rorx  eax, base, 8
 *     and   eax, (entries - 1) << 4
 *     lea   rcx, [base + last]
 *     and   rcx, -4096
 *     cmp   rcx, [rbp + rax + table]
 *     jne   miss
 *     mov   rcx, [rbp + rax + table + 8]
 *     ...
 *     miss:
 *     push  site
 *     lea   rax, [base + displacement]
 *     call  refill
 *     jmp   back
 */
import { TLB_OFFSET_MASK } from "../../layout.ts";
import type { Assembler } from "./assembler.ts";
import { RSP } from "./registers.ts";

/** Bytes from the probe's start to the displacement of its jump. */
const MISS = 33;

/** Bytes from the start of what a miss leads to up to the ends of its call and its jump. */
const CALLED = 14, JUMPED = 19;

/**
 * Whether both can be written for a base and a displacement: others need more bytes.
 *
 * @param last Displacement of the last byte that is accessed.
 */
export function canProbe(base: number, disp: number, last: number): boolean {
  return (base & 7) !== RSP && disp >= -128 && last <= 127;
}

/**
 * Writes the probe; returns the position of the jump's displacement.
 *
 * @param last Displacement of the last byte that is accessed, from -128 to 127.
 * @param table Displacement of the table from the state register.
 */
export function emitTlbProbe(asm: Assembler, base: number, last: number, table: number): number {
  const miss = asm.pos + MISS;
  const high = base >> 3, low = base & 7, addend = table + 8;
  asm.int32(0xf07bc3c4 | (high ^ 1) << 13);
  asm.int32(0xe08108c0 | low);
  asm.int32(TLB_OFFSET_MASK);
  asm.int32(0x00488d48 | high | low << 16 | last << 24);
  asm.int32(0x00e18148);
  asm.int32(0x48fffff0);
  asm.int32(0x00058c3b | table << 24);
  asm.int32(0x0f000000 | table >>> 8);
  asm.int32(0x00000085);
  asm.int32(0x8c8b4800 | 0);
  asm.int32(0x00000005 | addend << 8);
  asm.byte(addend >>> 24);
  return miss;
}

/**
 * Writes what a miss leads to.
 *
 * @param refill Position of the stub that is called.
 * @param back Position behind the probe.
 */
export function emitMiss(
  asm: Assembler,
  site: number,
  base: number,
  disp: number,
  refill: number,
  back: number,
): void {
  const high = base >> 3, low = base & 7;
  const toRefill = refill - (asm.pos + CALLED), toBack = back - (asm.pos + JUMPED);
  asm.int32(0x00000068 | site << 8);
  asm.int32(0x408d4800 | site >>> 24 | high << 8 | low << 24);
  asm.int32(0x0000e800 | disp & 0xff | toRefill << 16);
  asm.int32(0x00e90000 | toRefill >>> 16 | toBack << 24);
  asm.int32(toBack >>> 8);
  asm.pos--;
}
