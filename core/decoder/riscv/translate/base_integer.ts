/**
 * RV32I and RV64I (unprivileged specification, chapters 2 and 4), and Zihintpause.
 */
import {
  COND_EQ,
  COND_GE,
  COND_GEU,
  COND_LT,
  COND_LTU,
  COND_NE,
  OP_ADD32,
  OP_ADD64,
  OP_AND64,
  OP_OR64,
  OP_SAR32,
  OP_SAR64,
  OP_SHL32,
  OP_SHL64,
  OP_SHR32,
  OP_SHR64,
  OP_SUB32,
  OP_SUB64,
  OP_XOR64,
} from "../../../translator/ir.ts";
import { immB, immI, immJ, immS, immU, rd, rs1, rs2, shamt5, shamt6 } from "../decode.ts";
import type { Translation, Translations } from "./translation.ts";

// ---- upper immediates

function lui(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.const(immU(insn)));
}

function auipc(t: Translation, insn: number): void {
  t.setX(rd(insn), t.pcRelative(immU(insn)));
}

// ---- control transfer

function jal(t: Translation, insn: number): void {
  if (rd(insn) !== 0) t.setX(rd(insn), t.linkAddress());
  t.jump(immJ(insn));
}

function jalr(t: Translation, insn: number): void {
  const target = t.ir.bin(OP_AND64, t.ir.addImm(t.x(rs1(insn)), immI(insn)), t.ir.const(-2));
  if (rd(insn) !== 0) t.setX(rd(insn), t.linkAddress());
  t.jumpIndirect(target);
}

function branch(t: Translation, insn: number, cond: number): void {
  t.branch(cond, t.x(rs1(insn)), t.x(rs2(insn)), immB(insn));
}

function beq(t: Translation, insn: number): void {
  branch(t, insn, COND_EQ);
}

function bne(t: Translation, insn: number): void {
  branch(t, insn, COND_NE);
}

function blt(t: Translation, insn: number): void {
  branch(t, insn, COND_LT);
}

function bge(t: Translation, insn: number): void {
  branch(t, insn, COND_GE);
}

function bltu(t: Translation, insn: number): void {
  branch(t, insn, COND_LTU);
}

function bgeu(t: Translation, insn: number): void {
  branch(t, insn, COND_GEU);
}

// ---- loads and stores

function load(t: Translation, insn: number, size: number, signed: boolean): void {
  t.setX(rd(insn), t.ir.load(size, signed, t.x(rs1(insn)), immI(insn)));
}

function lb(t: Translation, insn: number): void {
  load(t, insn, 1, true);
}

function lh(t: Translation, insn: number): void {
  load(t, insn, 2, true);
}

function lw(t: Translation, insn: number): void {
  load(t, insn, 4, true);
}

function ld(t: Translation, insn: number): void {
  load(t, insn, 8, false);
}

function lbu(t: Translation, insn: number): void {
  load(t, insn, 1, false);
}

function lhu(t: Translation, insn: number): void {
  load(t, insn, 2, false);
}

function lwu(t: Translation, insn: number): void {
  load(t, insn, 4, false);
}

function store(t: Translation, insn: number, size: number): void {
  t.ir.store(size, t.x(rs1(insn)), immS(insn), t.x(rs2(insn)));
}

function sb(t: Translation, insn: number): void {
  store(t, insn, 1);
}

function sh(t: Translation, insn: number): void {
  store(t, insn, 2);
}

function sw(t: Translation, insn: number): void {
  store(t, insn, 4);
}

function sd(t: Translation, insn: number): void {
  store(t, insn, 8);
}

// ---- register-immediate

function immediate(t: Translation, insn: number, op: number): void {
  if (rd(insn) === 0) return;
  const imm = immI(insn);
  const a = t.x(rs1(insn));
  t.setX(rd(insn), imm === 0 && op === OP_ADD64 ? a : t.ir.bin(op, a, t.ir.const(imm)));
}

function shift(t: Translation, insn: number, op: number): void {
  if (rd(insn) === 0) return;
  t.setX(rd(insn), t.ir.bin(op, t.x(rs1(insn)), t.ir.const(shamt6(insn))));
}

function shiftWord(t: Translation, insn: number, op: number): void {
  t.setW(rd(insn), t.ir.bin(op, t.x(rs1(insn)), t.ir.const(shamt5(insn))));
}

