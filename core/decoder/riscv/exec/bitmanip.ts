/** Zba, Zbb and Zbs: bit manipulation (unprivileged specification, "B"). */
import { shamt5, shamt6 } from "../decode.ts";
import type { Hart, Semantics } from "./hart_interface.ts";
import { at1, at2, isLess, isLessUnsigned, set, setShiftedLeft, setSum, setWord } from "./registers.ts";

/** rd = x[rs2] + (hi:lo << n), for n from 1 to 3. */
function setShiftedSum(h: Hart, insn: number, lo: number, hi: number, n: number): void {
  const b = at2(insn);
  setSum(h, insn, lo << n, hi << n | lo >>> (32 - n), h.state[b], h.state[b + 1]);
}

/** The same with hi:lo = x[rs1]. */
function shiftAdd(h: Hart, insn: number, n: number): void {
  const a = at1(insn);
  setShiftedSum(h, insn, h.state[a], h.state[a + 1], n);
}

/** rd = x[from]. */
function copy(h: Hart, insn: number, from: number): void {
  set(h, insn, h.state[from], h.state[from + 1]);
}

/** rd = x[rs1] rotated right by n. */
function setRotated(h: Hart, insn: number, n: number): void {
  const a = at1(insn), swapped = n & 32 ? 1 : 0, m = n & 31;
  const lo = h.state[a + swapped], hi = h.state[a + 1 - swapped];
  if (m === 0) set(h, insn, lo, hi);
  else set(h, insn, lo >>> m | hi << (32 - m), hi >>> m | lo << (32 - m));
}

function rotateWord(value: number, n: number): number {
  return value >>> (n & 31) | value << (-n & 31);
}

function countTrailingZeros(word: number): number {
  return word === 0 ? 32 : 31 - Math.clz32(word & -word);
}

