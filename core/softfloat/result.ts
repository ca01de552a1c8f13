/**
 * The registers every operation of this library answers in, so that none allocates, and the codes its
 * callers share with it. Codes and flag bits are those of RISC-V's `frm` and `fflags` (unprivileged
 * specification, "F" extension, "Floating-Point Control and Status Register"); other ISAs map theirs.
 */

/** What the last operation returned, and the exceptions raised since the caller last cleared `flags`. */
export interface FloatResult {
  /** Low half of a 64-bit result, or a whole 32-bit float, as int32. */
  lo: number;
  /** High half of a 64-bit result as int32. Operations that return a 32-bit float leave it alone. */
  hi: number;
  /** Accrued exceptions: `FLAG_*`, only ever ORed into. */
  flags: number;
}

/** The result registers. */
export const result: FloatResult = { lo: 0, hi: 0, flags: 0 };

/** Inexact. */
export const FLAG_NX = 1;
/** Underflow: tiny after rounding, and inexact. */
export const FLAG_UF = 2;
/** Overflow. */
export const FLAG_OF = 4;
/** Division of a finite number by zero. */
export const FLAG_DZ = 8;
/** Invalid operation. */
export const FLAG_NV = 16;

/** To nearest, ties to even. */
export const ROUND_NEAREST_EVEN = 0;
/** Toward zero. */
export const ROUND_TOWARD_ZERO = 1;
/** Toward negative infinity. */
export const ROUND_DOWN = 2;
/** Toward positive infinity. */
export const ROUND_UP = 3;
/** To nearest, ties away from zero. */
export const ROUND_NEAREST_AWAY = 4;

/** Integer format of a conversion: signed, 32 bits. */
export const INT32 = 0;
/** Unsigned, 32 bits. */
export const UINT32 = 1;
/** Signed, 64 bits. */
export const INT64 = 2;
/** Unsigned, 64 bits. */
export const UINT64 = 3;
