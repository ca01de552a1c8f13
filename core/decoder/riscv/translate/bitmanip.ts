/** Zba, Zbb and Zbs: bit manipulation (unprivileged specification, chapter 28). */
import {
  COND_GE,
  COND_GEU,
  COND_LT,
  COND_LTU,
  OP_ADD64,
  OP_AND64,
  OP_BSWAP64,
  OP_CLZ32,
  OP_CLZ64,
  OP_CTZ32,
  OP_CTZ64,
  OP_OR64,
  OP_POPCNT32,
  OP_POPCNT64,
  OP_ROR32,
  OP_ROR64,
  OP_SEXT16,
  OP_SEXT8,
  OP_SHL64,
  OP_SHR64,
  OP_SUB64,
  OP_XOR64,
  OP_ZEXT16,
  OP_ZEXT32,
  type Value,
} from "../../../translator/ir.ts";
import { rd, rs1, rs2, shamt5, shamt6 } from "../decode.ts";
import type { Translation, Translations } from "./translation.ts";

// ---- Zba: address generation

/** rd = rs2 + (base << count). */
function shiftAdd(t: Translation, insn: number, base: Value, count: number): void {
  const shifted = t.ir.bin(OP_SHL64, base, t.ir.const(count));
  t.setX(rd(insn), t.ir.bin(OP_ADD64, shifted, t.x(rs2(insn))));
}

function unsignedWord(t: Translation, insn: number): Value {
  return t.ir.un(OP_ZEXT32, t.x(rs1(insn)));
}

function addUw(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_ADD64, unsignedWord(t, insn), t.x(rs2(insn))));
}

function sh1add(t: Translation, insn: number): void {
  shiftAdd(t, insn, t.x(rs1(insn)), 1);
}

function sh2add(t: Translation, insn: number): void {
  shiftAdd(t, insn, t.x(rs1(insn)), 2);
}

function sh3add(t: Translation, insn: number): void {
  shiftAdd(t, insn, t.x(rs1(insn)), 3);
}

function sh1addUw(t: Translation, insn: number): void {
  shiftAdd(t, insn, unsignedWord(t, insn), 1);
}

function sh2addUw(t: Translation, insn: number): void {
  shiftAdd(t, insn, unsignedWord(t, insn), 2);
}

function sh3addUw(t: Translation, insn: number): void {
  shiftAdd(t, insn, unsignedWord(t, insn), 3);
}

function slliUw(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_SHL64, unsignedWord(t, insn), t.ir.const(shamt6(insn))));
}

// ---- Zbb: basic bit manipulation

function not(t: Translation, value: Value): Value {
  return t.ir.bin(OP_XOR64, value, t.ir.const(-1));
}

function andn(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_AND64, t.x(rs1(insn)), not(t, t.x(rs2(insn)))));
}

function orn(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_OR64, t.x(rs1(insn)), not(t, t.x(rs2(insn)))));
}

function xnor(t: Translation, insn: number): void {
  t.setX(rd(insn), not(t, t.ir.bin(OP_XOR64, t.x(rs1(insn)), t.x(rs2(insn)))));
}

function unary(t: Translation, insn: number, op: number): void {
  t.setX(rd(insn), t.ir.un(op, t.x(rs1(insn))));
}

function clz(t: Translation, insn: number): void {
  unary(t, insn, OP_CLZ64);
}

function clzw(t: Translation, insn: number): void {
  unary(t, insn, OP_CLZ32);
}

function ctz(t: Translation, insn: number): void {
  unary(t, insn, OP_CTZ64);
}

function ctzw(t: Translation, insn: number): void {
  unary(t, insn, OP_CTZ32);
}

function cpop(t: Translation, insn: number): void {
  unary(t, insn, OP_POPCNT64);
}

function cpopw(t: Translation, insn: number): void {
  unary(t, insn, OP_POPCNT32);
}

function sextB(t: Translation, insn: number): void {
  unary(t, insn, OP_SEXT8);
}

function sextH(t: Translation, insn: number): void {
  unary(t, insn, OP_SEXT16);
}

function zextH(t: Translation, insn: number): void {
  unary(t, insn, OP_ZEXT16);
}

function rev8(t: Translation, insn: number): void {
  unary(t, insn, OP_BSWAP64);
}

/** rd = rs1 where `rs1 cond rs2`, else rs2. */
function choose(t: Translation, insn: number, cond: number): void {
  const a = t.x(rs1(insn)), b = t.x(rs2(insn));
  t.setX(rd(insn), t.ir.select(cond, a, b, a, b));
}

function max(t: Translation, insn: number): void {
  choose(t, insn, COND_GE);
}

function maxu(t: Translation, insn: number): void {
  choose(t, insn, COND_GEU);
}