/** Adds up ever wider fields of bits. */
function countOnes(word: number): number {
  const pairs = word - (word >>> 1 & 0x55555555);
  const nibbles = (pairs & 0x33333333) + (pairs >>> 2 & 0x33333333);
  return Math.imul(nibbles + (nibbles >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Sets every bit of each byte that is not zero. */
function fillBytes(word: number): number {
  const top = ((word & 0x7f7f7f7f) + 0x7f7f7f7f | word) & 0x80808080;
  return top | top - (top >>> 7);
}

function reverseBytes(word: number): number {
  return word << 24 | (word & 0xff00) << 8 | word >>> 8 & 0xff00 | word >>> 24;
}

/** The low half of 1 << n, for n from 0 to 63. */
const bitLo = (n: number): number => n < 32 ? 1 << n : 0;
/** The high half of the same. */
const bitHi = (n: number): number => n < 32 ? 0 : 1 << n;

function clearBit(h: Hart, insn: number, n: number): void {
  const a = at1(insn);
  set(h, insn, h.state[a] & ~bitLo(n), h.state[a + 1] & ~bitHi(n));
}

function extractBit(h: Hart, insn: number, n: number): void {
  set(h, insn, h.state[at1(insn) + (n >> 5)] >>> (n & 31) & 1, 0);
}

function invertBit(h: Hart, insn: number, n: number): void {
  const a = at1(insn);
  set(h, insn, h.state[a] ^ bitLo(n), h.state[a + 1] ^ bitHi(n));
}

function setBit(h: Hart, insn: number, n: number): void {
  const a = at1(insn);
  set(h, insn, h.state[a] | bitLo(n), h.state[a + 1] | bitHi(n));
}

/** Address generation, basic bit manipulation, single bits. */
export const BITMANIP: Semantics = {
  // Zba
  "add.uw"(h, insn) {
    const b = at2(insn);
    setSum(h, insn, h.state[at1(insn)], 0, h.state[b], h.state[b + 1]);
  },
  sh1add: (h, insn) => shiftAdd(h, insn, 1),
  sh2add: (h, insn) => shiftAdd(h, insn, 2),
  sh3add: (h, insn) => shiftAdd(h, insn, 3),
  "sh1add.uw": (h, insn) => setShiftedSum(h, insn, h.state[at1(insn)], 0, 1),
  "sh2add.uw": (h, insn) => setShiftedSum(h, insn, h.state[at1(insn)], 0, 2),
  "sh3add.uw": (h, insn) => setShiftedSum(h, insn, h.state[at1(insn)], 0, 3),
  "slli.uw": (h, insn) => setShiftedLeft(h, insn, h.state[at1(insn)], 0, shamt6(insn)),

  // Zbb
  andn(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    set(h, insn, x[a] & ~x[b], x[a + 1] & ~x[b + 1]);
  },
  orn(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    set(h, insn, x[a] | ~x[b], x[a + 1] | ~x[b + 1]);
  },
  xnor(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    set(h, insn, ~(x[a] ^ x[b]), ~(x[a + 1] ^ x[b + 1]));
  },
  clz(h, insn) {
    const a = at1(insn), hi = h.state[a + 1];
    set(h, insn, hi === 0 ? 32 + Math.clz32(h.state[a]) : Math.clz32(hi), 0);
  },
  clzw: (h, insn) => set(h, insn, Math.clz32(h.state[at1(insn)]), 0),
  ctz(h, insn) {
    const a = at1(insn), lo = h.state[a];
    set(h, insn, lo === 0 ? 32 + countTrailingZeros(h.state[a + 1]) : countTrailingZeros(lo), 0);
  },
  ctzw: (h, insn) => set(h, insn, countTrailingZeros(h.state[at1(insn)]), 0),
  cpop(h, insn) {
    const a = at1(insn);
    set(h, insn, countOnes(h.state[a]) + countOnes(h.state[a + 1]), 0);
  },
  cpopw: (h, insn) => set(h, insn, countOnes(h.state[at1(insn)]), 0),
  max(h, insn) {
    const a = at1(insn), b = at2(insn);
    copy(h, insn, isLess(h.state, a, b) ? b : a);
  },
  maxu(h, insn) {
    const a = at1(insn), b = at2(insn);
    copy(h, insn, isLessUnsigned(h.state, a, b) ? b : a);
  },
  min(h, insn) {
    const a = at1(insn), b = at2(insn);
    copy(h, insn, isLess(h.state, a, b) ? a : b);
  },
  minu(h, insn) {
    const a = at1(insn), b = at2(insn);
    copy(h, insn, isLessUnsigned(h.state, a, b) ? a : b);
  },
  "sext.b": (h, insn) => setWord(h, insn, h.state[at1(insn)] << 24 >> 24),
  "sext.h": (h, insn) => setWord(h, insn, h.state[at1(insn)] << 16 >> 16),
  "zext.h": (h, insn) => set(h, insn, h.state[at1(insn)] & 0xffff, 0),
  rol: (h, insn) => setRotated(h, insn, -h.state[at2(insn)] & 63),
  ror: (h, insn) => setRotated(h, insn, h.state[at2(insn)] & 63),
  rori: (h, insn) => setRotated(h, insn, shamt6(insn)),
  rolw: (h, insn) => setWord(h, insn, rotateWord(h.state[at1(insn)], -h.state[at2(insn)])),
  rorw: (h, insn) => setWord(h, insn, rotateWord(h.state[at1(insn)], h.state[at2(insn)])),
  roriw: (h, insn) => setWord(h, insn, rotateWord(h.state[at1(insn)], shamt5(insn))),
  "orc.b"(h, insn) {
    const a = at1(insn);
    set(h, insn, fillBytes(h.state[a]), fillBytes(h.state[a + 1]));
  },
  rev8(h, insn) {
    const a = at1(insn);
    set(h, insn, reverseBytes(h.state[a + 1]), reverseBytes(h.state[a]));
  },

  // Zbs
  bclr: (h, insn) => clearBit(h, insn, h.state[at2(insn)] & 63),
  bclri: (h, insn) => clearBit(h, insn, shamt6(insn)),
  bext: (h, insn) => extractBit(h, insn, h.state[at2(insn)] & 63),
  bexti: (h, insn) => extractBit(h, insn, shamt6(insn)),
  binv: (h, insn) => invertBit(h, insn, h.state[at2(insn)] & 63),
  binvi: (h, insn) => invertBit(h, insn, shamt6(insn)),
  bset: (h, insn) => setBit(h, insn, h.state[at2(insn)] & 63),
  bseti: (h, insn) => setBit(h, insn, shamt6(insn)),
};
