/**
 * x86-64 machine code, byte by byte (Intel SDM vol. 2). Writes straight into executable memory; a position
 * is an offset into it. Operand order is Intel's: destination first. `w` is 1 for 64-bit operations, 0 for
 * 32-bit ones, which clear the upper half of their destination.
 */
import { RBP, RSP } from "./registers.ts";

// Group 1 operations: opcode = op * 8 + form; /op in the immediate forms
export const ALU_ADD = 0;
export const ALU_OR = 1;
export const ALU_AND = 4;
export const ALU_SUB = 5;
export const ALU_XOR = 6;
export const ALU_CMP = 7;

// Group 2 shifts
export const SHIFT_ROR = 1;
export const SHIFT_SHL = 4;
export const SHIFT_SHR = 5;
export const SHIFT_SAR = 7;

// VEX scalar operations (0F map)
export const V_SQRT = 0x51;
export const V_AND = 0x54;
export const V_ANDN = 0x55;
export const V_OR = 0x56;
export const V_XOR = 0x57;
export const V_ADD = 0x58;
export const V_MUL = 0x59;
export const V_SUB = 0x5c;
export const V_MIN = 0x5d;
export const V_DIV = 0x5e;
export const V_MAX = 0x5f;

/** VEX.pp values. */
export const PP_NONE = 0;
export const PP_66 = 1;
export const PP_F3 = 2;
export const PP_F2 = 3;

/** An assembler over one span of code memory. */
export class Assembler {
  /** Where the next byte goes. */
  pos = 0;
  /** Numbers are made integers for it even where they are: V8 then calls nothing to write them. */
  readonly #view: DataView;

  /**
   * @param bytes The code memory.
   * @param base Host address of its first byte (below 2^31).
   */
  constructor(readonly bytes: Uint8Array, readonly base: number) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Host address of the next byte. */
  get here(): number {
    return this.base + this.pos;
  }

  byte(b: number): void {
    this.bytes[this.pos++] = b;
  }

  int32(v: number): void {
    this.#view.setInt32(this.pos, v | 0, true);
    this.pos += 4;
  }

  /** Overwrites four bytes at an earlier position. */
  patch32(at: number, v: number): void {
    this.#view.setInt32(at, v | 0, true);
  }

  /** Writes what lies between two earlier positions once more: jumps to elsewhere have to be bound again. */
  repeat(from: number, to: number): void {
    const view = this.#view, by = this.pos - from;
    for (let at = from; at < to; at += 4) view.setInt32(at + by, view.getInt32(at, true), true);
    this.pos += to - from;
  }

