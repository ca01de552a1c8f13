/**
 * A: atomic instructions (unprivileged specification, "A"). vCPUs take turns on one thread and turns
 * end between instructions, so every instruction is atomic and ordered as it stands: aq and rl mean nothing.
 */
import type { Execute, Hart, Semantics } from "./hart_interface.ts";
import { at1, at2, set } from "./registers.ts";

/** Replaces the old value, in the hart's result, by what to store. Words arrive sign-extended. */
type Combine = (h: Hart, operandLo: number, operandHi: number) => void;

/** Sign-extends a value to 64 bits if it is a word: what its high half is. */
const highHalf = (size: number, lo: number, hi: number): number => size === 4 ? lo >> 31 : hi;

/** Loads a value, stores its combination with x[rs2], and writes what was loaded to rd. */
function amo(size: number, combine: Combine): Execute {
  return (h, insn) => {
    const x = h.state, a = at1(insn), b = at2(insn);
    const addrLo = x[a], addrHi = x[a + 1];
    if (!h.loadForAmo(addrLo, addrHi, size)) return;
    const oldLo = h.lo;
    const oldHi = h.hi = highHalf(size, oldLo, h.hi);
    combine(h, x[b], highHalf(size, x[b], x[b + 1]));
    if (h.store(addrLo, addrHi, size, h.lo, h.hi)) set(h, insn, oldLo, oldHi);
  };
}

function loadReserved(size: number): Execute {
  return (h, insn) => {
    const a = at1(insn);
    if (!h.loadReserved(h.state[a], h.state[a + 1], size)) return;
    set(h, insn, h.lo, highHalf(size, h.lo, h.hi));
  };
}

function storeConditional(size: number): Execute {
  return (h, insn) => {
    const x = h.state, a = at1(insn), b = at2(insn);
    if (h.storeConditional(x[a], x[a + 1], size, x[b], x[b + 1])) set(h, insn, h.lo, 0);
  };
}

function swap(h: Hart, lo: number, hi: number): void {
  h.lo = lo;
  h.hi = hi;
}

function add(h: Hart, lo: number, hi: number): void {
  h.lo = (h.lo + lo) | 0;
  h.hi = (h.hi + hi + (h.lo >>> 0 < lo >>> 0 ? 1 : 0)) | 0;
}

function xor(h: Hart, lo: number, hi: number): void {
  h.lo ^= lo;
  h.hi ^= hi;
}

function and(h: Hart, lo: number, hi: number): void {
  h.lo &= lo;
  h.hi &= hi;
}

function or(h: Hart, lo: number, hi: number): void {
  h.lo |= lo;
  h.hi |= hi;
}

function isOldLess(h: Hart, lo: number, hi: number): boolean {
  return h.hi < hi || (h.hi === hi && h.lo >>> 0 < lo >>> 0);
}

// Sign extension keeps the order of unsigned words too.
function isOldLessUnsigned(h: Hart, lo: number, hi: number): boolean {
  return h.hi >>> 0 < hi >>> 0 || (h.hi === hi && h.lo >>> 0 < lo >>> 0);
}

function min(h: Hart, lo: number, hi: number): void {
  if (!isOldLess(h, lo, hi)) swap(h, lo, hi);
}

function max(h: Hart, lo: number, hi: number): void {
  if (isOldLess(h, lo, hi)) swap(h, lo, hi);
}

function minu(h: Hart, lo: number, hi: number): void {
  if (!isOldLessUnsigned(h, lo, hi)) swap(h, lo, hi);
}

function maxu(h: Hart, lo: number, hi: number): void {
  if (isOldLessUnsigned(h, lo, hi)) swap(h, lo, hi);
}

/** Load-reserved, store-conditional, and atomic memory operations. */
export const ATOMIC: Semantics = {
  // Zalrsc
  "lr.w": loadReserved(4),
  "lr.d": loadReserved(8),
  "sc.w": storeConditional(4),
  "sc.d": storeConditional(8),

  // Zaamo
  "amoswap.w": amo(4, swap),
  "amoswap.d": amo(8, swap),
  "amoadd.w": amo(4, add),
  "amoadd.d": amo(8, add),
  "amoxor.w": amo(4, xor),
  "amoxor.d": amo(8, xor),
  "amoand.w": amo(4, and),
  "amoand.d": amo(8, and),
  "amoor.w": amo(4, or),
  "amoor.d": amo(8, or),
  "amomin.w": amo(4, min),
  "amomin.d": amo(8, min),
  "amomax.w": amo(4, max),
  "amomax.d": amo(8, max),
  "amominu.w": amo(4, minu),
  "amominu.d": amo(8, minu),
  "amomaxu.w": amo(4, maxu),
  "amomaxu.d": amo(8, maxu),
};
