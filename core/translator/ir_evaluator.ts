/**
 * The meaning of IR, as slow and plain as it can be said: an evaluator on BigInt over a state block and
 * spans of host memory. Tests hold decoders and host backends against it; nothing else uses it.
 *
 * Values are kept as unsigned 64-bit integers, FP values as their bits. Every host address an op touches must
 * lie in a span that was given: an access outside is an error in the translation, and throws.
 */
import * as ir from "./ir.ts";
import {
  STATE_BUDGET,
  STATE_SCRATCH,
  STATE_TIME_AT_ZERO,
  TLB_ENTRIES,
  TLB_ENTRY_BYTES,
  TLB_LOAD,
  TLB_STORE,
  tlbTable,
} from "./layout.ts";
import { evaluateFp, type FpResult } from "./ir_evaluator_fp.ts";

/** A span of host memory that a block may touch. */
export interface HostSpan {
  /** Host address of byte 0. */
  readonly address: number;
  /** The memory itself. */
  readonly bytes: Uint8Array;
}

/** How a block ended. */
export interface Outcome {
  /** `jump`: on to `pc`; `leave`: back to the run loop; `interpret`: the instruction at `pc` is to be interpreted. */
  readonly kind: "jump" | "leave" | "interpret";
  /** Where the guest is to go on. */
  readonly pc: bigint;
  /** Guest instructions of this block that were executed. */
  readonly retired: number;
  /** The context that holds from now on. */
  readonly context: number;
}

/** What to run a block on. */
export interface EvaluatorOptions {
  /** The state block and its host address. */
  readonly state: HostSpan;
  /** Other host memory: RAM and the engine's tables. */
  readonly spans: readonly HostSpan[];
  /**
   * Called on a TLB miss with the virtual address in `state[STATE_SCRATCH]`, as a walker stub would be:
   * returns the host address, or 0n to let the interpreter decide.
   */
  readonly walk?: (kind: number, mmuIndex: number) => bigint;
}

const MASK = (1n << 64n) - 1n;
const u64 = (x: bigint): bigint => x & MASK;
const s64 = (x: bigint): bigint => BigInt.asIntN(64, x);
const u32 = (x: bigint): bigint => x & 0xffffffffn;
const s32 = (x: bigint): bigint => BigInt.asIntN(32, x);
const pair = (block: ir.Ir, i: number): bigint =>
  BigInt(block.lo[i] >>> 0) | BigInt(block.hi[i] >>> 0) << 32n;

/** Thrown inside the evaluator to abandon the current instruction. */
const LEAVE = Symbol("leave");

/** Runs blocks and stubs of IR. */
export class IrEvaluator {
  /** IEEE flags raised so far: 1 inexact, 2 underflow, 4 overflow, 8 divide by zero, 16 invalid. */
  fpFlags = 0;
  readonly #options: EvaluatorOptions;
  readonly #state: DataView;