  /** The low `count` bytes (at most four), in one store: the bytes behind them are yet to be written. */
  #put(v: number, count: number): void {
    this.#view.setInt32(this.pos, v | 0, true);
    this.pos += count;
  }

  #rex(w: number, reg: number, index: number, rm: number): void {
    const rex = 0x40 | (w << 3) | ((reg >> 1) & 4) | ((index >> 2) & 2) | (rm >> 3);
    if (rex !== 0x40) this.bytes[this.pos++] = rex;
  }

  /** Opcode and ModRM for two registers, with the REX prefix they need. */
  #registers(opcode: number, w: number, reg: number, rm: number): void {
    const rex = 0x40 | (w << 3) | ((reg >> 1) & 4) | (rm >> 3);
    const rest = opcode | (0xc0 | ((reg & 7) << 3) | (rm & 7)) << 8;
    if (rex === 0x40) this.#put(rest, 2);
    else this.#put(rex | rest << 8, 3);
  }

  /** The same for an operation on one register, and an immediate byte. */
  #registerImm8(opcode: number, w: number, op: number, rm: number, imm: number): void {
    const rex = 0x40 | (w << 3) | (rm >> 3);
    const rest = opcode | (0xc0 | (op << 3) | (rm & 7)) << 8 | (imm & 0xff) << 16;
    if (rex === 0x40) this.#put(rest, 3);
    else this.#put(rex | rest << 8, 4);
  }

  /** Opcode, ModRM (and SIB, displacement) for [base + disp], with the REX prefix they need. */
  #memory(opcode: number, w: number, reg: number, base: number, disp: number): void {
    const rex = 0x40 | (w << 3) | ((reg >> 1) & 4) | (base >> 3);
    const b = base & 7;
    if (b === RSP) {
      if (rex !== 0x40) this.byte(rex);
      this.byte(opcode);
      return this.#mem(reg, base, disp);
    }
    const short = disp >= -128 && disp <= 127;
    const mod = short ? disp === 0 && b !== RBP ? 0 : 0x40 : 0x80;
    let rest = opcode | (mod | ((reg & 7) << 3) | b) << 8 | (disp & 0xff) << 16;
    let count = mod === 0x40 ? 3 : 2;
    if (rex !== 0x40) {
      rest = rex | rest << 8;
      count++;
    }
    this.#put(rest, count);
    if (!short) this.int32(disp);
  }

  /** Opcode, ModRM, SIB, displacement for [base + (index << scale) + disp], with the REX prefix they need. */
  #indexed(
    opcode: number,
    w: number,
    reg: number,
    base: number,
    index: number,
    disp: number,
    scale = 0,
  ): void {
    const rex = 0x40 | (w << 3) | ((reg >> 1) & 4) | ((index >> 2) & 2) | (base >> 3);
    const short = disp >= -128 && disp <= 127;
    const mod = short ? disp === 0 && (base & 7) !== RBP ? 0 : 0x40 : 0x80;
    const rest = opcode | (mod | 4 | ((reg & 7) << 3)) << 8 |
      ((scale << 6) | ((index & 7) << 3) | (base & 7)) << 16;
    if (rex === 0x40) this.#put(rest, 3);
    else this.#put(rex | rest << 8, 4);
    if (!short) this.int32(disp);
    else if (mod !== 0) this.byte(disp);
  }

  /** ModRM (and SIB, displacement) for [base + disp]. */
  #mem(reg: number, base: number, disp: number): void {
    const r = (reg & 7) << 3, b = base & 7;
    if (disp === 0 && b !== RBP) {
      this.bytes[this.pos++] = r | b;
      if (b === RSP) this.bytes[this.pos++] = 0x24;
    } else if (disp >= -128 && disp <= 127) {
      this.bytes[this.pos++] = 0x40 | r | b;
      if (b === RSP) this.bytes[this.pos++] = 0x24;
      this.bytes[this.pos++] = disp;
    } else {
      this.bytes[this.pos++] = 0x80 | r | b;
      if (b === RSP) this.bytes[this.pos++] = 0x24;
      this.int32(disp);
    }
  }

  /** ModRM, SIB, displacement for [base + index + disp]. */
  #memIndex(reg: number, base: number, index: number, disp: number): void {
    const r = (reg & 7) << 3;
    const sib = ((index & 7) << 3) | (base & 7);
    if (disp === 0 && (base & 7) !== RBP) {
      this.bytes[this.pos++] = r | 4;
      this.bytes[this.pos++] = sib;
    } else if (disp >= -128 && disp <= 127) {
      this.bytes[this.pos++] = 0x44 | r;
      this.bytes[this.pos++] = sib;
      this.bytes[this.pos++] = disp;
    } else {
      this.bytes[this.pos++] = 0x84 | r;
      this.bytes[this.pos++] = sib;
      this.int32(disp);
    }
  }

  // ---- moves

  movRR(w: number, dst: number, src: number): void {
    this.#registers(0x89, w, src, dst);
  }

  /** Loads a constant the shortest way. */
  movImm(dst: number, lo: number, hi: number): void {
    if (hi === 0) {
      if (lo === 0) {
        this.#registers(0x31, 0, dst, dst);
        return;
      }
      this.#rex(0, 0, 0, dst);
      this.byte(0xb8 | (dst & 7));
      this.int32(lo);
    } else if (hi === lo >> 31) {
      this.#registers(0xc7, 1, 0, dst);
      this.int32(lo);
    } else {
      this.#rex(1, 0, 0, dst);
      this.byte(0xb8 | (dst & 7));
      this.int32(lo);
      this.int32(hi);
    }
  }

  /** Loads a constant without touching flags. */
  movImmKeepFlags(dst: number, lo: number, hi: number): void {
    if (hi === 0 && lo === 0) {
      this.#rex(0, 0, 0, dst);
      this.byte(0xb8 | (dst & 7));
      this.int32(0);
    } else this.movImm(dst, lo, hi);
  }

  load(w: number, dst: number, base: number, disp: number): void {
    this.#memory(0x8b, w, dst, base, disp);
  }

  store(w: number, base: number, disp: number, src: number): void {
    this.#memory(0x89, w, src, base, disp);
  }

  /** mov [base+disp], imm32 (sign-extended when w). */
  storeImm(w: number, base: number, disp: number, imm: number): void {
    this.#memory(0xc7, w, 0, base, disp);
    this.int32(imm);
  }

  lea(w: number, dst: number, base: number, disp: number): void {
    this.#memory(0x8d, w, dst, base, disp);
  }

  leaIndex(w: number, dst: number, base: number, index: number, disp: number): void {
    // Some bases need a displacement, and with three parts it takes longer.
    if (disp === 0 && (base & 7) === RBP) this.#indexed(0x8d, w, dst, index, base, disp);
    else this.#indexed(0x8d, w, dst, base, index, disp);
  }

  /** lea dst, [base + (index << scale)] */
  leaScaled(dst: number, base: number, index: number, scale: number): void {
    this.#indexed(0x8d, 1, dst, base, index, 0, scale);
  }

  loadIndex(w: number, dst: number, base: number, index: number, disp: number): void {
    this.#indexed(0x8b, w, dst, base, index, disp);
  }

  storeIndex(w: number, base: number, index: number, disp: number, src: number): void {
    this.#indexed(0x89, w, src, base, index, disp);
  }

  /**
   * Loads `size` bytes from [base + index + disp] (index -1: none) into a 64-bit register, zero- or
   * sign-extended.
   */
  loadSized(size: number, signed: boolean, dst: number, base: number, index: number, disp: number): void {
    const w = signed || size === 8 ? 1 : 0;
    if (size >= 4) {
      const opcode = size === 4 && signed ? 0x63 : 0x8b;
      if (index < 0) this.#memory(opcode, w, dst, base, disp);
      else this.#indexed(opcode, w, dst, base, index, disp);
      return;
    }
    this.#rex(w, dst, index < 0 ? 0 : index, base);
    this.byte(0x0f);
    this.byte((signed ? 0xbe : 0xb6) | (size >> 1));
    if (index < 0) this.#mem(dst, base, disp);
    else this.#memIndex(dst, base, index, disp);
  }

  /** Stores the low `size` bytes of a register at [base + index + disp] (index -1: none). */
  storeSized(size: number, base: number, index: number, disp: number, src: number): void {
    const w = size === 8 ? 1 : 0;
    if (size >= 4) {
      if (index < 0) this.#memory(0x89, w, src, base, disp);
      else this.#indexed(0x89, w, src, base, index, disp);
      return;
    }
    if (size === 2) this.byte(0x66);
    const rex = 0x40 | (w << 3) | ((src >> 1) & 4) | (index < 0 ? 0 : (index >> 2) & 2) | (base >> 3);
    // A byte register of 4..7 needs a REX prefix to mean spl..dil.
    if (rex !== 0x40 || (size === 1 && src >= 4)) this.byte(rex);
    this.byte(size === 1 ? 0x88 : 0x89);
    if (index < 0) this.#mem(src, base, disp);
    else this.#memIndex(src, base, index, disp);
  }

  /** Stores an immediate of `size` bytes (8: sign-extended) at [base + index + disp] (index -1: none). */
  storeSizedImm(size: number, base: number, index: number, disp: number, imm: number): void {
    if (size === 2) this.byte(0x66);
    this.#rex(size === 8 ? 1 : 0, 0, index < 0 ? 0 : index, base);
    this.byte(size === 1 ? 0xc6 : 0xc7);
    if (index < 0) this.#mem(0, base, disp);
    else this.#memIndex(0, base, index, disp);
    if (size === 1) this.byte(imm);
    else if (size === 2) {
      this.byte(imm);
      this.byte(imm >> 8);
    } else this.int32(imm);
  }

  // ---- integer arithmetic

  alu(op: number, w: number, dst: number, src: number): void {
    this.#registers((op << 3) | 1, w, src, dst);
  }

  aluImm(op: number, w: number, dst: number, imm: number): void {
    if (imm >= -128 && imm <= 127) this.#registerImm8(0x83, w, op, dst, imm);
    else {
      this.#registers(0x81, w, op, dst);
      this.int32(imm);
    }
  }

  /** op dst, [base + disp] */
  aluMem(op: number, w: number, dst: number, base: number, disp: number): void {
    this.#memory((op << 3) | 3, w, dst, base, disp);
  }

  /** op dst, [base + index + disp] */
  aluMemIndex(op: number, w: number, dst: number, base: number, index: number, disp: number): void {
    this.#indexed((op << 3) | 3, w, dst, base, index, disp);
  }

  /** op [base + disp], imm */
  aluMemImm(op: number, w: number, base: number, disp: number, imm: number): void {
    const short = imm >= -128 && imm <= 127;
    this.#memory(short ? 0x83 : 0x81, w, op, base, disp);
    if (short) this.byte(imm);
    else this.int32(imm);
  }

  /** op r32, [absolute 32-bit address] */
  aluAbsolute(op: number, dst: number, address: number): void {
    this.#rex(0, dst, 0, 0);
    this.byte((op << 3) | 3);
    this.byte(((dst & 7) << 3) | 4);
    this.byte(0x25);
    this.int32(address);
  }

  test(w: number, a: number, b: number): void {
    this.#registers(0x85, w, b, a);
  }

  shiftImm(op: number, w: number, dst: number, count: number): void {
    this.#registerImm8(0xc1, w, op, dst, count);
  }

  /** Rotates right by cl. */
  rorCl(w: number, dst: number): void {
    this.#rex(w, 0, 0, dst);
    this.byte(0xd3);
    this.byte(0xc0 | (SHIFT_ROR << 3) | (dst & 7));
  }

  /** shlx / shrx / sarx dst, src, count (BMI2): op is a SHIFT_* constant. */
  shiftX(op: number, w: number, dst: number, src: number, count: number): void {
    const pp = op === SHIFT_SHL ? PP_66 : op === SHIFT_SHR ? PP_F2 : PP_F3;
    this.#vex(2, pp, w, dst, count, 0, src);
    this.byte(0xf7);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
  }

  /** andn dst, a, b (BMI1): dst = ~a & b */
  andn(dst: number, a: number, b: number): void {
    this.#vex(2, PP_NONE, 1, dst, a, 0, b);
    this.byte(0xf2);
    this.byte(0xc0 | ((dst & 7) << 3) | (b & 7));
  }

  /** rorx dst, src, imm (BMI2) */
  rorx(w: number, dst: number, src: number, count: number): void {
    this.#vex(3, PP_F2, w, dst, 0, 0, src);
    this.byte(0xf0);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
    this.byte(count);
  }

  imul(w: number, dst: number, src: number): void {
    this.#rex(w, dst, 0, src);
    this.byte(0x0f);
    this.byte(0xaf);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
  }

  /** dst = src * value. */
  imulImm(w: number, dst: number, src: number, value: number): void {
    const short = value >= -128 && value <= 127;
    this.#rex(w, dst, 0, src);
    this.byte(short ? 0x6b : 0x69);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
    if (short) this.byte(value);
    else this.int32(value);
  }

  /** Group 3 on a register: 2 not, 3 neg, 4 mul, 5 imul, 6 div, 7 idiv (rdx:rax). */
  group3(op: number, w: number, reg: number): void {
    this.#rex(w, 0, 0, reg);
    this.byte(0xf7);
    this.byte(0xc0 | (op << 3) | (reg & 7));
  }

  /** Sign-extends rax into rdx (cqo / cdq). */
  cqo(w: number): void {
    if (w) this.byte(0x48);
    this.byte(0x99);
  }

  /** Copies a register's low byte; the others of `dst` stay. */
  movLowByte(dst: number, src: number): void {
    const rex = 0x40 | ((src >> 1) & 4) | (dst >> 3);
    if (rex !== 0x40 || src >= 4 || dst >= 4) this.byte(rex);
    this.byte(0x88);
    this.byte(0xc0 | ((src & 7) << 3) | (dst & 7));
  }

  /** movzx / movsx / movsxd from a register of 1, 2 or 4 bytes into a 64-bit one. */
  extend(size: number, signed: boolean, dst: number, src: number): void {
    if (size === 4) {
      if (!signed) return this.movRR(0, dst, src);
      this.#registers(0x63, 1, dst, src);
    } else {
      const w = signed ? 1 : 0;
      const rex = 0x40 | (w << 3) | ((dst >> 1) & 4) | (src >> 3);
      if (rex !== 0x40 || (size === 1 && src >= 4)) this.byte(rex);
      this.byte(0x0f);
      this.byte((signed ? 0xbe : 0xb6) | (size >> 1));
      this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
    }
  }

  /** lzcnt (0xbd), tzcnt (0xbc), popcnt (0xb8). */
  bitCount(opcode: number, w: number, dst: number, src: number): void {
    this.byte(0xf3);
    this.#rex(w, dst, 0, src);
    this.byte(0x0f);
    this.byte(opcode);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
  }

  bswap(w: number, reg: number): void {
    this.#rex(w, 0, 0, reg);
    this.byte(0x0f);
    this.byte(0xc8 | (reg & 7));
  }

  setcc(cc: number, dst: number): void {
    if (dst >= 4) this.byte(0x40 | (dst >> 3));
    this.byte(0x0f);
    this.byte(0x90 | cc);
    this.byte(0xc0 | (dst & 7));
  }

  cmov(cc: number, w: number, dst: number, src: number): void {
    this.#rex(w, dst, 0, src);
    this.byte(0x0f);
    this.byte(0x40 | cc);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
  }

  // ---- control flow

  /** jcc rel32 to be patched; returns the position of the displacement. */
  jcc(cc: number): number {
    this.#put(0x800f | cc << 8, 6);
    return this.pos - 4;
  }

  /** jcc rel8 to be patched with {@linkcode Assembler.bindShort}. */
  jccShort(cc: number): number {
    this.byte(0x70 | cc);
    return this.pos++;
  }

  jmpShort(): number {
    this.byte(0xeb);
    return this.pos++;
  }

  /** jmp rel32 to be patched; returns the position of the displacement. */
  jmp(): number {
    this.byte(0xe9);
    this.pos += 4;
    return this.pos - 4;
  }

  jmpTo(target: number): void {
    this.byte(0xe9);
    this.int32(target - (this.pos + 4));
  }

  jccTo(cc: number, target: number): void {
    this.#put(0x800f | cc << 8, 2);
    this.int32(target - (this.pos + 4));
  }

  callTo(target: number): void {
    this.byte(0xe8);
    this.int32(target - (this.pos + 4));
  }

  jmpReg(reg: number): void {
    this.#rex(0, 0, 0, reg);
    this.byte(0xff);
    this.byte(0xe0 | (reg & 7));
  }

  /** jmp [absolute 32-bit address] */
  jmpAbsolute(address: number): void {
    this.byte(0xff);
    this.byte(0x24);
    this.byte(0x25);
    this.int32(address);
  }

  /** jmp [base + disp] */
  jmpMem(base: number, disp: number): void {
    this.#rex(0, 0, 0, base);
    this.byte(0xff);
    this.#mem(4, base, disp);
  }

  callReg(reg: number): void {
    this.#rex(0, 0, 0, reg);
    this.byte(0xff);
    this.byte(0xd0 | (reg & 7));
  }

  /** Returns, dropping `bytes` of arguments. */
  ret(bytes = 0): void {
    if (bytes === 0) this.byte(0xc3);
    else this.#put(0xc2 | bytes << 8, 3);
  }

  pushImm(imm: number): void {
    this.byte(0x68);
    this.int32(imm);
  }

  push(reg: number): void {
    this.#rex(0, 0, 0, reg);
    this.byte(0x50 | (reg & 7));
  }

  pop(reg: number): void {
    this.#rex(0, 0, 0, reg);
    this.byte(0x58 | (reg & 7));
  }

  /** Makes the rel32 at position `at` lead to another one, here by default. */
  bind(at: number, target: number = this.pos): void {
    this.patch32(at, target - (at + 4));
  }

  /** Makes the rel8 at position `at` lead here. */
  bindShort(at: number): void {
    this.bytes[at] = this.pos - (at + 1);
  }

  // ---- floating point (VEX-encoded scalar SSE/AVX, FMA)

  /** Three-byte VEX prefix. map: 1 = 0F, 2 = 0F38, 3 = 0F3A. */
  #vex(map: number, pp: number, w: number, reg: number, vvvv: number, index: number, rm: number): void {
    this.byte(0xc4);
    this.byte(((reg >> 3) ^ 1) << 7 | ((index >> 3) ^ 1) << 6 | ((rm >> 3) ^ 1) << 5 | map);
    this.byte((w << 7) | ((vvvv ^ 15) << 3) | pp);
  }

  /** op dst, a, b in the 0F map. */
  vop(op: number, pp: number, dst: number, a: number, b: number): void {
    this.#vex(1, pp, 0, dst, a, 0, b);
    this.byte(op);
    this.byte(0xc0 | ((dst & 7) << 3) | (b & 7));
  }

  /** FMA3: opcode (…B9 = 231 add, …A9 = 213 add, and so on), double when w. */
  fma(opcode: number, w: number, dst: number, a: number, b: number): void {
    this.#vex(2, PP_66, w, dst, a, 0, b);
    this.byte(opcode);
    this.byte(0xc0 | ((dst & 7) << 3) | (b & 7));
  }

  /** vmovsd/vmovss dst, [base + index + disp] (index -1: none). Clears the rest of dst. */
  fload(size: number, dst: number, base: number, index: number, disp: number): void {
    this.#vex(1, size === 8 ? PP_F2 : PP_F3, 0, dst, 0, index < 0 ? 0 : index, base);
    this.byte(0x10);
    if (index < 0) this.#mem(dst, base, disp);
    else this.#memIndex(dst, base, index, disp);
  }

  fstore(size: number, base: number, index: number, disp: number, src: number): void {
    this.#vex(1, size === 8 ? PP_F2 : PP_F3, 0, src, 0, index < 0 ? 0 : index, base);
    this.byte(0x11);
    if (index < 0) this.#mem(src, base, disp);
    else this.#memIndex(src, base, index, disp);
  }

  /** vmovaps dst, src */
  fmov(dst: number, src: number): void {
    this.#vex(1, PP_NONE, 0, dst, 0, 0, src);
    this.byte(0x28);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
  }

  /** vmovq / vmovd xmm, r */
  movToXmm(w: number, dst: number, src: number): void {
    this.#vex(1, PP_66, w, dst, 0, 0, src);
    this.byte(0x6e);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
  }

  /** vmovq / vmovd r, xmm */
  movFromXmm(w: number, dst: number, src: number): void {
    this.#vex(1, PP_66, w, src, 0, 0, dst);
    this.byte(0x7e);
    this.byte(0xc0 | ((src & 7) << 3) | (dst & 7));
  }

  /** vucomisd/ss (quiet) or vcomisd/ss (signalling) a, b */
  ucomi(size: number, signalling: boolean, a: number, b: number): void {
    this.#vex(1, size === 8 ? PP_66 : PP_NONE, 0, a, 0, 0, b);
    this.byte(signalling ? 0x2f : 0x2e);
    this.byte(0xc0 | ((a & 7) << 3) | (b & 7));
  }

  /** vcvtsi2sd/ss xmm, xmm(upper), r */
  cvtFromInt(size: number, w: number, dst: number, src: number): void {
    this.#vex(1, size === 8 ? PP_F2 : PP_F3, w, dst, dst, 0, src);
    this.byte(0x2a);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
  }

  /** vcvt(t)sd2si / ss2si r, xmm */
  cvtToInt(size: number, truncate: boolean, w: number, dst: number, src: number): void {
    this.#vex(1, size === 8 ? PP_F2 : PP_F3, w, dst, 0, 0, src);
    this.byte(truncate ? 0x2c : 0x2d);
    this.byte(0xc0 | ((dst & 7) << 3) | (src & 7));
  }

  /** edx:eax = the time stamp counter. */
  rdtsc(): void {
    this.byte(0x0f);
    this.byte(0x31);
  }

  /** ldmxcsr (op 2) / stmxcsr (op 3) [base + disp] */
  mxcsr(op: number, base: number, disp: number): void {
    this.#rex(0, 0, 0, base);
    this.byte(0x0f);
    this.byte(0xae);
    this.#mem(op, base, disp);
  }
}
