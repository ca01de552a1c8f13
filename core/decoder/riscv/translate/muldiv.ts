/** The M extension: multiplication and division (unprivileged specification, chapter 13). */
import {
  OP_AND64,
  OP_DIVS32,
  OP_DIVS64,
  OP_DIVU32,
  OP_DIVU64,
  OP_MUL32,
  OP_MUL64,
  OP_MULHS,
  OP_MULHU,
  OP_REMS32,
  OP_REMS64,
  OP_REMU32,
  OP_REMU64,
  OP_SAR64,
  OP_SUB64,
} from "../../../translator/ir.ts";
import { rd, rs1, rs2 } from "../decode.ts";
import type { Translation, Translations } from "./translation.ts";

function register(t: Translation, insn: number, op: number): void {
  if (rd(insn) === 0) return;
  t.setX(rd(insn), t.ir.bin(op, t.x(rs1(insn)), t.x(rs2(insn))));
}

function registerWord(t: Translation, insn: number, op: number): void {
  t.setW(rd(insn), t.ir.bin(op, t.x(rs1(insn)), t.x(rs2(insn))));
}

function mul(t: Translation, insn: number): void {
  register(t, insn, OP_MUL64);
}

function mulh(t: Translation, insn: number): void {
  register(t, insn, OP_MULHS);
}

/** Signed × unsigned: the unsigned product, less the multiplier where the multiplicand is negative. */
function mulhsu(t: Translation, insn: number): void {
  const { ir } = t;
  const a = t.x(rs1(insn)), b = t.x(rs2(insn));
  const correction = ir.bin(OP_AND64, ir.bin(OP_SAR64, a, ir.const(63)), b);
  t.setX(rd(insn), ir.bin(OP_SUB64, ir.bin(OP_MULHU, a, b), correction));
}

function mulhu(t: Translation, insn: number): void {
  register(t, insn, OP_MULHU);
}

function div(t: Translation, insn: number): void {
  register(t, insn, OP_DIVS64);
}

function divu(t: Translation, insn: number): void {
  register(t, insn, OP_DIVU64);
}

function rem(t: Translation, insn: number): void {
  register(t, insn, OP_REMS64);
}

function remu(t: Translation, insn: number): void {
  register(t, insn, OP_REMU64);
}

function mulw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_MUL32);
}

function divw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_DIVS32);
}

function divuw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_DIVU32);
}

function remw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_REMS32);
}

function remuw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_REMU32);
}

/** The M extension. */
export const MULDIV: Translations = {
  mul,
  mulh,
  mulhsu,
  mulhu,
  div,
  divu,
  rem,
  remu,
  mulw,
  divw,
  divuw,
  remw,
  remuw,
};
