/** RV32I and RV64I: the base integer instructions (unprivileged specification, "RV32I" and "RV64I"). */
import { immB, immI, immJ, immU, shamt5, shamt6 } from "../decode.ts";
import type { Hart, Semantics } from "./hart_interface.ts";
import {
  at1,
  at2,
  isLess,
  isLessUnsigned,
  loadMem,
  set,
  setShiftedLeft,
  setSum,
  setWord,
  storeMem,
} from "./registers.ts";

/** Goes on at pc + displacement. */
function jump(h: Hart, displacement: number): void {
  const lo = (h.pcLo + displacement) | 0;
  h.nextHi = (h.pcHi + (displacement >> 31) + (lo >>> 0 < h.pcLo >>> 0 ? 1 : 0)) | 0;
  h.nextLo = lo;
}

function isEqual(x: Int32Array, a: number, b: number): boolean {
  return x[a] === x[b] && x[a + 1] === x[b + 1];
}

function setShiftedRight(h: Hart, insn: number, n: number): void {
  const a = at1(insn), lo = h.state[a], hi = h.state[a + 1];
  if (n === 0) set(h, insn, lo, hi);
  else if (n < 32) set(h, insn, lo >>> n | hi << (32 - n), hi >>> n);
  else set(h, insn, hi >>> (n - 32), 0);
}

function setShiftedRightSigned(h: Hart, insn: number, n: number): void {
  const a = at1(insn), lo = h.state[a], hi = h.state[a + 1];
  if (n === 0) set(h, insn, lo, hi);
  else if (n < 32) set(h, insn, lo >>> n | hi << (32 - n), hi >> n);
  else set(h, insn, hi >> (n - 32), hi >> 31);
}

