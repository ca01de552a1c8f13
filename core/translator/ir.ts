/**
 * The intermediate representation: what a decoder says and a host backend turns into machine code. It
 * names no guest and no host.
 *
 * One {@linkcode Ir} describes one superblock: straight-line code with one entry and any number of side
 * exits, over SSA values. A value is the index of the op that made it. Ops live in parallel typed arrays
 * whose length is reset per block: no objects, no closures, no BigInt, because translation time is boot time.
 *
 *     insn k            guest instruction k starts here (pc known): exits inside it are precise
 *     v = get slot      8-byte slot of the state block (cached in registers within the block)
 *     set slot, v
 *     v = add64 a, b    ...
 *     v = load a+disp   may leave the block (TLB miss that is no plain RAM access): the interpreter then
 *                       executes the whole instruction instead
 *     jump pc / jumpInd v / interpret / leave   end the block
 *
 * Two rules keep state precise:
 * 1. Within one guest instruction, every `set` and every `store` comes after the last op that may leave
 *    the block (loads, translate, guards), except that a single store may itself be that last op.
 * 2. An op that leaves the block leaves it as if the instruction had not begun; the interpreter executes
 *    that instruction from its start.
 *
 * Integer values are 64 bits wide. `*32` ops use the low halves of their operands and zero-extend their
 * result. Comparisons give 0 or 1. FP values live in FP registers: a double, or a single in the low half
 * with the upper half unspecified.
 */

import { STATE_SLOTS } from "./layout.ts";

/** Nobody knows where the data are that an instruction reaches. */
export const REACHES_UNKNOWN = 0;
/** It was seen to reach data in the near span of the mirror (see STATE_NEAR_ADDEND) last. */
export const REACHES_NEAR = 1;
/** It was seen to reach data in the far span last. */
export const REACHES_FAR = 2;

/** A value: the index of the op that defines it. */
export type Value = number;

// Structure
/**
 * Start of a guest instruction. a = number of instructions of this block before it; lo/hi = its pc; b = REACHES_*:
 * where the data that it reaches, if any, are likely to be.
 */
export const OP_INSN = 1;
/** 64-bit constant lo/hi. */
export const OP_CONST = 2;
/** Reads state slot a (byte offset). */
export const OP_GET = 3;
/** Writes value b to state slot a. */
export const OP_SET = 4;

// Integer arithmetic: a, b values
export const OP_ADD64 = 10;
export const OP_SUB64 = 11;
export const OP_AND64 = 12;
export const OP_OR64 = 13;
export const OP_XOR64 = 14;
export const OP_ADD32 = 15;
export const OP_SUB32 = 16;
/** Shift counts are taken modulo 64 (modulo 32 for `*32`). */
export const OP_SHL64 = 17;
export const OP_SHR64 = 18;
export const OP_SAR64 = 19;
export const OP_SHL32 = 20;
export const OP_SHR32 = 21;
export const OP_SAR32 = 22;
export const OP_ROR64 = 23;
export const OP_ROR32 = 24;
export const OP_MUL64 = 25;
export const OP_MUL32 = 26;
/** High half of the 128-bit product: unsigned × unsigned. */
export const OP_MULHU = 27;
/** High half of the 128-bit product: signed × signed. */
export const OP_MULHS = 28;
/** Total division: x / 0 = all ones, x % 0 = x, MIN / -1 = MIN, MIN % -1 = 0. */
export const OP_DIVS64 = 29;
export const OP_DIVU64 = 30;
export const OP_REMS64 = 31;
export const OP_REMU64 = 32;
export const OP_DIVS32 = 33;
export const OP_DIVU32 = 34;
export const OP_REMS32 = 35;
export const OP_REMU32 = 36;

// Integer, one operand
export const OP_SEXT8 = 40;
export const OP_SEXT16 = 41;
export const OP_SEXT32 = 42;
export const OP_ZEXT8 = 43;
export const OP_ZEXT16 = 44;
export const OP_ZEXT32 = 45;
/** Leading zeros; 64 (32) for zero. */
export const OP_CLZ64 = 46;
export const OP_CLZ32 = 47;
/** Trailing zeros; 64 (32) for zero. */
export const OP_CTZ64 = 48;
export const OP_CTZ32 = 49;
export const OP_POPCNT64 = 50;
export const OP_POPCNT32 = 51;
/** Reverses the eight bytes. */
export const OP_BSWAP64 = 52;

