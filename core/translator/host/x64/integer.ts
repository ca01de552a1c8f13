/** Emission of integer ops. */
import * as ir from "../../ir.ts";
import {
  ALU_ADD,
  ALU_AND,
  ALU_CMP,
  ALU_OR,
  ALU_SUB,
  ALU_XOR,
  SHIFT_SAR,
  SHIFT_SHL,
  SHIFT_SHR,
} from "./assembler.ts";
import type { Emitter } from "./emitter.ts";
import { CC_AE, CC_B, CC_E, CC_GE, CC_L, CC_NE, RAX, RCX, RDX, STATE, STATE_BIAS } from "./registers.ts";

/** x86 condition code of each COND_*. */
export const CC_OF_COND: Uint8Array = new Uint8Array([CC_E, CC_NE, CC_L, CC_GE, CC_B, CC_AE]);
/** The COND_* with operands swapped. */
const SWAPPED = [ir.COND_EQ, ir.COND_NE, -1, -1, -1, -1];

/** Emits `op dst, b` where b may be an immediate, a memory operand or a register. */
function aluWith(e: Emitter, aluOp: number, w: number, dst: number, b: number): void {
  const { alloc, asm } = e;
  if (alloc.ir.isConst32(b)) return asm.aluImm(aluOp, w, dst, alloc.ir.lo[b]);
  const home = alloc.memoryOperand(b);
  if (home >= 0) return asm.aluMem(aluOp, w, dst, STATE, home - STATE_BIAS);
  asm.alu(aluOp, w, dst, alloc.use(b));
}

/** Ops among which another op's other half is looked for: of a product, or the carry of a sum. */
const NEARBY = 12;

/** The comparison after sum (or difference) i, nearby, that computes its carry (or borrow), or -1. */
function carryOf(e: Emitter, i: number): number {
  const { ir: block, alloc } = e;
  const a = block.a[i], b = block.b[i], subtracts = block.op[i] === ir.OP_SUB64;
  if (a === b || block.comparisons === 0) return -1;
  for (let j = i + 1; j < block.length && j <= i + NEARBY; j++) {
    if (block.op[j] !== ir.OP_SETCC || block.c[j] !== ir.COND_LTU || alloc.dead[j] !== 0) continue;
    const x = block.a[j], y = block.b[j];
    if (subtracts ? x === a && (y === i || y === b) : x === i && (y === a || y === b)) return j;
  }
  return -1;
}

/**
 * add, and, or, xor, sub in both widths.
 *
 * @param carry The op that wants the carry, of different operands, if not -1.
 */
function binaryAlu(e: Emitter, i: number, aluOp: number, w: number, commutes: boolean, carry = -1): void {
  const { alloc, asm } = e;
  let a = alloc.ir.a[i], b = alloc.ir.b[i];
  if (commutes && ((!alloc.dies(a) && alloc.dies(b)) || alloc.ir.op[a] === ir.OP_CONST)) {
    const t = a;
    a = b;
    b = t;
  }
  if (aluOp === ALU_ADD && carry < 0 && !alloc.dies(a) && alloc.ir.op[a] !== ir.OP_CONST) {
    // Three-operand addition.
    if (alloc.ir.isConst32(b)) {
      const ra = alloc.use(a);
      asm.lea(w, alloc.define(), ra, alloc.ir.lo[b]);
      return;
    }
    if (alloc.memoryOperand(a) < 0 && alloc.memoryOperand(b) < 0) {
      const ra = alloc.use(a), rb = alloc.use(b);
      asm.leaIndex(w, alloc.define(), ra, rb, 0);
      return;
    }
  }
  // The destination is written before b is read: b must not be in it.
  if (a === b) {
    const ra = alloc.use(a);
    const dst = alloc.define();
    asm.movRR(w, dst, ra);
    asm.alu(aluOp, w, dst, ra);
    return;
  }
  if (!alloc.ir.isConst32(b) && alloc.memoryOperand(b) < 0) alloc.use(b);
  const dst = alloc.defineFrom(a);
  const bit = carry < 0 ? -1 : alloc.defineEarly(carry);
  if (bit >= 0) asm.movImm(bit, 0, 0);
  aluWith(e, aluOp, w, dst, b);
  if (bit >= 0) asm.setcc(CC_B, bit);
}

/** add and sub in 64 bits: the flags say what comparisons of the result with an operand would find out again. */
function addOrSubtract(e: Emitter, i: number, aluOp: number): void {
  const carry = carryOf(e, i);
  if (carry >= 0) e.alloc.advance(carry);
  binaryAlu(e, i, aluOp, 1, aluOp === ALU_ADD, carry);
}

