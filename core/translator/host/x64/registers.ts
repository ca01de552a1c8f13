/**
 * The x86-64 backend's use of host registers.
 *
 *     rbp         state block + 128, so that the first 32 slots have 8-bit displacements
 *     r15d        budget: instructions left before the next event
 *     rax rcx     scratch within one op
 *     the rest    values; xmm0-1 scratch, xmm2-15 values
 */
export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
export const R8 = 8;
export const R9 = 9;
export const R10 = 10;
export const R11 = 11;
export const R12 = 12;
export const R13 = 13;
export const R14 = 14;
export const R15 = 15;

/** Holds the state block's address + {@linkcode STATE_BIAS}. */
export const STATE = RBP;
/** What is added to the state block's address in {@linkcode STATE}. */
export const STATE_BIAS = 128;
/** Holds the budget. */
export const BUDGET = R15;

/**
 * Integer registers for values, in the order they are handed out: those without a REX prefix first, and last
 * rdx, which multiplications and divisions claim.
 */
export const VALUE_REGISTERS: readonly number[] = [RBX, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, RDX];
/** First FP register for values; 0 and 1 are scratch. */
export const FIRST_VALUE_XMM = 2;

// Condition codes (Intel SDM vol. 2, appendix B)
export const CC_O = 0;
export const CC_B = 2;
export const CC_AE = 3;
export const CC_E = 4;
export const CC_NE = 5;
export const CC_A = 7;
export const CC_S = 8;
export const CC_NS = 9;
export const CC_P = 10;
export const CC_NP = 11;
export const CC_L = 12;
export const CC_GE = 13;