function addi(t: Translation, insn: number): void {
  if (rs1(insn) === 0) t.setX(rd(insn), t.ir.const(immI(insn)));
  else immediate(t, insn, OP_ADD64);
}

function slti(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.setcc(COND_LT, t.x(rs1(insn)), t.ir.const(immI(insn))));
}

function sltiu(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.setcc(COND_LTU, t.x(rs1(insn)), t.ir.const(immI(insn))));
}

function xori(t: Translation, insn: number): void {
  immediate(t, insn, OP_XOR64);
}

function ori(t: Translation, insn: number): void {
  immediate(t, insn, OP_OR64);
}

function andi(t: Translation, insn: number): void {
  immediate(t, insn, OP_AND64);
}

function slli(t: Translation, insn: number): void {
  shift(t, insn, OP_SHL64);
}

function srli(t: Translation, insn: number): void {
  shift(t, insn, OP_SHR64);
}

function srai(t: Translation, insn: number): void {
  shift(t, insn, OP_SAR64);
}

function addiw(t: Translation, insn: number): void {
  const a = t.x(rs1(insn)), imm = immI(insn);
  t.setW(rd(insn), imm === 0 ? a : t.ir.bin(OP_ADD32, a, t.ir.const(imm)));
}

function slliw(t: Translation, insn: number): void {
  shiftWord(t, insn, OP_SHL32);
}

function srliw(t: Translation, insn: number): void {
  shiftWord(t, insn, OP_SHR32);
}

function sraiw(t: Translation, insn: number): void {
  shiftWord(t, insn, OP_SAR32);
}

// ---- register-register

function register(t: Translation, insn: number, op: number): void {
  if (rd(insn) === 0) return;
  t.setX(rd(insn), t.ir.bin(op, t.x(rs1(insn)), t.x(rs2(insn))));
}

function registerWord(t: Translation, insn: number, op: number): void {
  t.setW(rd(insn), t.ir.bin(op, t.x(rs1(insn)), t.x(rs2(insn))));
}

function add(t: Translation, insn: number): void {
  if (rs1(insn) === 0) t.setX(rd(insn), t.x(rs2(insn)));
  else register(t, insn, OP_ADD64);
}

function sub(t: Translation, insn: number): void {
  register(t, insn, OP_SUB64);
}

function sll(t: Translation, insn: number): void {
  register(t, insn, OP_SHL64);
}

function slt(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.setcc(COND_LT, t.x(rs1(insn)), t.x(rs2(insn))));
}

function sltu(t: Translation, insn: number): void {
  t.setX(rd(insn), t.ir.setcc(COND_LTU, t.x(rs1(insn)), t.x(rs2(insn))));
}

function xor(t: Translation, insn: number): void {
  register(t, insn, OP_XOR64);
}

function srl(t: Translation, insn: number): void {
  register(t, insn, OP_SHR64);
}

function sra(t: Translation, insn: number): void {
  register(t, insn, OP_SAR64);
}

function or(t: Translation, insn: number): void {
  register(t, insn, OP_OR64);
}

function and(t: Translation, insn: number): void {
  register(t, insn, OP_AND64);
}

function addw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_ADD32);
}

function subw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_SUB32);
}

function sllw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_SHL32);
}

function srlw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_SHR32);
}

function sraw(t: Translation, insn: number): void {
  registerWord(t, insn, OP_SAR32);
}

// ---- memory ordering

/** One vCPU runs at a time, in program order: nothing to order. */
function fence(_t: Translation, _insn: number): void {}

/** A hint to wait a little, which is done by having waited. */
function pause(_t: Translation, _insn: number): void {}

/** RV32I, RV64I and Zihintpause. */
export const BASE_INTEGER: Translations = {
  lui,
  auipc,
  jal,
  jalr,
  beq,
  bne,
  blt,
  bge,
  bltu,
  bgeu,
  lb,
  lh,
  lw,
  ld,
  lbu,
  lhu,
  lwu,
  sb,
  sh,
  sw,
  sd,
  addi,
  slti,
  sltiu,
  xori,
  ori,
  andi,
  slli,
  srli,
  srai,
  addiw,
  slliw,
  srliw,
  sraiw,
  add,
  sub,
  sll,
  slt,
  sltu,
  xor,
  srl,
  sra,
  or,
  and,
  addw,
  subw,
  sllw,
  srlw,
  sraw,
  fence,
  pause,
};