/** The result register of an instruction that reads a and b before it writes: one of theirs if that dies. */
function defineOver(e: Emitter, a: number, b: number): number {
  const { alloc } = e;
  if (alloc.dies(a)) return alloc.takeOver(a);
  return alloc.dies(b) ? alloc.takeOver(b) : alloc.define();
}

/** a + (b << count). */
function addShifted(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const ra = alloc.use(alloc.ir.a[i]), rb = alloc.use(alloc.ir.b[i]);
  asm.leaScaled(defineOver(e, alloc.ir.a[i], alloc.ir.b[i]), ra, rb, alloc.ir.c[i]);
}

/** a & ~b. */
function andNot(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const ra = alloc.use(alloc.ir.a[i]), rb = alloc.use(alloc.ir.b[i]);
  asm.andn(defineOver(e, alloc.ir.a[i], alloc.ir.b[i]), rb, ra);
}

const SHIFTS: Record<number, [number, number]> = {
  [ir.OP_SHL64]: [SHIFT_SHL, 1],
  [ir.OP_SHR64]: [SHIFT_SHR, 1],
  [ir.OP_SAR64]: [SHIFT_SAR, 1],
  [ir.OP_SHL32]: [SHIFT_SHL, 0],
  [ir.OP_SHR32]: [SHIFT_SHR, 0],
  [ir.OP_SAR32]: [SHIFT_SAR, 0],
};

function shift(e: Emitter, i: number, op: number, w: number): void {
  const { alloc, asm } = e;
  const a = alloc.ir.a[i], b = alloc.ir.b[i];
  if (alloc.ir.op[b] === ir.OP_CONST) {
    const dst = alloc.defineFrom(a);
    asm.shiftImm(op, w, dst, alloc.ir.lo[b] & (w ? 63 : 31));
    return;
  }
  const ra = alloc.use(a), rb = alloc.use(b);
  const dst = alloc.dies(a) ? alloc.takeOver(a) : alloc.define();
  asm.shiftX(op, w, dst, ra, rb);
}

function rotate(e: Emitter, i: number, w: number): void {
  const { alloc, asm } = e;
  const a = alloc.ir.a[i], b = alloc.ir.b[i];
  if (alloc.ir.op[b] === ir.OP_CONST) {
    const ra = alloc.use(a);
    const dst = alloc.dies(a) ? alloc.takeOver(a) : alloc.define();
    asm.rorx(w, dst, ra, alloc.ir.lo[b] & (w ? 63 : 31));
    return;
  }
  asm.movRR(0, RCX, alloc.use(b));
  const dst = alloc.defineFrom(a);
  asm.rorCl(w, dst);
}

/** The op after i, nearby, that computes the given half of the product which op i computes the other half of; or -1. */
function otherHalf(e: Emitter, i: number, op: number): number {
  const { ir: block, alloc } = e;
  const a = block.a[i], b = block.b[i];
  for (let j = i + 1; j < block.length && j <= i + NEARBY; j++) {
    if (block.op[j] === op && block.a[j] === a && block.b[j] === b && alloc.dead[j] === 0) return j;
  }
  return -1;
}

function multiply(e: Emitter, i: number, w: number): void {
  const { alloc, asm } = e;
  if (alloc.isDefined(i)) return;
  const a = alloc.ir.a[i], b = alloc.ir.b[i];
  const high = w === 1 ? otherHalf(e, i, ir.OP_MULHU) : -1;
  if (high >= 0) {
    alloc.advance(high);
    multiplyWide(e, a, b);
    asm.movRR(1, defineOver(e, a, b), RAX);
    alloc.defineEarly(high, RDX);
    return;
  }
  const rb = alloc.use(b);
  if (a === b) {
    const dst = alloc.define();
    asm.movRR(w, dst, rb);
    asm.imul(w, dst, rb);
    return;
  }
  const dst = alloc.defineFrom(a);
  asm.imul(w, dst, rb);
}

/** The product of a and b in rdx (high half) and rax: group3 = 4 unsigned, 5 signed. */
function multiplyWide(e: Emitter, a: number, b: number, group3 = 4): void {
  const { alloc, asm } = e;
  alloc.claim(RDX);
  const rb = alloc.use(b);
  alloc.loadInto(a, RAX);
  asm.group3(group3, 1, rb);
}

