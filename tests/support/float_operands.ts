/**
 * Operands for floating-point tests, drawn from where implementations break: zeros, subnormals, powers of two
 * and their neighbours, the ends of the range, NaNs of both kinds, values halfway between two others, and
 * operands related so that sums cancel or round at the last bit. The same seed gives the same operands.
 */

/** Width of a binary interchange format in bits. */
export type FloatWidth = 32 | 64;

const FRACTION_BITS = { 32: 23n, 64: 52n } as const;
const BIAS = { 32: 127n, 64: 1023n } as const;

/** A deterministic source of operands, as encodings. */
export class FloatOperands {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A random integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.#next32() / 2 ** 32 * bound);
  }

  /** Random bits. */
  bits(count: number): bigint {
    const all = (BigInt(this.#next32()) << 32n) | BigInt(this.#next32());
    return BigInt.asUintN(count, all);
  }

  /** One operand. */
  operand(width: FloatWidth): bigint {
    const magnitude = this.#magnitude(width) & ((1n << BigInt(width - 1)) - 1n);
    return (this.bits(1) << BigInt(width - 1)) | magnitude;
  }

  /** Two operands, often related. */
  pair(width: FloatWidth): [bigint, bigint] {
    const a = this.operand(width);
    return [a, this.below(2) === 0 ? this.operand(width) : this.#relative(width, a)];
  }

  /** Three operands; the third is often close to the negated product of the others. */
  triple(width: FloatWidth): [bigint, bigint, bigint] {
    const [a, b] = this.pair(width);
    switch (this.below(4)) {
      case 0:
        return [a, b, this.operand(width)];
      case 1:
        return [a, b, this.#relative(width, a)];
      default: {
        const product = numberToFloat(width, -floatToNumber(width, a) * floatToNumber(width, b));
        return [a, b, this.below(2) === 0 ? this.#nudge(width, product) : this.#relative(width, product)];
      }
    }
  }

  /** A 64-bit integer: ends of ranges, few bits set, or of random length. */
  integer(): bigint {
    const length = this.below(65);
    let value = this.bits(length);
    switch (this.below(4)) {
      case 0:
        value = 1n << BigInt(length);
        break;
      case 1: // halfway between two floats, or next to that
        value = (this.bits(24) << BigInt(length)) | (1n << BigInt(length)) >> 1n;
    }
    if (this.below(2) === 0) value += BigInt(this.below(5) - 2);
    return BigInt.asUintN(64, this.below(2) === 0 ? -value : value);
  }

  #magnitude(width: FloatWidth): bigint {
    const fractionBits = FRACTION_BITS[width];
    const one = 1n << fractionBits;
    const infinity = (2n * BIAS[width] + 1n) << fractionBits;
    const exponent = BigInt(this.below(Number(2n * BIAS[width] + 1n)));
    const near = BIAS[width] + BigInt(this.below(140) - 70);
    switch (this.below(12)) {
      case 0: { // the landmarks
        const landmarks = [0n, 1n, one - 1n, one, BIAS[width] << fractionBits, infinity - 1n, infinity];
        return landmarks[this.below(landmarks.length)];
      }
      case 1: { // NaNs
        const quiet = one >> 1n;
        const nans = [
          quiet,
          quiet | this.bits(20),
          1n,
          1n | (this.bits(20) & (quiet - 1n)),
          one - 1n,
          quiet - 1n,
        ];
        return infinity | nans[this.below(nans.length)];
      }
      case 2: // subnormals of any length
        return this.bits(this.below(Number(fractionBits)) + 1);
      case 3: // around a power of two
        return this.#nudge(width, exponent << fractionBits);
      case 4:
        return this.#nudge(width, near << fractionBits);
      case 5: // few bits set
        return (near << fractionBits) | (one >> BigInt(1 + this.below(Number(fractionBits)))) |
          (one >> BigInt(1 + this.below(Number(fractionBits))));
      case 6: // a run of ones
        return (near << fractionBits) | (one - (1n << BigInt(this.below(Number(fractionBits)))));
      case 7: // an integer and a half
        return numberToFloat(width, this.below(2 ** (1 + this.below(24))) + 0.5);
      case 8: // where binary64 narrows to a binary32, halfway between two, or next to that
        return this.#nudge(width, this.#halfwaySingle(width));
      case 9: // the extremes of the range
        return this.below(2) === 0
          ? (this.bits(6) << fractionBits) | this.bits(Number(fractionBits))
          : infinity - 1n -
            this.bits(Number(fractionBits) + 5);
      case 10:
        return (near << fractionBits) | this.bits(Number(fractionBits));
      default:
        return this.bits(width);
    }
  }

  #halfwaySingle(width: FloatWidth): bigint {
    const single = floatToNumber(32, this.bits(31) & ~(this.below(2) === 0 ? 0x7f000000n : 0n));
    const next = floatToNumber(32, numberToFloat(32, single) + 1n);
    return numberToFloat(width, next - single < Infinity ? (single + next) / 2 : single);
  }

  /** An operand near, opposite, or at a distance at which a sum rounds. */
  #relative(width: FloatWidth, a: bigint): bigint {
    const fractionBits = FRACTION_BITS[width];
    const sign = 1n << BigInt(width - 1);
    const distances = [1, Number(fractionBits), Number(fractionBits) + 1, Number(fractionBits) + 2];
    const distance = BigInt(distances[this.below(distances.length)]) << fractionBits;
    const scaled = BigInt.asUintN(width, this.below(2) === 0 ? a - distance : a + distance);
    switch (this.below(5)) {
      case 0:
        return a ^ sign;
      case 1:
        return this.#nudge(width, a ^ sign);
      case 2:
        return this.#nudge(width, a);
      case 3:
        return scaled ^ (this.bits(1) << BigInt(width - 1));
      default:
        return this.#nudge(width, (scaled >> fractionBits) << fractionBits);
    }
  }

  /** The encoding, at most two away from the given one. */
  #nudge(width: FloatWidth, bits: bigint): bigint {
    return BigInt.asUintN(width, bits + BigInt(this.below(5) - 2));
  }

  /** A Weyl sequence through a mixing function, 32 bits. */
  #next32(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return (x ^ (x >>> 15)) >>> 0;
  }
}

const view = new DataView(new ArrayBuffer(8));

/** The number an encoding stands for. */
export function floatToNumber(width: FloatWidth, bits: bigint): number {
  if (width === 32) {
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  }
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

/** The encoding of a number, rounded to nearest. */
export function numberToFloat(width: FloatWidth, value: number): bigint {
  if (Number.isNaN(value)) return width === 32 ? 0x7fc00000n : 0x7ff8000000000000n;
  if (width === 32) {
    view.setFloat32(0, value);
    return BigInt(view.getUint32(0));
  }
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