  /**
   * An evaluator.
   *
   * @param options The memory to work on.
   */
  constructor(options: EvaluatorOptions) {
    this.#options = options;
    const { bytes } = options.state;
    this.#state = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Runs a block from its entry to its end or to a side exit. Does not touch pc, budget or context. */
  run(block: ir.Ir): Outcome {
    const values: bigint[] = [];
    let pc = 0n;
    let index = 0; // instructions before the current one that count
    let refunded = 0;
    const at = (kind: Outcome["kind"], target: bigint, context = block.context): Outcome => ({
      kind,
      pc: target,
      retired: kind === "interpret" ? index : index + 1,
      context,
    });
    for (let i = 0; i < block.length; i++) {
      const a = block.a[i];
      switch (block.op[i]) {
        case ir.OP_INSN:
          pc = pair(block, i);
          index = a - refunded;
          break;
        case ir.OP_REFUND_IF:
          if (condition(block.c[i], values[a], values[block.b[i]])) {
            refunded += block.d[i];
            index -= block.d[i];
          }
          break;
        case ir.OP_BRANCH:
          if (condition(block.c[i], values[a], values[block.b[i]])) return at("jump", pair(block, i));
          break;
        case ir.OP_EXIT_UNLESS_PC:
          if (values[a] !== pair(block, i)) return at("jump", values[a]);
          break;
        case ir.OP_INTERPRET_IF:
          if (condition(block.c[i], values[a], values[block.b[i]])) return at("interpret", pc);
          break;
        case ir.OP_INTERPRET:
          return at("interpret", pc);
        case ir.OP_JUMP:
          return at("jump", pair(block, i));
        case ir.OP_JUMP_IND:
          return at("jump", values[a]);
        case ir.OP_JUMP_CONTEXT:
          return at("jump", a >= 0 ? values[a] : pair(block, i), block.c[i]);
        case ir.OP_LEAVE:
          return at("leave", pair(block, i));
        default:
          try {
            this.#op(block, i, values, index);
          } catch (thrown) {
            if (thrown === LEAVE) return at("interpret", pc);
            throw thrown;
          }
      }
    }
    throw new Error("the block has no end");
  }

  /** Runs a stub and returns its result. */
  call(stub: ir.Ir): bigint {
    const labels = new Map<number, number>();
    for (let i = 0; i < stub.length; i++) if (stub.op[i] === ir.OP_LABEL) labels.set(stub.a[i], i);
    const values: bigint[] = [];
    let i = 0;
    for (let steps = 0; steps < 100_000; steps++) {
      const a = stub.a[i];
      switch (stub.op[i]) {
        case ir.OP_LABEL:
          i++;
          break;
        case ir.OP_GOTO:
          i = labels.get(a)!;
          break;
        case ir.OP_GOTO_IF:
          i = condition(stub.c[i], values[a], values[stub.b[i]]) ? labels.get(stub.lo[i])! : i + 1;
          break;
        case ir.OP_RETURN:
          return values[a];
        default:
          this.#op(stub, i, values, 0);
          i++;
      }
    }
    throw new Error("the stub does not end");
  }

  /** Reads `size` bytes at a host address. */
  hostRead(address: bigint, size: number): bigint {
    const [view, offset] = this.#host(address, size);
    switch (size) {
      case 1:
        return BigInt(view.getUint8(offset));
      case 2:
        return BigInt(view.getUint16(offset, true));
      case 4:
        return BigInt(view.getUint32(offset, true));
      default:
        return view.getBigUint64(offset, true);
    }
  }

  /** Writes the low `size` bytes of a value at a host address. */
  hostWrite(address: bigint, size: number, value: bigint): void {
    const [view, offset] = this.#host(address, size);
    switch (size) {
      case 1:
        return view.setUint8(offset, Number(value & 0xffn));
      case 2:
        return view.setUint16(offset, Number(value & 0xffffn), true);
      case 4:
        return view.setUint32(offset, Number(u32(value)), true);
      default:
        return view.setBigUint64(offset, value, true);
    }
  }

  #host(address: bigint, size: number): [DataView, number] {
    for (const span of [this.#options.state, ...this.#options.spans]) {
      const offset = Number(address - BigInt(span.address));
      if (offset >= 0 && offset + size <= span.bytes.length) {
        const { buffer, byteOffset, byteLength } = span.bytes;
        return [new DataView(buffer, byteOffset, byteLength), offset];
      }
    }
    throw new RangeError(`host address 0x${address.toString(16)} is in no span`);
  }

  /** The host address of a guest access, by the TLB or else by the walker; leaves where neither has one. */
  #translate(virtual: bigint, size: number, kind: number, mmuIndex: number): bigint {
    if ((virtual & 4095n) + BigInt(size) > 4096n) throw LEAVE;
    const entry = tlbTable(mmuIndex, kind) + (Number(virtual >> 12n) & (TLB_ENTRIES - 1)) * TLB_ENTRY_BYTES;
    if (this.#state.getBigUint64(entry, true) === (virtual & ~4095n)) {
      return u64(this.#state.getBigUint64(entry + 8, true) + virtual);
    }
    if (!this.#options.walk) throw LEAVE;
    this.#state.setBigUint64(STATE_SCRATCH, virtual, true);
    const host = this.#options.walk(kind, mmuIndex);
    if (host === 0n) throw LEAVE;
    return host;
  }

  #op(block: ir.Ir, i: number, values: bigint[], index: number): void {
    const op = block.op[i];
    const a = block.a[i], b = block.b[i], c = block.c[i], d = block.d[i];
    const x = values[a], y = values[b];
    const displacement = BigInt(block.lo[i]);
    const mmuIndex = block.context & 3;
    switch (op) {
      case ir.OP_CONST:
        values[i] = pair(block, i);
        break;
      case ir.OP_GET:
      case ir.OP_FGET:
        values[i] = this.#state.getBigUint64(a, true);
        break;
      case ir.OP_SET:
        this.#state.setBigUint64(a, y, true);
        break;
      case ir.OP_FSET:
        this.#state.setBigUint64(a, d === 4 ? box(y) : y, true);
        break;
      case ir.OP_ADD_SHIFTED:
        values[i] = BigInt.asUintN(64, x + (y << BigInt(c)));
        break;
      case ir.OP_ANDN64:
        values[i] = x & BigInt.asUintN(64, ~y);
        break;
      case ir.OP_SETCC:
        values[i] = condition(c, x, y) ? 1n : 0n;
        break;
      case ir.OP_SELECT:
        values[i] = condition(c, x, y) ? values[d] : values[block.lo[i]];
        break;
      case ir.OP_LOAD:
      case ir.OP_FLOAD: {
        const size = c & 15;
        const host = this.#translate(u64(x + displacement), size, TLB_LOAD, mmuIndex);
        values[i] = extend(this.hostRead(host, size), c);
        break;
      }
      case ir.OP_STORE:
      case ir.OP_FSTORE:
        this.hostWrite(this.#translate(u64(x + displacement), c, TLB_STORE, mmuIndex), c, y);
        break;
      case ir.OP_TRANSLATE_STORE:
        values[i] = this.#translate(u64(x + displacement), c, TLB_STORE, mmuIndex);
        break;
      case ir.OP_HOST_LOAD:
        values[i] = extend(this.hostRead(u64(x + displacement), c & 15), c);
        break;
      case ir.OP_HOST_STORE:
        this.hostWrite(u64(x + displacement), c, y);
        break;
      case ir.OP_STATE_ADDRESS:
        values[i] = BigInt(this.#options.state.address) + displacement;
        break;
      case ir.OP_TIME:
        values[i] = this.#state.getBigUint64(STATE_TIME_AT_ZERO, true) -
          BigInt(this.#state.getInt32(STATE_BUDGET, true)) + BigInt(index);
        break;
      default:
        if (op >= ir.OP_FGET) {
          const result: FpResult | undefined = evaluateFp(op, d, c, x, y, values[c]);
          if (!result) throw LEAVE;
          values[i] = result.value;
          this.fpFlags |= result.flags;
        } else values[i] = y === undefined || isUnary(op) ? unary(op, x) : binary(op, x, y);
    }
  }
}

const isUnary = (op: number): boolean => op >= ir.OP_SEXT8 && op <= ir.OP_BSWAP64;
const box = (single: bigint): bigint => u32(single) | 0xffffffff00000000n;

function extend(value: bigint, sizeAndSign: number): bigint {
  return sizeAndSign & 16 ? u64(BigInt.asIntN(8 * (sizeAndSign & 15), value)) : value;
}

function condition(cond: number, a: bigint, b: bigint): boolean {
  switch (cond) {
    case ir.COND_EQ:
      return a === b;
    case ir.COND_NE:
      return a !== b;
    case ir.COND_LT:
      return s64(a) < s64(b);
    case ir.COND_GE:
      return s64(a) >= s64(b);
    case ir.COND_LTU:
      return a < b;
    default:
      return a >= b;
  }
}

/** Division as `ir.ts` defines it: total, truncating. */
function divide(a: bigint, b: bigint, remainder: boolean): bigint {
  if (b === 0n) return remainder ? a : -1n;
  return remainder ? a % b : a / b;
}

function leadingZeros(value: bigint, bits: number): bigint {
  return BigInt(value === 0n ? bits : bits - value.toString(2).length);
}

function trailingZeros(value: bigint, bits: number): bigint {
  let n = 0;
  while (n < bits && (value >> BigInt(n) & 1n) === 0n) n++;
  return BigInt(n);
}

const popcount = (value: bigint): bigint => BigInt(value.toString(2).replaceAll("0", "").length);

function rotateRight(value: bigint, count: bigint, bits: bigint): bigint {
  return (value >> count | value << (bits - count)) & ((1n << bits) - 1n);
}

function unary(op: number, a: bigint): bigint {
  switch (op) {
    case ir.OP_SEXT8:
      return u64(BigInt.asIntN(8, a));
    case ir.OP_SEXT16:
      return u64(BigInt.asIntN(16, a));
    case ir.OP_SEXT32:
      return u64(s32(a));
    case ir.OP_ZEXT8:
      return a & 0xffn;
    case ir.OP_ZEXT16:
      return a & 0xffffn;
    case ir.OP_ZEXT32:
      return u32(a);
    case ir.OP_CLZ64:
      return leadingZeros(a, 64);
    case ir.OP_CLZ32:
      return leadingZeros(u32(a), 32);
    case ir.OP_CTZ64:
      return trailingZeros(a, 64);
    case ir.OP_CTZ32:
      return trailingZeros(u32(a), 32);
    case ir.OP_POPCNT64:
      return popcount(a);
    case ir.OP_POPCNT32:
      return popcount(u32(a));
    case ir.OP_BSWAP64: {
      let swapped = 0n;
      for (let i = 0n; i < 8n; i++) swapped = swapped << 8n | (a >> (8n * i) & 0xffn);
      return swapped;
    }
    default:
      throw new Error(`no such op: ${op}`);
  }
}

function binary(op: number, a: bigint, b: bigint): bigint {
  const count64 = b & 63n, count32 = b & 31n;
  switch (op) {
    case ir.OP_ADD64:
      return u64(a + b);
    case ir.OP_SUB64:
      return u64(a - b);
    case ir.OP_AND64:
      return a & b;
    case ir.OP_OR64:
      return a | b;
    case ir.OP_XOR64:
      return a ^ b;
    case ir.OP_ADD32:
      return u32(a + b);
    case ir.OP_SUB32:
      return u32(a - b);
    case ir.OP_SHL64:
      return u64(a << count64);
    case ir.OP_SHR64:
      return a >> count64;
    case ir.OP_SAR64:
      return u64(s64(a) >> count64);
    case ir.OP_SHL32:
      return u32(a << count32);
    case ir.OP_SHR32:
      return u32(a) >> count32;
    case ir.OP_SAR32:
      return u32(s32(a) >> count32);
    case ir.OP_ROR64:
      return rotateRight(a, count64, 64n);
    case ir.OP_ROR32:
      return rotateRight(u32(a), count32, 32n);
    case ir.OP_MUL64:
      return u64(a * b);
    case ir.OP_MUL32:
      return u32(a * b);
    case ir.OP_MULHU:
      return a * b >> 64n;
    case ir.OP_MULHS:
      return u64(s64(a) * s64(b) >> 64n);
    case ir.OP_DIVS64:
      return u64(divide(s64(a), s64(b), false));
    case ir.OP_DIVU64:
      return u64(divide(a, b, false));
    case ir.OP_REMS64:
      return u64(divide(s64(a), s64(b), true));
    case ir.OP_REMU64:
      return divide(a, b, true);
    case ir.OP_DIVS32:
      return u32(divide(s32(a), s32(b), false));
    case ir.OP_DIVU32:
      return u32(divide(u32(a), u32(b), false));
    case ir.OP_REMS32:
      return u32(divide(s32(a), s32(b), true));
    case ir.OP_REMU32:
      return u32(divide(u32(a), u32(b), true));
    default:
      throw new Error(`no such op: ${op}`);
  }
}