/** High half of a product: group3 = 4 unsigned, 5 signed. */
function multiplyHigh(e: Emitter, i: number, group3: number): void {
  const { alloc, asm } = e;
  if (alloc.isDefined(i)) return;
  const low = otherHalf(e, i, ir.OP_MUL64);
  if (low >= 0) alloc.advance(low);
  multiplyWide(e, alloc.ir.a[i], alloc.ir.b[i], group3);
  alloc.defineIn(RDX);
  if (low >= 0) asm.movRR(1, alloc.defineEarly(low), RAX);
}

/** Total division (see ir.ts). */
function divide(e: Emitter, i: number, w: number, signed: boolean, remainder: boolean): void {
  const { alloc, asm } = e;
  alloc.claim(RDX);
  const rb = alloc.use(alloc.ir.b[i]);
  alloc.loadInto(alloc.ir.a[i], RAX);
  // x / 0: quotient all ones, remainder x.
  if (!remainder) asm.movImm(RDX, -1, -1);
  else asm.movRR(w, RDX, RAX);
  asm.test(w, rb, rb);
  const zero = asm.jccShort(CC_E);
  let minusOne = -1;
  if (signed) {
    // x / -1 = -x, remainder 0: MIN / -1 would trap.
    asm.movRR(w, RDX, RAX);
    if (remainder) asm.movImm(RDX, 0, 0);
    else asm.group3(3, w, RDX);
    asm.aluImm(ALU_CMP, w, rb, -1);
    minusOne = asm.jccShort(CC_E);
    asm.cqo(w);
    asm.group3(7, w, rb);
  } else {
    asm.movImm(RDX, 0, 0);
    asm.group3(6, w, rb);
  }
  if (!remainder) asm.movRR(w, RDX, RAX);
  asm.bindShort(zero);
  if (signed) asm.bindShort(minusOne);
  if (!w) asm.movRR(0, RDX, RDX); // x / 0 left all ones in the upper half
  alloc.defineIn(RDX);
}

function extend(e: Emitter, i: number, size: number, signed: boolean): void {
  const { alloc, asm } = e;
  const a = alloc.ir.a[i];
  const ra = alloc.use(a);
  const dst = alloc.dies(a) ? alloc.takeOver(a) : alloc.define();
  asm.extend(size, signed, dst, ra);
}

function bitCount(e: Emitter, i: number, opcode: number, w: number): void {
  const { alloc, asm } = e;
  const a = alloc.ir.a[i];
  const ra = alloc.use(a);
  const dst = alloc.dies(a) ? alloc.takeOver(a) : alloc.define();
  asm.bitCount(opcode, w, dst, ra);
}

/** Emits a comparison of a and b; returns the x86 condition under which `a cond b` holds. */
export function compare(e: Emitter, a: number, b: number, cond: number): number {
  const { alloc, asm } = e;
  let c = cond;
  if (alloc.ir.op[a] === ir.OP_CONST && SWAPPED[cond] >= 0 && alloc.ir.op[b] !== ir.OP_CONST) {
    const t = a;
    a = b;
    b = t;
    c = SWAPPED[cond];
  }
  const ra = alloc.use(a);
  if (alloc.ir.isZero(b)) asm.test(1, ra, ra);
  else aluWith(e, ALU_CMP, 1, ra, b);
  return CC_OF_COND[c];
}

function setcc(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  if (alloc.isDefined(i)) return;
  // Cleared first, so that what waits for the result does not wait for an extension too.
  const dst = alloc.define();
  asm.movImm(dst, 0, 0);
  asm.setcc(compare(e, alloc.ir.a[i], alloc.ir.b[i], alloc.ir.c[i]), dst);
}

function select(e: Emitter, i: number): void {
  const { alloc, asm } = e;
  const x = alloc.ir.d[i], y = alloc.ir.lo[i];
  const rx = alloc.use(x), ry = alloc.use(y);
  const cc = compareAgain(e, i);
  if (x !== y && alloc.dies(y)) asm.cmov(cc, 1, alloc.takeOver(y), rx);
  else if (x !== y && alloc.dies(x)) asm.cmov(cc ^ 1, 1, alloc.takeOver(x), ry);
  else {
    const dst = alloc.define();
    asm.movRR(1, dst, ry);
    asm.cmov(cc, 1, dst, rx);
  }
}

/**
 * Like {@linkcode compare} for the operands of op i, but without emitting a comparison that a selection just
 * before has made: nothing emitted between selections and sets changes the flags.
 */
