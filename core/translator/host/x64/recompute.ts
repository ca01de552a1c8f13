/**
 * Values that are computed where a loop is left instead of in every round, because nobody but the exits wants
 * them: the halves of a rotation, for instance, that the guest's compiler left in registers.
 *
 * Such a value is a chain of simple operations, each on the result of the one before and a constant, that begins
 * with one operation on values which are at hand at the exit. It is computed in rax.
 */
import * as ir from "../../ir.ts";
import {
  ALU_ADD,
  ALU_AND,
  ALU_OR,
  ALU_SUB,
  ALU_XOR,
  type Assembler,
  SHIFT_SAR,
  SHIFT_SHL,
  SHIFT_SHR,
} from "./assembler.ts";
import { RAX, STATE, STATE_BIAS } from "./registers.ts";

/** Most operations in a chain. */
const LONGEST = 4;

/** [opcode, width] of the operations that take a value or a constant. */
const ALU = new Map([
  [ir.OP_ADD64, [ALU_ADD, 1]],
  [ir.OP_SUB64, [ALU_SUB, 1]],
  [ir.OP_AND64, [ALU_AND, 1]],
  [ir.OP_OR64, [ALU_OR, 1]],
  [ir.OP_XOR64, [ALU_XOR, 1]],
  [ir.OP_ADD32, [ALU_ADD, 0]],
  [ir.OP_SUB32, [ALU_SUB, 0]],
]);
/** [opcode, width] of the operations that take a constant. */
const SHIFTS = new Map([
  [ir.OP_SHL64, [SHIFT_SHL, 1]],
  [ir.OP_SHR64, [SHIFT_SHR, 1]],
  [ir.OP_SAR64, [SHIFT_SAR, 1]],
  [ir.OP_SHL32, [SHIFT_SHL, 0]],
  [ir.OP_SHR32, [SHIFT_SHR, 0]],
  [ir.OP_SAR32, [SHIFT_SAR, 0]],
]);
/** [size, signed] of the operations that take nothing. */
const EXTENSIONS = new Map<number, [number, boolean]>([
  [ir.OP_SEXT8, [1, true]],
  [ir.OP_SEXT16, [2, true]],
  [ir.OP_SEXT32, [4, true]],
  [ir.OP_ZEXT8, [1, false]],
  [ir.OP_ZEXT16, [2, false]],
  [ir.OP_ZEXT32, [4, false]],
]);
const isRotation = (op: number): boolean => op === ir.OP_ROR64 || op === ir.OP_ROR32;

/**
 * The values a chain begins with: one or two. Undefined where value v is no such chain.
 *
 * @param atHand Whether a value will be at hand wherever v may be wanted.
 */
export function leavesOf(block: ir.Ir, v: number, atHand: (value: number) => boolean): number[] | undefined {
  for (let length = 0; length < LONGEST; length++) {
    const op = block.op[v], a = block.a[v], b = block.b[v];
    const begins = atHand(a) && block.op[a] !== ir.OP_CONST;
    if (ALU.has(op)) {
      if (!block.isConst32(b)) return begins && block.op[b] !== ir.OP_CONST && atHand(b) ? [a, b] : undefined;
    } else if (SHIFTS.has(op) || isRotation(op)) {
      if (block.op[b] !== ir.OP_CONST) return undefined;
    } else if (!EXTENSIONS.has(op)) return undefined;
    if (begins) return [a];
    v = a;
  }
  return undefined;
}

/** Where a value is: a register, or, if that is negative, in the state block at the offset ~place. */
export type Place = number;

/** Emits the computation of value v, a chain, in rax. Its leaf values a and b are where they are said to be. */
export function emitChain(asm: Assembler, block: ir.Ir, v: number, leaf: number, a: Place, b: Place): void {
  if (v === leaf) {
    if (a >= 0) asm.movRR(1, RAX, a);
    else asm.load(1, RAX, STATE, ~a - STATE_BIAS);
    return;
  }
  emitChain(asm, block, block.a[v], leaf, a, b);
  const op = block.op[v], by = block.b[v];
  const alu = ALU.get(op), shift = SHIFTS.get(op);
  if (alu !== undefined) {
    if (block.op[by] === ir.OP_CONST) asm.aluImm(alu[0], alu[1], RAX, block.lo[by]);
    else if (b >= 0) asm.alu(alu[0], alu[1], RAX, b);
    else asm.aluMem(alu[0], alu[1], RAX, STATE, ~b - STATE_BIAS);
  } else if (shift !== undefined) {
    asm.shiftImm(shift[0], shift[1], RAX, block.lo[by] & (shift[1] === 1 ? 63 : 31));
  } else if (isRotation(op)) {
    const w = op === ir.OP_ROR64 ? 1 : 0;
    asm.rorx(w, RAX, RAX, block.lo[by] & (w === 1 ? 63 : 31));
  } else {
    const [size, signed] = EXTENSIONS.get(op)!;
    asm.extend(size, signed, RAX, RAX);
  }
}
