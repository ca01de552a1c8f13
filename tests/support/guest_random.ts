/** A deterministic source of what guests compute with: register contents and choices, edge values favoured. */
import { FloatOperands } from "./float_operands.ts";

const WORD = 0xffff_ffffn;
const BOX = WORD << 32n;

/** Integers that carries, signs and shifts go wrong at. */
const EDGES: readonly bigint[] = [
  0n,
  1n,
  -1n,
  1n << 63n,
  (1n << 63n) - 1n,
  1n << 31n,
  (1n << 31n) - 1n,
  WORD,
  1n << 32n,
  -(1n << 31n),
].map((value) => BigInt.asUintN(64, value));

/** Register contents and choices. The same seed gives the same sequence. */
export class GuestRandom extends FloatOperands {
  /** One of the given. */
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }

  /** Whether something that happens once in `times` happens. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** 32 random bits, signed. */
  word(): number {
    return this.below(2 ** 32) | 0;
  }

  /** An integer register. */
  integerRegister(): bigint {
    switch (this.below(6)) {
      case 0:
        return this.pick(EDGES);
      case 1:
        return BigInt.asUintN(64, BigInt(this.below(128) - 64));
      case 2: // a word, sign-extended
        return BigInt.asUintN(64, BigInt.asIntN(32, this.integer()));
      case 3:
        return this.bits(64);
      default:
        return this.integer();
    }
  }

  /** An FP register: a double, a boxed single, or a single that is not boxed as it should be. */
  floatRegister(): bigint {
    switch (this.below(16)) {
      case 0: // nearly boxed
        return this.operand(32) | (BOX ^ 1n << BigInt(32 + this.below(32)));
      case 1:
        return this.operand(32);
      case 2:
        return this.bits(64);
      default:
        return this.below(2) === 0 ? this.operand(64) : this.operand(32) | BOX;
    }
  }
}
