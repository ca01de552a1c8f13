/** The meaning of IR's floating-point ops, by way of the software floating point, for `ir_evaluator.ts`. */
import * as ir from "./ir.ts";
import * as soft from "../softfloat/mod.ts";

/** What an FP op gives, and the IEEE flags it raises (`FLAG_*` of softfloat). */
export interface FpResult {
  /** The result: an integer, or the bits of a float. */
  readonly value: bigint;
  /** `FLAG_*`, ORed. */
  readonly flags: number;
}

const NEAREST = soft.ROUND_NEAREST_EVEN;
const lo = (x: bigint): number => Number(BigInt.asIntN(32, x));
const hi = (x: bigint): number => Number(BigInt.asIntN(32, x >> 32n));
const low = (x: number): bigint => BigInt(x >>> 0);

/**
 * Evaluates an FP op; undefined where it leaves the block. Singles are in the low half of an operand; the
 * rest of it is not looked at.
 *
 * @param size Format of the op: 4 or 8.
 * @param code Field c where that is a code.
 * @param c Operand c where that is a value.
 */
export function evaluateFp(
  op: number,
  size: number,
  code: number,
  a: bigint,
  b: bigint,
  c: bigint,
): FpResult | undefined {
  switch (op) {
    case ir.OP_FUNBOX:
      return hi(a) === -1 ? plain(a & 0xffffffffn) : undefined;
    case ir.OP_FBOX:
      return plain(a & 0xffffffffn | 0xffffffff00000000n);
    case ir.OP_F_BITS:
      return plain(size === 8 ? a : BigInt.asUintN(64, BigInt.asIntN(32, a)));
    case ir.OP_BITS_F:
      return plain(size === 8 ? a : a & 0xffffffffn);
  }
  soft.result.flags = 0;
  soft.result.lo = soft.result.hi = 0;
  const value = size === 8 ? evaluate64(op, code, a, b, c) : evaluate32(op, code, a, b, c);
  if (value === undefined) return undefined;
  return { value, flags: soft.result.flags };
}

const plain = (value: bigint): FpResult => ({ value, flags: 0 });
const SIGN64 = 1n << 63n;
const SIGN32 = 1n << 31n;
const result64 = (): bigint => low(soft.result.hi) << 32n | low(soft.result.lo);
const result32 = (): bigint => low(soft.result.lo);
const isNaN64 = (x: bigint): boolean => (x & ~SIGN64) > 0x7ff0_0000_0000_0000n;
const isNaN32 = (x: bigint): boolean => (x & 0x7fffffffn) > 0x7f80_0000n;

/** Converted integer, or undefined where it was out of range. */
function integerResult(code: number): bigint | undefined {
  if (soft.result.flags & soft.FLAG_NV) return undefined;
  return code & 2 ? result64() : BigInt.asUintN(64, BigInt(soft.result.lo));
}

const roundingOf = (code: number): number => code & ir.F2I_TRUNCATE ? soft.ROUND_TOWARD_ZERO : NEAREST;

