/**
 * The look at the TLB that most accesses begin with, as bytes. It is written so often that it is not put together
 * from instructions: these words are their encodings (Intel SDM vol. 2), with what differs put in.
 *
 *     rorx  eax, base, 8
 *     and   eax, (entries - 1) << 4
 *     lea   rcx, [base + last]
 *     and   rcx, -4096
 *     cmp   rcx, [rbp + rax + table]
 *     jne   miss
 *     mov   rcx, [rbp + rax + table + 8]
 */
import { TLB_OFFSET_MASK } from "../../layout.ts";
import type { Assembler } from "./assembler.ts";
import { RSP } from "./registers.ts";

/** Bytes from the probe's start to the displacement of its jump. */
const MISS = 33;

/** Whether the probe can be written for a base: for one register the `lea` would need another byte. */
export function canProbe(base: number): boolean {
  return (base & 7) !== RSP;
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