/** Integer computation, jumps, loads and stores. */
export const BASE_INTEGER: Semantics = {
  // Integer computation with an immediate
  addi(h, insn) {
    const a = at1(insn), imm = immI(insn);
    setSum(h, insn, h.state[a], h.state[a + 1], imm, imm >> 31);
  },
  slti(h, insn) {
    const a = at1(insn), imm = immI(insn), hi = h.state[a + 1], immHi = imm >> 31;
    set(h, insn, hi < immHi || (hi === immHi && h.state[a] >>> 0 < imm >>> 0) ? 1 : 0, 0);
  },
  sltiu(h, insn) {
    const a = at1(insn), imm = immI(insn), hi = h.state[a + 1], immHi = imm >> 31;
    set(h, insn, hi >>> 0 < immHi >>> 0 || (hi === immHi && h.state[a] >>> 0 < imm >>> 0) ? 1 : 0, 0);
  },
  andi(h, insn) {
    const a = at1(insn), imm = immI(insn);
    set(h, insn, h.state[a] & imm, h.state[a + 1] & imm >> 31);
  },
  ori(h, insn) {
    const a = at1(insn), imm = immI(insn);
    set(h, insn, h.state[a] | imm, h.state[a + 1] | imm >> 31);
  },
  xori(h, insn) {
    const a = at1(insn), imm = immI(insn);
    set(h, insn, h.state[a] ^ imm, h.state[a + 1] ^ imm >> 31);
  },
  slli(h, insn) {
    const a = at1(insn);
    setShiftedLeft(h, insn, h.state[a], h.state[a + 1], shamt6(insn));
  },
  srli: (h, insn) => setShiftedRight(h, insn, shamt6(insn)),
  srai: (h, insn) => setShiftedRightSigned(h, insn, shamt6(insn)),
  lui: (h, insn) => setWord(h, insn, immU(insn)),
  auipc: (h, insn) => setSum(h, insn, h.pcLo, h.pcHi, immU(insn), insn >> 31),
  addiw: (h, insn) => setWord(h, insn, (h.state[at1(insn)] + immI(insn)) | 0),
  slliw: (h, insn) => setWord(h, insn, h.state[at1(insn)] << shamt5(insn)),
  srliw: (h, insn) => setWord(h, insn, (h.state[at1(insn)] >>> shamt5(insn)) | 0),
  sraiw: (h, insn) => setWord(h, insn, h.state[at1(insn)] >> shamt5(insn)),

  // Integer computation on registers
  add(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    setSum(h, insn, x[a], x[a + 1], x[b], x[b + 1]);
  },
  sub(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    set(h, insn, (x[a] - x[b]) | 0, (x[a + 1] - x[b + 1] - (x[a] >>> 0 < x[b] >>> 0 ? 1 : 0)) | 0);
  },
  slt: (h, insn) => set(h, insn, isLess(h.state, at1(insn), at2(insn)) ? 1 : 0, 0),
  sltu: (h, insn) => set(h, insn, isLessUnsigned(h.state, at1(insn), at2(insn)) ? 1 : 0, 0),
  and(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    set(h, insn, x[a] & x[b], x[a + 1] & x[b + 1]);
  },
  or(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    set(h, insn, x[a] | x[b], x[a + 1] | x[b + 1]);
  },
  xor(h, insn) {
    const x = h.state, a = at1(insn), b = at2(insn);
    set(h, insn, x[a] ^ x[b], x[a + 1] ^ x[b + 1]);
  },
  sll(h, insn) {
    const x = h.state, a = at1(insn);
    setShiftedLeft(h, insn, x[a], x[a + 1], x[at2(insn)] & 63);
  },
  srl: (h, insn) => setShiftedRight(h, insn, h.state[at2(insn)] & 63),
  sra: (h, insn) => setShiftedRightSigned(h, insn, h.state[at2(insn)] & 63),
  addw: (h, insn) => setWord(h, insn, (h.state[at1(insn)] + h.state[at2(insn)]) | 0),
  subw: (h, insn) => setWord(h, insn, (h.state[at1(insn)] - h.state[at2(insn)]) | 0),
  // JavaScript takes shift amounts modulo 32, as these do.
  sllw: (h, insn) => setWord(h, insn, h.state[at1(insn)] << h.state[at2(insn)]),
  srlw: (h, insn) => setWord(h, insn, (h.state[at1(insn)] >>> h.state[at2(insn)]) | 0),
  sraw: (h, insn) => setWord(h, insn, h.state[at1(insn)] >> h.state[at2(insn)]),

  // Control transfer
  jal(h, insn) {
    set(h, insn, h.nextLo, h.nextHi);
    jump(h, immJ(insn));
  },
  jalr(h, insn) {
    const a = at1(insn), imm = immI(insn), base = h.state[a];
    const lo = (base + imm) | 0;
    const hi = (h.state[a + 1] + (imm >> 31) + (lo >>> 0 < base >>> 0 ? 1 : 0)) | 0;
    set(h, insn, h.nextLo, h.nextHi);
    h.nextLo = lo & ~1;
    h.nextHi = hi;
  },
  beq(h, insn) {
    if (isEqual(h.state, at1(insn), at2(insn))) jump(h, immB(insn));
  },
  bne(h, insn) {
    if (!isEqual(h.state, at1(insn), at2(insn))) jump(h, immB(insn));
  },
  blt(h, insn) {
    if (isLess(h.state, at1(insn), at2(insn))) jump(h, immB(insn));
  },
  bge(h, insn) {
    if (!isLess(h.state, at1(insn), at2(insn))) jump(h, immB(insn));
  },
  bltu(h, insn) {
    if (isLessUnsigned(h.state, at1(insn), at2(insn))) jump(h, immB(insn));
  },
  bgeu(h, insn) {
    if (!isLessUnsigned(h.state, at1(insn), at2(insn))) jump(h, immB(insn));
  },

  // Loads and stores
  lb(h, insn) {
    if (loadMem(h, insn, 1)) setWord(h, insn, h.lo << 24 >> 24);
  },
  lh(h, insn) {
    if (loadMem(h, insn, 2)) setWord(h, insn, h.lo << 16 >> 16);
  },
  lw(h, insn) {
    if (loadMem(h, insn, 4)) setWord(h, insn, h.lo);
  },
  ld(h, insn) {
    if (loadMem(h, insn, 8)) set(h, insn, h.lo, h.hi);
  },
  lbu(h, insn) {
    if (loadMem(h, insn, 1)) set(h, insn, h.lo, 0);
  },
  lhu(h, insn) {
    if (loadMem(h, insn, 2)) set(h, insn, h.lo, 0);
  },
  lwu(h, insn) {
    if (loadMem(h, insn, 4)) set(h, insn, h.lo, 0);
  },
  sb: (h, insn) => storeMem(h, insn, 1, h.state[at2(insn)], 0),
  sh: (h, insn) => storeMem(h, insn, 2, h.state[at2(insn)], 0),
  sw: (h, insn) => storeMem(h, insn, 4, h.state[at2(insn)], 0),
  sd: (h, insn) => storeMem(h, insn, 8, h.state[at2(insn)], h.state[at2(insn) + 1]),
};