// Two operations in one
/** a + (b << c), c in 1..3. */
export const OP_ADD_SHIFTED = 53;
/** a & ~b. */
export const OP_ANDN64 = 54;

// Comparison and selection. c = a condition (COND_*)
/** 1 if `a cond b` else 0. */
export const OP_SETCC = 60;
/** `a cond b ? d : lo` where d and lo are values (lo holds a value index). */
export const OP_SELECT = 61;

export const COND_EQ = 0;
export const COND_NE = 1;
/** Signed less than. */
export const COND_LT = 2;
/** Signed greater or equal. */
export const COND_GE = 3;
/** Unsigned less than. */
export const COND_LTU = 4;
/** Unsigned greater or equal. */
export const COND_GEU = 5;

// Guest memory through the TLB of the context's MMU index. a = base value, lo = displacement (int32)
/** c = size in bytes (1, 2, 4, 8) | 16 when sign-extended to 64 bits. */
export const OP_LOAD = 70;
/** b = value; c = size. */
export const OP_STORE = 71;
/** FP load: c = 4 or 8. */
export const OP_FLOAD = 72;
/** FP store: b = FP value; c = 4 or 8. */
export const OP_FSTORE = 73;
/**
 * The host address of guest address a + lo, checked for a store of c bytes (hence for loads too): for
 * read-modify-write instructions, with OP_HOST_LOAD and OP_HOST_STORE. Must be naturally aligned by a guard.
 */
export const OP_TRANSLATE_STORE = 74;
/** Loads c bytes (| 16 sign-extends) from host address a + lo. Never faults. */
export const OP_HOST_LOAD = 75;
/** Stores the low c bytes of b at host address a + lo. Never faults. */
export const OP_HOST_STORE = 76;
/** Host address of state offset lo. */
export const OP_STATE_ADDRESS = 77;
/** Guest time in ns at the start of the current instruction. */
export const OP_TIME = 78;

/** FP flags accrued in the host's control word: NV 16, DZ 8, OF 4, UF 2, NX 1. */
export const OP_FP_FLAGS = 79;
/** Clears the FP flags in the host's control word. */
export const OP_CLEAR_FP_FLAGS = 80;

// What a backend makes of memory accesses in a loop whose pages it has checked for several rounds: they never
// leave. hi = the number of the stream that knows the page.
export const OP_STREAM_LOAD = 81;
export const OP_STREAM_STORE = 82;
export const OP_STREAM_FLOAD = 83;
export const OP_STREAM_FSTORE = 84;

/**
 * If `a cond(c) b`: d of the instructions before this point were not executed after all, although their ops were:
 * they count for nothing. Everything later in the block takes that into account.
 */
export const OP_REFUND_IF = 85;

// Leaving the block
/** If `a cond(c) b`: jump to guest pc lo/hi, which runs in the same context. */
export const OP_BRANCH = 90;
/** If `a cond(c) b`: leave, and let the interpreter execute the current instruction. */
export const OP_INTERPRET_IF = 91;
/** End of block: the interpreter executes the current instruction. */
export const OP_INTERPRET = 92;
/** End of block: jump to guest pc lo/hi, same context. The current instruction is complete. */
export const OP_JUMP = 93;
/** End of block: jump to the guest pc in value a, same context. The current instruction is complete. */
export const OP_JUMP_IND = 94;
/**
 * End of block: like OP_JUMP / OP_JUMP_IND (a ≥ 0: the pc is value a; else lo/hi), but the context becomes c.
 */
export const OP_JUMP_CONTEXT = 95;
/** If the guest pc in value a is not lo/hi: jump to it, same context. The current instruction is complete. */
export const OP_EXIT_UNLESS_PC = 97;
/** End of block, and back to the run loop at pc lo/hi: interrupts and deadlines are looked at anew. */
export const OP_LEAVE = 96;

