import { assertEquals } from "@std/assert";
import { FloatOperands, type FloatWidth } from "../../support/float_operands.ts";
import { type Case, describe, drawCase, FIRST_FROM_INT, FIRST_TO_INT, type Outcome } from "./operations.ts";
import { OPERATIONS, resultWidth, run, TO_OTHER_FORMAT } from "./operations.ts";
import { dividedBy, plus, type Rational, rational, roundRational, roundSquareRoot } from "./rational.ts";
import { times, valueOf } from "./rational.ts";

const ROUNDING_MODES = [0, 1, 2, 3, 4];
const CASES_PER_MODE = 300;

/** The exact operations: all that rounds. */
const ROUNDING_OPERATIONS = OPERATIONS.map((_, op) => op).filter((op) => op < 6 || op >= FIRST_TO_INT);

for (const width of [64, 32] as const) {
  Deno.test(`softfloat: binary${width} agrees with exact rationals in every rounding mode`, () => {
    const source = new FloatOperands(width);
    for (const op of ROUNDING_OPERATIONS) {
      for (const rm of ROUNDING_MODES) {
        for (let i = 0; i < CASES_PER_MODE;) {
          const test = drawCase(source, width, op, rm);
          const expected = fromDefinition(test);
          if (expected === undefined) continue;
          assertEquals(run(test), expected, describe(test));
          i++;
        }
      }
    }
  });
}

/** The outcome by the rationals; undefined for operands and results that are no nonzero numbers. */
function fromDefinition(test: Case): Outcome | undefined {
  const { width, op, rm, a, b, c } = test;
  if (op >= FIRST_FROM_INT && op < TO_OTHER_FORMAT) {
    const bits = op < FIRST_FROM_INT + 2 ? 32 : 64;
    const value = (op - FIRST_FROM_INT) % 2 === 0 ? BigInt.asIntN(bits, a) : BigInt.asUintN(bits, a);
    return value === 0n ? undefined : roundRational(width, rational(value), rm);
  }
  const operands = op === 5 ? [a, b, c] : op < 4 ? [a, b] : [a];
  if (operands.some((x) => !isFinite(width, x))) return undefined;
  const [x, y, z] = operands.map((bits) => valueOf(width, bits));
  if (op >= FIRST_TO_INT && op < FIRST_FROM_INT) return toInteger(x, rm, op - FIRST_TO_INT);
  if (op === 3 && y.numerator === 0n || op === 4 && x.numerator <= 0n) return undefined;
  const to = resultWidth(test) as FloatWidth;
  if (op === 4) return roundSquareRoot(to, x, rm);
  const exact = [
    () => plus(x, y),
    () => plus(x, rational(-y.numerator, y.denominator)),
    () => times(x, y),
    () => dividedBy(x, y),
    () => x,
    () => plus(times(x, y), z),
  ][op === TO_OTHER_FORMAT ? 4 : op]();
  return exact.numerator === 0n ? undefined : roundRational(to, exact, rm);
}

function isFinite(width: FloatWidth, bits: bigint): boolean {
  const exponent = width === 64 ? 0x7ff0000000000000n : 0x7f800000n;
  return (bits & exponent) !== exponent;
}

function toInteger(x: Rational, rm: number, kind: number): Outcome {
  const { numerator, denominator } = x;
  const down = numerator >= 0n ? numerator / denominator : -((-numerator + denominator - 1n) / denominator);
  const twiceRest = 2n * (numerator - down * denominator);
  const exact = twiceRest === 0n;
  const negative = numerator < 0n;
  const up = [
    twiceRest > denominator || twiceRest === denominator && down % 2n !== 0n,
    negative,
    false,
    true,
    twiceRest > denominator || twiceRest === denominator && !negative,
  ][rm];
  const value = !exact && up ? down + 1n : down;
  const width = kind < 2 ? 32 : 64;
  const least = kind % 2 === 0 ? -(1n << BigInt(width - 1)) : 0n;
  const greatest = least + (1n << BigInt(width)) - 1n;
  const saturated = value < least ? least : value > greatest ? greatest : value;
  const bits = BigInt.asUintN(64, BigInt.asIntN(width, saturated));
  return { bits, flags: saturated !== value ? 16 : exact ? 0 : 1 };
}
