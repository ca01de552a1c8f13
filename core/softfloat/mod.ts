/**
 * IEEE 754 binary32 and binary64, exact in every rounding mode, with the exceptions each operation raises:
 * the oracle of the translator's floating point, the arithmetic of hosts that have no translator, and what
 * rare cases fall back on everywhere.
 *
 * Encodings travel as int32 halves; answers arrive in {@linkcode result}, where exceptions accrue until the
 * caller clears them. `rm` is a `ROUND_*` code, `kind` an integer format.
 *
 *     result.flags = 0;
 *     f64Div(0, 0x3ff00000, 0, 0x40080000, ROUND_NEAREST_EVEN); // 1 ÷ 3
 *     result.hi === 0x3fd55555 && result.lo === 0x55555555 && result.flags === FLAG_NX
 *
 * `exact.ts` is what the operations mean, in BigInt; the other files answer the common cases faster. What the
 * standard leaves to the instruction set is in `policy.ts`. Underflow is detected after rounding (§7.5).
 */
export * from "./result.ts";
export * from "./arithmetic64.ts";
export * from "./arithmetic32.ts";
export * from "./compare.ts";
export * from "./convert.ts";