function min(t: Translation, insn: number): void {
  choose(t, insn, COND_LT);
}

function minu(t: Translation, insn: number): void {
  choose(t, insn, COND_LTU);
}

/** Rotating left is rotating right by the negated count, as counts are modulo the width. */
function negatedCount(t: Translation, insn: number): Value {
  return t.ir.bin(OP_SUB64, t.ir.const(0), t.x(rs2(insn)));
}

function rol(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_ROR64, t.x(rs1(insn)), negatedCount(t, insn)));
}

function rolw(t: Translation, insn: number): void {
  t.setW(rd(insn), t.ir.bin(OP_ROR32, t.x(rs1(insn)), negatedCount(t, insn)));
}

function ror(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_ROR64, t.x(rs1(insn)), t.x(rs2(insn))));
}

function rorw(t: Translation, insn: number): void {
  t.setW(rd(insn), t.ir.bin(OP_ROR32, t.x(rs1(insn)), t.x(rs2(insn))));
}

function rori(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_ROR64, t.x(rs1(insn)), t.ir.const(shamt6(insn))));
}

function roriw(t: Translation, insn: number): void {
  t.setW(rd(insn), t.ir.bin(OP_ROR32, t.x(rs1(insn)), t.ir.const(shamt5(insn))));
}

/**
 * Each non-zero byte becomes 0xff: adding 0x7f to a byte's low seven bits carries into bit 7 unless they are
 * zero, which marks the non-zero bytes by their top bit; `(m << 1) - (m >> 7)` spreads each mark.
 */
function orcB(t: Translation, insn: number): void {
  const { ir } = t;
  const x = t.x(rs1(insn));
  const low = ir.const64(0x7f7f7f7f, 0x7f7f7f7f);
  const carried = ir.bin(OP_ADD64, ir.bin(OP_AND64, x, low), low);
  const marks = ir.bin(OP_AND64, ir.bin(OP_OR64, carried, x), ir.const64(0x80808080 | 0, 0x80808080 | 0));
  const shifted = ir.bin(OP_SHL64, marks, ir.const(1));
  t.setX(rd(insn), ir.bin(OP_SUB64, shifted, ir.bin(OP_SHR64, marks, ir.const(7))));
}

// ---- Zbs: single bits

/** The mask of the bit named by a count. */
function bit(t: Translation, count: Value): Value {
  return t.ir.bin(OP_SHL64, t.ir.const(1), count);
}

function clearBit(t: Translation, insn: number, count: Value): void {
  t.setX(rd(insn), t.ir.bin(OP_AND64, t.x(rs1(insn)), not(t, bit(t, count))));
}

function extractBit(t: Translation, insn: number, count: Value): void {
  t.setX(rd(insn), t.ir.bin(OP_AND64, t.ir.bin(OP_SHR64, t.x(rs1(insn)), count), t.ir.const(1)));
}

function bclr(t: Translation, insn: number): void {
  clearBit(t, insn, t.x(rs2(insn)));
}

function bclri(t: Translation, insn: number): void {
  clearBit(t, insn, t.ir.const(shamt6(insn)));
}

function bext(t: Translation, insn: number): void {
  extractBit(t, insn, t.x(rs2(insn)));
}

function bexti(t: Translation, insn: number): void {
  extractBit(t, insn, t.ir.const(shamt6(insn)));
}

function binv(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_XOR64, t.x(rs1(insn)), bit(t, t.x(rs2(insn)))));
}

function binvi(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_XOR64, t.x(rs1(insn)), bit(t, t.ir.const(shamt6(insn)))));
}

function bset(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_OR64, t.x(rs1(insn)), bit(t, t.x(rs2(insn)))));
}

function bseti(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.bin(OP_OR64, t.x(rs1(insn)), bit(t, t.ir.const(shamt6(insn)))));
}

/** Zba, Zbb and Zbs. */
export const BITMANIP: Translations = {
  "add.uw": addUw,
  sh1add,
  sh2add,
  sh3add,
  "sh1add.uw": sh1addUw,
  "sh2add.uw": sh2addUw,
  "sh3add.uw": sh3addUw,
  "slli.uw": slliUw,
  andn,
  orn,
  xnor,
  clz,
  clzw,
  ctz,
  ctzw,
  cpop,
  cpopw,
  "sext.b": sextB,
  "sext.h": sextH,
  "zext.h": zextH,
  rev8,
  max,
  maxu,
  min,
  minu,
  rol,
  rolw,
  ror,
  rorw,
  rori,
  roriw,
  "orc.b": orcB,
  bclr,
  bclri,
  bext,
  bexti,
  binv,
  binvi,
  bset,
  bseti,
};