// Control flow inside a stub (a helper written in IR, such as a page walk). No value crosses a label.
/** Label number a. */
export const OP_LABEL = 100;
/** Goto label a. */
export const OP_GOTO = 101;
/** If `a cond(c) b` goto label lo. */
export const OP_GOTO_IF = 102;
/** Returns value a from the stub. */
export const OP_RETURN = 103;

// Floating point. d = 4 (single) or 8 (double): the format of the operation
export const OP_FGET = 120; // a = slot: the 64 bits
export const OP_FSET = 121; // a = slot, b = FP value, d = 8; d = 4 writes the single with an upper half of ones
/** Takes the double-width value a as a single; leaves to the interpreter unless its upper half is ones. */
export const OP_FUNBOX = 122;
/** A single a as 64 bits with an upper half of ones. */
export const OP_FBOX = 123;
export const OP_FADD = 124;
export const OP_FSUB = 125;
export const OP_FMUL = 126;
export const OP_FDIV = 127;
export const OP_FSQRT = 128;
/** a*b + c with one rounding; -(a*b) and -c variants. c = value. Leaves to the interpreter when the result is NaN. */
export const OP_FMADD = 129;
export const OP_FMSUB = 130; // a*b - c
export const OP_FNMSUB = 131; // -(a*b) + c
export const OP_FNMADD = 132; // -(a*b) - c
/** Any NaN becomes the positive quiet NaN with an empty payload. */
export const OP_FCANON = 133;
/** IEEE 754-2019 minimumNumber / maximumNumber; leaves to the interpreter when an operand is NaN. */
export const OP_FMIN = 134;
export const OP_FMAX = 135;
/** Quiet equality: 0 or 1. */
export const OP_FEQ = 136;
/** Signalling a < b, a <= b: 0 or 1; a NaN raises invalid. */
export const OP_FLT = 137;
export const OP_FLE = 138;
/** Like OP_FLT and OP_FLE, but leave to the interpreter when an operand is NaN: they raise nothing. */
export const OP_FLT_QUIET = 148;
export const OP_FLE_QUIET = 149;
/** Sign of b with magnitude of a; inverted sign of b; xor of both signs. */
export const OP_FSGNJ = 139;
export const OP_FSGNJN = 140;
export const OP_FSGNJX = 141;
/** Integer to FP, current rounding: c = I2F_*. */
export const OP_I2F = 142;
/** FP to integer: c = F2I_* (| F2I_TRUNCATE); leaves to the interpreter when out of range. Sign-extends 32-bit results. */
export const OP_F2I = 143;
/** Double a to single. */
export const OP_F64_TO_F32 = 144;
/** Single a to double. */
export const OP_F32_TO_F64 = 145;
/** The bits of FP value a as an integer: d = 8 all, d = 4 low half sign-extended. */
export const OP_F_BITS = 146;
/** The low d bytes of integer a as an FP value. */
export const OP_BITS_F = 147;

export const I2F_S32 = 0;
export const I2F_U32 = 1;
export const I2F_S64 = 2;
export const I2F_U64 = 3;
/** Added to an I2F_* code to name the same integer format in OP_F2I with rounding toward zero. */
export const F2I_TRUNCATE = 4;

/** Most ops one block may have. */
export const IR_CAPACITY = 2048;
/** How many ops an addition is looked for among. */
const ADDITIONS_REMEMBERED = 96;
/** A decoder ends its block when fewer ops than this are free: no instruction needs more. */
export const IR_HEADROOM = 96;

/** 1 for two-operand ops that look only at the low halves of their operands. */
const IS_32 = new Uint8Array(256);
for (const op of [OP_ADD32, OP_SUB32, OP_SHL32, OP_SHR32, OP_SAR32, OP_ROR32, OP_MUL32]) IS_32[op] = 1;
for (let op = OP_DIVS32; op <= OP_REMU32; op++) IS_32[op] = 1;