export function compareAgain(e: Emitter, i: number): number {
  const block = e.ir;
  const a = block.a[i], b = block.b[i], cond = block.c[i];
  let j = i - 1;
  while (j >= 0 && (block.op[j] === ir.OP_SET || block.op[j] === ir.OP_CONST)) j--;
  const same = j >= 0 && block.op[j] === ir.OP_SELECT && e.alloc.dead[j] === 0 &&
    block.a[j] === a && block.b[j] === b && block.c[j] === cond;
  const swapped = block.op[a] === ir.OP_CONST && block.op[b] !== ir.OP_CONST && SWAPPED[cond] >= 0;
  return same ? CC_OF_COND[swapped ? SWAPPED[cond] : cond] : compare(e, a, b, cond);
}

/** Registers this file's emitters. */
export function registerInteger(table: ((e: Emitter, i: number) => void)[]): void {
  table[ir.OP_ADD64] = (e, i) => addOrSubtract(e, i, ALU_ADD);
  table[ir.OP_ADD32] = (e, i) => binaryAlu(e, i, ALU_ADD, 0, true);
  table[ir.OP_SUB64] = (e, i) => addOrSubtract(e, i, ALU_SUB);
  table[ir.OP_SUB32] = (e, i) => binaryAlu(e, i, ALU_SUB, 0, false);
  table[ir.OP_AND64] = (e, i) => binaryAlu(e, i, ALU_AND, 1, true);
  table[ir.OP_OR64] = (e, i) => binaryAlu(e, i, ALU_OR, 1, true);
  table[ir.OP_XOR64] = (e, i) => binaryAlu(e, i, ALU_XOR, 1, true);
  for (const [op, [shiftOp, w]] of Object.entries(SHIFTS)) {
    table[Number(op)] = (e, i) => shift(e, i, shiftOp, w);
  }
  table[ir.OP_ROR64] = (e, i) => rotate(e, i, 1);
  table[ir.OP_ROR32] = (e, i) => rotate(e, i, 0);
  table[ir.OP_MUL64] = (e, i) => multiply(e, i, 1);
  table[ir.OP_MUL32] = (e, i) => multiply(e, i, 0);
  table[ir.OP_MULHU] = (e, i) => multiplyHigh(e, i, 4);
  table[ir.OP_MULHS] = (e, i) => multiplyHigh(e, i, 5);
  table[ir.OP_DIVS64] = (e, i) => divide(e, i, 1, true, false);
  table[ir.OP_DIVU64] = (e, i) => divide(e, i, 1, false, false);
  table[ir.OP_REMS64] = (e, i) => divide(e, i, 1, true, true);
  table[ir.OP_REMU64] = (e, i) => divide(e, i, 1, false, true);
  table[ir.OP_DIVS32] = (e, i) => divide(e, i, 0, true, false);
  table[ir.OP_DIVU32] = (e, i) => divide(e, i, 0, false, false);
  table[ir.OP_REMS32] = (e, i) => divide(e, i, 0, true, true);
  table[ir.OP_REMU32] = (e, i) => divide(e, i, 0, false, true);
  table[ir.OP_SEXT8] = (e, i) => extend(e, i, 1, true);
  table[ir.OP_SEXT16] = (e, i) => extend(e, i, 2, true);
  table[ir.OP_SEXT32] = (e, i) => extend(e, i, 4, true);
  table[ir.OP_ZEXT8] = (e, i) => extend(e, i, 1, false);
  table[ir.OP_ZEXT16] = (e, i) => extend(e, i, 2, false);
  table[ir.OP_ZEXT32] = (e, i) => extend(e, i, 4, false);
  table[ir.OP_CLZ64] = (e, i) => bitCount(e, i, 0xbd, 1);
  table[ir.OP_CLZ32] = (e, i) => bitCount(e, i, 0xbd, 0);
  table[ir.OP_CTZ64] = (e, i) => bitCount(e, i, 0xbc, 1);
  table[ir.OP_CTZ32] = (e, i) => bitCount(e, i, 0xbc, 0);
  table[ir.OP_POPCNT64] = (e, i) => bitCount(e, i, 0xb8, 1);
  table[ir.OP_POPCNT32] = (e, i) => bitCount(e, i, 0xb8, 0);
  table[ir.OP_BSWAP64] = (e, i) => e.asm.bswap(1, e.alloc.defineFrom(e.alloc.ir.a[i]));
  table[ir.OP_ADD_SHIFTED] = addShifted;
  table[ir.OP_ANDN64] = andNot;
  table[ir.OP_SETCC] = setcc;
  table[ir.OP_SELECT] = select;
}
