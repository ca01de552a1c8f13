/**
 * The library's operations under one signature, numbered as `reference.c` numbers them, so that tests can
 * compare all of them with another implementation.
 */
import {
  f32Add,
  f32Classify,
  f32Div,
  f32Eq,
  f32Fma,
  f32Le,
  f32Lt,
  f32Max,
  f32Min,
  f32Mul,
  f32Sqrt,
  f32Sub,
  f32ToF64,
  f32ToInt,
  f64Add,
  f64Classify,
  f64Div,
  f64Eq,
  f64Fma,
  f64Le,
  f64Lt,
  f64Max,
  f64Min,
  f64Mul,
  f64Sqrt,
  f64Sub,
  f64ToF32,
  f64ToInt,
  intToF32,
  intToF64,
  result,
} from "../../../core/softfloat/mod.ts";
import type { FloatOperands, FloatWidth } from "../../support/float_operands.ts";

/** Operations by number. The four conversions of each direction are by integer format. */
export const OPERATIONS: readonly string[] = [
  "add",
  "sub",
  "mul",
  "div",
  "sqrt",
  "fma",
  "eq",
  "lt",
  "le",
  "min",
  "max",
  "classify",
  "to i32",
  "to u32",
  "to i64",
  "to u64",
  "from i32",
  "from u32",
  "from i64",
  "from u64",
  "to other format",
];
export const FIRST_TO_INT = 12;
export const FIRST_FROM_INT = 16;
export const TO_OTHER_FORMAT = 20;

/** One operation with its operands. */
export interface Case {
  readonly width: FloatWidth;
  readonly op: number;
  readonly rm: number;
  readonly a: bigint;
  readonly b: bigint;
  readonly c: bigint;
}

/** A result as an unsigned integer of the operation's result width, and the flags raised. */
export interface Outcome {
  readonly bits: bigint;
  readonly flags: number;
}

/** Width of the operation's result. */
export function resultWidth({ width, op }: Case): number {
  if (op === TO_OTHER_FORMAT) return 96 - width;
  return op < 6 || op === 9 || op === 10 || op >= FIRST_FROM_INT ? width : 64;
}

/** Random operands for an operation. */
export function drawCase(source: FloatOperands, width: FloatWidth, op: number, rm: number): Case {
  if (op >= FIRST_FROM_INT && op < TO_OTHER_FORMAT) {
    return { width, op, rm, a: source.integer(), b: 0n, c: 0n };
  }
  const [a, b, c] = op === 5 ? source.triple(width) : [...source.pair(width), 0n];
  return { width, op, rm, a, b, c };
}

/** What the library answers. */
export function run(test: Case): Outcome {
  result.flags = 0;
  const value = test.width === 64 ? run64(test) : run32(test);
  if (value !== undefined) return { bits: BigInt(value), flags: result.flags };
  const lo = BigInt(result.lo >>> 0);
  const bits = resultWidth(test) === 32 ? lo : (BigInt(result.hi >>> 0) << 32n) | lo;
  return { bits, flags: result.flags };
}

function run64({ op, rm, a, b, c }: Case): number | void {
  const [aLo, aHi] = halves(a), [bLo, bHi] = halves(b), [cLo, cHi] = halves(c);
  const arithmetic = [f64Add, f64Sub, f64Mul, f64Div][op];
  if (arithmetic) return arithmetic(aLo, aHi, bLo, bHi, rm);
  if (op === 4) return f64Sqrt(aLo, aHi, rm);
  if (op === 5) return f64Fma(aLo, aHi, bLo, bHi, cLo, cHi, rm);
  if (op < 11) return [f64Eq, f64Lt, f64Le, f64Min, f64Max][op - 6](aLo, aHi, bLo, bHi);
  if (op === 11) return f64Classify(aLo, aHi);
  if (op < FIRST_FROM_INT) return f64ToInt(aLo, aHi, rm, op - FIRST_TO_INT);
  if (op < TO_OTHER_FORMAT) return intToF64(aLo, aHi, op - FIRST_FROM_INT, rm);
  return f64ToF32(aLo, aHi, rm);
}

function run32({ op, rm, a, b, c }: Case): number | void {
  const [x, xHi] = halves(a), [y] = halves(b), [z] = halves(c);
  const arithmetic = [f32Add, f32Sub, f32Mul, f32Div][op];
  if (arithmetic) return arithmetic(x, y, rm);
  if (op === 4) return f32Sqrt(x, rm);
  if (op === 5) return f32Fma(x, y, z, rm);
  if (op < 11) return [f32Eq, f32Lt, f32Le, f32Min, f32Max][op - 6](x, y);
  if (op === 11) return f32Classify(x);
  if (op < FIRST_FROM_INT) return f32ToInt(x, rm, op - FIRST_TO_INT);
  if (op < TO_OTHER_FORMAT) return intToF32(x, xHi, op - FIRST_FROM_INT, rm);
  return f32ToF64(x);
}

function halves(value: bigint): [number, number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

/** A case in words, for messages. */
export function describe({ width, op, rm, a, b, c }: Case): string {
  const operands = [a, b, c].map((x) => "0x" + x.toString(16)).join(", ");
  return `f${width} ${OPERATIONS[op]} (${operands}) in ${["RNE", "RTZ", "RDN", "RUP", "RMM"][rm]}`;
}