/** A block under construction, and the builder decoders write to. Reused for every block. */
export class Ir {
  readonly op: Uint16Array = new Uint16Array(IR_CAPACITY);
  readonly a: Int32Array = new Int32Array(IR_CAPACITY);
  readonly b: Int32Array = new Int32Array(IR_CAPACITY);
  readonly c: Int32Array = new Int32Array(IR_CAPACITY);
  readonly d: Int32Array = new Int32Array(IR_CAPACITY);
  readonly lo: Int32Array = new Int32Array(IR_CAPACITY);
  readonly hi: Int32Array = new Int32Array(IR_CAPACITY);
  /** Ops in use. */
  length = 0;
  /** The ops that access guest memory, in order. */
  readonly accesses: Int16Array = new Int16Array(IR_CAPACITY);
  /** How many of them there are. */
  accessCount = 0;
  /** How many OP_SETCC the block has. */
  comparisons = 0;
  /** Guest instructions in the block so far. */
  instructions = 0;
  /** Whether a terminating op was emitted. */
  ended = false;
  /** In a stub, gets and sets go straight to memory and no value is remembered across ops. */
  stub = false;
  /** Labels handed out so far (stubs only). */
  labels = 0;
  /** Whether the block follows a trace, so that it pays to look twice at it. */
  traced = false;
  /** Context the block is translated for; its low two bits are the MMU index. */
  context = 0;
  // Value that slot i holds at this point of the block, +1; 0 = not known. Valid if stamped this block.
  readonly #slotValue = new Int32Array(STATE_SLOTS);
  /** Slots that are taken to hold sign extensions of 32-bit numbers when the block is entered. */
  readonly assumed: number[] = [];
  /** Those of them of which something was made. */
  readonly relied: number[] = [];
  readonly #slotStamp = new Int32Array(STATE_SLOTS);
  #stamp = 0;

  /** Starts a new block. */
  begin(context: number, stub = false): void {
    this.length = this.accessCount = this.comparisons = 0;
    this.instructions = 0;
    this.ended = false;
    this.stub = stub;
    this.labels = 0;
    this.context = context;
    // Hosts take their time to set an array's length.
    if (this.assumed.length > 0) this.assumed.length = 0;
    if (this.relied.length > 0) this.relied.length = 0;
    this.traced = false;
    this.#stamp = (this.#stamp + 1) | 0;
  }

  /**
   * Lets a new block take it that slots hold sign extensions of 32-bit numbers when it is entered. The backend
   * checks that where the block is entered from outside.
   */
  assumeSigned(slots: readonly number[]): void {
    this.assumed.push(...slots);
  }

  /** Appends an op. */
  emit(op: number, a = 0, b = 0, c = 0, d = 0, lo = 0, hi = 0): Value {
    const i = this.length++;
    this.op[i] = op;
    this.a[i] = a;
    this.b[i] = b;
    this.c[i] = c;
    this.d[i] = d;
    this.lo[i] = lo;
    this.hi[i] = hi;
    return i;
  }