function evaluate64(op: number, code: number, a: bigint, b: bigint, c: bigint): bigint | undefined {
  switch (op) {
    case ir.OP_FADD:
      soft.f64Add(lo(a), hi(a), lo(b), hi(b), NEAREST);
      return result64();
    case ir.OP_FSUB:
      soft.f64Sub(lo(a), hi(a), lo(b), hi(b), NEAREST);
      return result64();
    case ir.OP_FMUL:
      soft.f64Mul(lo(a), hi(a), lo(b), hi(b), NEAREST);
      return result64();
    case ir.OP_FDIV:
      soft.f64Div(lo(a), hi(a), lo(b), hi(b), NEAREST);
      return result64();
    case ir.OP_FSQRT:
      soft.f64Sqrt(lo(a), hi(a), NEAREST);
      return result64();
    case ir.OP_FMADD:
    case ir.OP_FMSUB:
    case ir.OP_FNMSUB:
    case ir.OP_FNMADD: {
      const x = negatesProduct(op) ? a ^ SIGN64 : a, z = subtracts(op) ? c ^ SIGN64 : c;
      soft.f64Fma(lo(x), hi(x), lo(b), hi(b), lo(z), hi(z), NEAREST);
      return isNaN64(result64()) ? undefined : result64();
    }
    case ir.OP_FCANON:
      return isNaN64(a) ? 0x7ff8_0000_0000_0000n : a;
    case ir.OP_FMIN:
    case ir.OP_FMAX: {
      if (isNaN64(a) || isNaN64(b)) return undefined;
      const choose = op === ir.OP_FMIN ? soft.f64Min : soft.f64Max;
      choose(lo(a), hi(a), lo(b), hi(b));
      return result64();
    }
    case ir.OP_FEQ:
      return BigInt(soft.f64Eq(lo(a), hi(a), lo(b), hi(b)));
    case ir.OP_FLT:
      return BigInt(soft.f64Lt(lo(a), hi(a), lo(b), hi(b)));
    case ir.OP_FLE:
      return BigInt(soft.f64Le(lo(a), hi(a), lo(b), hi(b)));
    case ir.OP_FSGNJ:
    case ir.OP_FSGNJN:
    case ir.OP_FSGNJX:
      return a & ~SIGN64 | injectedSign(op, a, b, SIGN64);
    case ir.OP_I2F:
      soft.intToF64(lo(a), hi(a), code, NEAREST);
      return result64();
    case ir.OP_F2I:
      soft.f64ToInt(lo(a), hi(a), roundingOf(code), code & 3);
      return integerResult(code);
    case ir.OP_F32_TO_F64:
      soft.f32ToF64(lo(a));
      return result64();
    default:
      throw new Error(`no such FP op: ${op}`);
  }
}

function evaluate32(op: number, code: number, a: bigint, b: bigint, c: bigint): bigint | undefined {
  switch (op) {
    case ir.OP_FADD:
      soft.f32Add(lo(a), lo(b), NEAREST);
      return result32();
    case ir.OP_FSUB:
      soft.f32Sub(lo(a), lo(b), NEAREST);
      return result32();
    case ir.OP_FMUL:
      soft.f32Mul(lo(a), lo(b), NEAREST);
      return result32();
    case ir.OP_FDIV:
      soft.f32Div(lo(a), lo(b), NEAREST);
      return result32();
    case ir.OP_FSQRT:
      soft.f32Sqrt(lo(a), NEAREST);
      return result32();
    case ir.OP_FMADD:
    case ir.OP_FMSUB:
    case ir.OP_FNMSUB:
    case ir.OP_FNMADD:
      soft.f32Fma(
        lo(negatesProduct(op) ? a ^ SIGN32 : a),
        lo(b),
        lo(subtracts(op) ? c ^ SIGN32 : c),
        NEAREST,
      );
      return isNaN32(result32()) ? undefined : result32();
    case ir.OP_FCANON:
      return isNaN32(a) ? 0x7fc0_0000n : a;
    case ir.OP_FMIN:
    case ir.OP_FMAX: {
      if (isNaN32(a) || isNaN32(b)) return undefined;
      const choose = op === ir.OP_FMIN ? soft.f32Min : soft.f32Max;
      choose(lo(a), lo(b));
      return result32();
    }
    case ir.OP_FEQ:
      return BigInt(soft.f32Eq(lo(a), lo(b)));
    case ir.OP_FLT:
      return BigInt(soft.f32Lt(lo(a), lo(b)));
    case ir.OP_FLE:
      return BigInt(soft.f32Le(lo(a), lo(b)));
    case ir.OP_FSGNJ:
    case ir.OP_FSGNJN:
    case ir.OP_FSGNJX:
      return a & 0x7fffffffn | injectedSign(op, a, b, SIGN32);
    case ir.OP_I2F:
      soft.intToF32(lo(a), hi(a), code, NEAREST);
      return result32();
    case ir.OP_F2I:
      soft.f32ToInt(lo(a), roundingOf(code), code & 3);
      return integerResult(code);
    case ir.OP_F64_TO_F32:
      soft.f64ToF32(lo(a), hi(a), NEAREST);
      return result32();
    default:
      throw new Error(`no such FP op: ${op}`);
  }
}

const negatesProduct = (op: number): boolean => op === ir.OP_FNMSUB || op === ir.OP_FNMADD;
const subtracts = (op: number): boolean => op === ir.OP_FMSUB || op === ir.OP_FNMADD;

function injectedSign(op: number, a: bigint, b: bigint, sign: bigint): bigint {
  if (op === ir.OP_FSGNJ) return b & sign;
  if (op === ir.OP_FSGNJN) return ~b & sign;
  return (a ^ b) & sign;
}
