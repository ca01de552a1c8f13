import { assertEquals } from "@std/assert";
import * as exact from "../../../core/softfloat/exact.ts";
import { BINARY32, BINARY64 } from "../../../core/softfloat/format.ts";
import { result } from "../../../core/softfloat/mod.ts";
import { FloatOperands } from "../../support/float_operands.ts";
import { type Case, describe, drawCase, run } from "./operations.ts";

const CASES_PER_OPERATION = 10_000;

for (const width of [64, 32] as const) {
  Deno.test(`softfloat: the fast paths of binary${width} agree with the exact operations`, () => {
    const source = new FloatOperands(7 * width);
    for (const op of [0, 2, 3, 4, 5]) {
      for (let i = 0; i < CASES_PER_OPERATION; i++) {
        const test = drawCase(source, width, op, 0);
        const fast = run(test);
        const slow = runExact(test);
        if (fast.bits !== slow.bits || fast.flags !== slow.flags) assertEquals(fast, slow, describe(test));
      }
    }
  });
}

function runExact({ width, op, rm, a, b, c }: Case) {
  const format = width === 64 ? BINARY64 : BINARY32;
  result.flags = 0;
  if (op === 0) exact.add(format, a, b, rm);
  else if (op === 2) exact.multiply(format, a, b, rm);
  else if (op === 3) exact.divide(format, a, b, rm);
  else if (op === 4) exact.squareRoot(format, a, rm);
  else exact.fusedMultiplyAdd(format, a, b, c, rm);
  const lo = BigInt(result.lo >>> 0);
  return { bits: width === 32 ? lo : (BigInt(result.hi >>> 0) << 32n) | lo, flags: result.flags };
}