  /** The same for an op of which nothing but a, b and c is ever read. */
  #emitShort(op: number, a: number, b: number, c = 0): Value {
    const i = this.length++;
    this.op[i] = op;
    this.a[i] = a;
    this.b[i] = b;
    this.c[i] = c;
    return i;
  }

  /** Marks the start of the next guest instruction at the given pc. */
  insn(pcLo: number, pcHi: number, reach = REACHES_UNKNOWN): void {
    const i = this.#emitShort(OP_INSN, this.instructions++, reach);
    this.lo[i] = pcLo;
    this.hi[i] = pcHi;
  }

  /** Whether there is room for another guest instruction, or for several. */
  hasRoom(instructions = 1): boolean {
    return this.length < IR_CAPACITY - instructions * IR_HEADROOM;
  }

  /** Whether the block has an op of a kind. */
  has(op: number): boolean {
    return this.op.subarray(0, this.length).includes(op);
  }

  // ---- values

  /** A constant from a sign-extended 32-bit integer. */
  const(value: number): Value {
    return this.const64(value, value < 0 ? -1 : 0);
  }

  /** A constant from two halves. */
  const64(lo: number, hi: number): Value {
    const i = this.length++;
    this.op[i] = OP_CONST;
    this.lo[i] = lo;
    this.hi[i] = hi;
    return i;
  }

  /** The 64-bit integer in a state slot. */
  get(slot: number): Value {
    if (this.stub) return this.emit(OP_GET, slot);
    const s = slot >> 3;
    if (this.#slotStamp[s] === this.#stamp) return this.#slotValue[s];
    const v = this.#emitShort(OP_GET, slot, 0);
    this.#slotStamp[s] = this.#stamp;
    this.#slotValue[s] = v;
    return v;
  }

  /** Sets a state slot to a 64-bit integer. */
  set(slot: number, value: Value): void {
    this.#emitShort(OP_SET, slot, value);
    if (this.stub) return;
    const s = slot >> 3;
    this.#slotStamp[s] = this.#stamp;
    this.#slotValue[s] = value;
  }

  /** Whether a value is a constant that is the sign extension of its low half. */
  isConst32(v: Value): boolean {
    return this.op[v] === OP_CONST && this.hi[v] === this.lo[v] >> 31;
  }

  /** Whether a value is the constant zero. */
  isZero(v: Value): boolean {
    return this.op[v] === OP_CONST && this.lo[v] === 0 && this.hi[v] === 0;
  }

  /** What gives the same low half as v, without the extension that may have been put on top. */
  #low(v: Value): Value {
    const op = this.op[v];
    return op === OP_SEXT32 || op === OP_ZEXT32 ? this.a[v] : v;
  }

  /**
   * Any two-operand integer op. Constants are folded where that is cheap and common; sign extensions move
   * towards the results, where many turn out to be dead; shifts that make up a rotation become one.
   */
  bin(op: number, a: Value, b: Value): Value {
    if (IS_32[op] !== 0) {
      a = this.#low(a);
      b = this.#low(b);
    } else if (
      op >= OP_AND64 && op <= OP_XOR64 && (this.op[a] === OP_SEXT32 || this.op[b] === OP_SEXT32) &&
      this.isSigned32(a) && this.isSigned32(b)
    ) {
      // Logic on sign extensions is the sign extension of the logic.
      const x = this.#low(a), y = this.#low(b);
      if (op !== OP_AND64) {
        const rotation = this.#rotation(OP_SHL32, OP_SHR32, OP_ROR32, 32, x, y);
        if (rotation >= 0) return this.emit(OP_SEXT32, rotation);
      }
      return this.emit(OP_SEXT32, this.emit(op, x, y));
    } else if (op === OP_OR64 || op === OP_XOR64) {
      const rotation = this.#rotation(OP_SHL64, OP_SHR64, OP_ROR64, 64, a, b);
      if (rotation >= 0) return rotation;
    } else if (op === OP_ADD64) {
      if (this.#isSmallShift(b)) return this.#addShifted(a, b);
      if (this.#isSmallShift(a)) return this.#addShifted(b, a);
    } else if (op === OP_AND64) {
      if (this.#isNot(b)) return this.emit(OP_ANDN64, a, this.a[b]);
      if (this.#isNot(a)) return this.emit(OP_ANDN64, b, this.a[a]);
    }
    if ((op === OP_SHR64 || op === OP_SAR64) && this.op[a] === OP_SHL64) {
      const extension = this.#extension(op, a, b);
      if (extension >= 0) return extension;
    }
    if (this.op[b] === OP_CONST) {
      const lo = this.lo[b], hi = this.hi[b];
      if (this.op[a] === OP_CONST) {
        const alo = this.lo[a], ahi = this.hi[a];
        switch (op) {
          case OP_ADD64: {
            const sum = (alo >>> 0) + (lo >>> 0);
            return this.const64(sum | 0, (ahi + hi + (sum > 0xffffffff ? 1 : 0)) | 0);
          }
          case OP_AND64:
            return this.const64(alo & lo, ahi & hi);
          case OP_OR64:
            return this.const64(alo | lo, ahi | hi);
          case OP_XOR64:
            return this.const64(alo ^ lo, ahi ^ hi);
          case OP_ADD32:
            return this.const64((alo + lo) | 0, 0);
          case OP_SHL64: {
            const n = lo & 63;
            if (n === 0) return a;
            if (n >= 32) return this.const64(0, alo << (n - 32));
            return this.const64(alo << n, (ahi << n) | (alo >>> (32 - n)));
          }
        }
      } else if (lo === 0 && hi === 0) {
        switch (op) {
          case OP_ADD64:
          case OP_SUB64:
          case OP_OR64:
          case OP_XOR64:
          case OP_SHL64:
          case OP_SHR64:
          case OP_SAR64:
          case OP_ROR64:
            return a;
        }
      }
    } else if (op === OP_ADD64 && this.isZero(a)) return b;
    return op === OP_ADD64 ? this.#add(op, a, b) : this.#emitShort(op, a, b);
  }

  /** Whether a value is another one shifted left by 1, 2 or 3. */
  #isSmallShift(v: Value): boolean {
    const by = this.b[v];
    return this.op[v] === OP_SHL64 && this.op[by] === OP_CONST && (this.lo[by] & 63) <= 3;
  }

  #addShifted(a: Value, shifted: Value): Value {
    const by = this.lo[this.b[shifted]] & 63;
    return this.#add(OP_ADD_SHIFTED, a, this.a[shifted], by);
  }

  /** Whether a value is the complement of another one. */
  #isNot(v: Value): boolean {
    const mask = this.b[v];
    return this.op[v] === OP_XOR64 && this.isConst32(mask) && this.lo[mask] === -1;
  }

  /** Emits an addition, or finds it among the last ops: traces compute the same addresses over and over. */
  #add(op: number, a: Value, b: Value, c = 0): Value {
    for (let i = this.length - 1; this.traced && i >= 0 && i > this.length - ADDITIONS_REMEMBERED; i--) {
      if (this.op[i] === op && this.a[i] === a && this.#same(this.b[i], b) && this.c[i] === c) return i;
    }
    return this.#emitShort(op, a, b, c);
  }

  /** Whether two values are the same one or equal constants. */
  #same(v: Value, w: Value): boolean {
    return v === w || this.op[v] === OP_CONST && this.op[w] === OP_CONST && this.lo[v] === this.lo[w] &&
        this.hi[v] === this.hi[w];
  }

  /** The rotation that shifting one value left and right and combining both makes, or -1. */
  #rotation(left: number, right: number, rotate: number, bits: number, x: Value, y: Value): Value {
    if (this.op[x] === right) {
      const t = x;
      x = y;
      y = t;
    }
    if (this.op[x] !== left || this.op[y] !== right || this.a[x] !== this.a[y]) return -1;
    const l = this.b[x], r = this.b[y];
    if (this.op[l] !== OP_CONST || this.op[r] !== OP_CONST) return -1;
    const leftBits = this.lo[l] & (bits - 1), rightBits = this.lo[r] & (bits - 1);
    if (leftBits + rightBits !== bits || leftBits === 0) return -1;
    return this.emit(rotate, this.a[x], r);
  }

  /**
   * The extension that shifting left and back to the right makes, or -1: how compilers write those that have no
   * instruction. Right by a little less, it makes an index that is scaled.
   */
  #extension(op: number, shifted: Value, by: Value): Value {
    const l = this.b[shifted];
    if (this.op[l] !== OP_CONST || this.op[by] !== OP_CONST) return -1;
    const v = this.a[shifted], left = this.lo[l] & 63, right = this.lo[by] & 63, isSigned = op === OP_SAR64;
    if (left === right) {
      if (left === 56) return this.un(isSigned ? OP_SEXT8 : OP_ZEXT8, v);
      if (left === 48) return this.un(isSigned ? OP_SEXT16 : OP_ZEXT16, v);
      if (left === 32) return this.un(isSigned ? OP_SEXT32 : OP_ZEXT32, v);
    }
    if (isSigned || left !== 32 || right < 29 || right > 31) return -1;
    return this.bin(OP_SHL64, this.un(OP_ZEXT32, v), this.const(32 - right));
  }

  /** Any one-operand integer op. */
  un(op: number, a: Value): Value {
    if (op === OP_SEXT32) {
      const inner = this.op[a];
      if (inner === OP_CONST) return this.const(this.lo[a]);
      if (inner === OP_ZEXT32) a = this.a[a];
      if (this.isSigned32(a)) return a;
    }
    return this.#emitShort(op, a, 0);
  }

  /**
   * Whether a value is known to be the sign extension of its low half; looks `depth` logical operations deep.
   * Slots that this relies on an assumption about are added to `relied`.
   */
  isSigned32(v: Value, depth = 3, relied: number[] = this.relied): boolean {
    switch (this.op[v]) {
      case OP_GET: {
        const slot = this.a[v];
        if (this.assumed.length === 0 || !this.assumed.includes(slot)) return false;
        if (!relied.includes(slot)) relied.push(slot);
        return true;
      }
      case OP_AND64:
      case OP_OR64:
      case OP_XOR64:
      case OP_ANDN64:
        return depth > 0 && this.isSigned32(this.a[v], depth - 1, relied) &&
          this.isSigned32(this.b[v], depth - 1, relied);
      case OP_SEXT8:
      case OP_SEXT16:
      case OP_SEXT32:
      case OP_ZEXT8:
      case OP_ZEXT16:
      case OP_SETCC:
        return true;
      case OP_CONST:
        return this.isConst32(v);
      case OP_LOAD:
        return this.c[v] === 1 || this.c[v] === 2 || (this.c[v] > 16 && this.c[v] < (16 | 8));
      case OP_SHR32:
        return this.op[this.b[v]] === OP_CONST && (this.lo[this.b[v]] & 31) !== 0;
    }
    return false;
  }

  /** `a + imm` (64 bits, imm sign-extended). */
  addImm(a: Value, imm: number): Value {
    return imm === 0 ? a : this.bin(OP_ADD64, a, this.const(imm));
  }

  /** 1 if `a cond b` else 0. */
  setcc(cond: number, a: Value, b: Value): Value {
    this.comparisons++;
    return this.#emitShort(OP_SETCC, a, b, cond);
  }

  /** `a cond b ? x : y`. */
  select(cond: number, a: Value, b: Value, x: Value, y: Value): Value {
    return this.emit(OP_SELECT, a, b, cond, x, y);
  }

  // ---- memory

  #access(op: number, a: Value, b: number, c: number, d: number, disp: number): Value {
    this.accesses[this.accessCount++] = this.length;
    return this.emit(op, a, b, c, d, disp);
  }

  /** Loads from guest memory at base + disp. */
  load(size: number, signed: boolean, base: Value, disp: number): Value {
    return this.#access(OP_LOAD, base, 0, size | (signed ? 16 : 0), 0, disp);
  }

  /** Stores the low bytes of a value to guest memory at base + disp. */
  store(size: number, base: Value, disp: number, value: Value): void {
    this.#access(OP_STORE, base, value, size, 0, disp);
  }

  /** Loads an FP value (4 or 8 bytes). */
  fload(size: number, base: Value, disp: number): Value {
    return this.#access(OP_FLOAD, base, 0, size, size, disp);
  }

  /** Stores an FP value (4 or 8 bytes). */
  fstore(size: number, base: Value, disp: number, value: Value): void {
    this.#access(OP_FSTORE, base, value, size, size, disp);
  }

  /** Host address of a + disp, checked for a store of `size` bytes. */
  translateStore(size: number, base: Value, disp: number): Value {
    return this.#access(OP_TRANSLATE_STORE, base, 0, size, 0, disp);
  }

  /** Loads from a host address. */
  hostLoad(size: number, signed: boolean, address: Value, disp: number): Value {
    return this.emit(OP_HOST_LOAD, address, 0, size | (signed ? 16 : 0), 0, disp);
  }

  /** Stores to a host address. */
  hostStore(size: number, address: Value, disp: number, value: Value): void {
    this.emit(OP_HOST_STORE, address, value, size, 0, disp);
  }

  // ---- control

  /** If `a cond b`, the last so many instructions count as not executed. */
  refundIf(cond: number, a: Value, b: Value, instructions: number): void {
    this.emit(OP_REFUND_IF, a, b, cond, instructions);
  }

  /** Side exit to a guest pc in the same context. */
  branch(cond: number, a: Value, b: Value, pcLo: number, pcHi: number): void {
    this.emit(OP_BRANCH, a, b, cond, 0, pcLo, pcHi);
  }

  /** Side exit to the interpreter, which executes the current instruction. */
  interpretIf(cond: number, a: Value, b: Value): void {
    this.emit(OP_INTERPRET_IF, a, b, cond);
  }

  /** Ends the block: the interpreter executes the current instruction. */
  interpret(): void {
    this.emit(OP_INTERPRET);
    this.ended = true;
  }

  /** Ends the block with a direct jump. */
  jump(pcLo: number, pcHi: number): void {
    this.emit(OP_JUMP, 0, 0, 0, 0, pcLo, pcHi);
    this.ended = true;
  }

  /** Ends the block with an indirect jump. */
  jumpIndirect(pc: Value): void {
    this.emit(OP_JUMP_IND, pc);
    this.ended = true;
  }

  /** Side exit to the guest pc in a value, unless it is the given one. */
  exitUnlessPc(pc: Value, pcLo: number, pcHi: number): void {
    this.emit(OP_EXIT_UNLESS_PC, pc, 0, 0, 0, pcLo, pcHi);
  }

  /** Ends the block with a direct jump into another context. */
  jumpContext(context: number, pcLo: number, pcHi: number): void {
    this.emit(OP_JUMP_CONTEXT, -1, 0, context, 0, pcLo, pcHi);
    this.ended = true;
  }

  /** Ends the block and returns to the run loop. */
  leave(pcLo: number, pcHi: number): void {
    this.emit(OP_LEAVE, 0, 0, 0, 0, pcLo, pcHi);
    this.ended = true;
  }

  // ---- floating point

  /** The 64 bits of an FP state slot. */
  fget(slot: number): Value {
    const s = slot >> 3;
    if (this.#slotStamp[s] === this.#stamp) {
      const v = this.#slotValue[s];
      return this.#isSingle(v) ? this.emit(OP_FBOX, v, 0, 0, 8) : v;
    }
    const v = this.emit(OP_FGET, slot, 0, 0, 8);
    this.#slotStamp[s] = this.#stamp;
    this.#slotValue[s] = v;
    return v;
  }

  /** The NaN-boxed single in an FP state slot; leaves to the interpreter if it is not boxed. */
  fgetSingle(slot: number): Value {
    const s = slot >> 3;
    if (this.#slotStamp[s] === this.#stamp && this.#isSingle(this.#slotValue[s])) {
      return this.#slotValue[s];
    }
    const v = this.emit(OP_FUNBOX, this.fget(slot), 0, 0, 4);
    this.#slotValue[s] = v; // checked once per block: boxing v gives back the same bits
    return v;
  }

  /** Sets an FP state slot. A single is NaN-boxed. `size` is the value's format. */
  fset(slot: number, size: number, value: Value): void {
    this.emit(OP_FSET, slot, value, 0, size);
    const s = slot >> 3;
    this.#slotStamp[s] = this.#stamp;
    this.#slotValue[s] = value;
  }

  /** Any FP op; `d` is its format. Operands that are canonicalised only to be computed with are not. */
  fop(op: number, size: number, a: Value, b = 0, c = 0): Value {
    return this.emit(op, a, b, c, size);
  }

  #isSingle(v: Value): boolean {
    return this.d[v] === 4;
  }

  // ---- stubs

  /** A new label number. */
  newLabel(): number {
    return this.labels++;
  }

  /** Places a label. */
  label(label: number): void {
    this.emit(OP_LABEL, label);
  }

  /** Goes to a label. */
  goto(label: number): void {
    this.emit(OP_GOTO, label);
  }

  /** Goes to a label if `a cond b`. */
  gotoIf(cond: number, a: Value, b: Value, label: number): void {
    this.emit(OP_GOTO_IF, a, b, cond, 0, label);
  }

  /** Returns from the stub. */
  return(value: Value): void {
    this.emit(OP_RETURN, value);
  }
}
