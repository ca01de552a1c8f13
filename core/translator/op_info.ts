/** What each IR op reads and does, as data: for liveness, register allocation and verification. */
import * as ir from "./ir.ts";

/** Field a (b, c, d, lo) holds a value. */
export const USES_A = 1;
export const USES_B = 2;
export const USES_C = 4;
export const USES_D = 8;
export const USES_LO = 16;
/** Any other than a or b, which few ops do. */
export const USES_MORE: number = USES_C | USES_D | USES_LO;
/** Any field. */
export const USES: number = USES_A | USES_B | USES_MORE;
/** The result is an FP value (otherwise integer, if there is one). */
export const DEFINES_FP = 32;
/** The op defines a value. */
export const DEFINES = 64;
/** No effect but its value: may be removed when that is unused. */
export const PURE = 128;
/** May leave the block, so that the guest's state must be known there. */
export const LEAVES = 256;

/** Per op: a combination of the flags above. */
export const OP_INFO: Uint16Array = new Uint16Array(160);

const binary = USES_A | USES_B | DEFINES | PURE;
const unary = USES_A | DEFINES | PURE;

OP_INFO[ir.OP_CONST] = DEFINES | PURE;
OP_INFO[ir.OP_GET] = DEFINES | PURE;
OP_INFO[ir.OP_SET] = USES_B;
for (let op = ir.OP_ADD64; op <= ir.OP_REMU32; op++) OP_INFO[op] = binary;
for (let op = ir.OP_SEXT8; op <= ir.OP_BSWAP64; op++) OP_INFO[op] = unary;
OP_INFO[ir.OP_ADD_SHIFTED] = OP_INFO[ir.OP_ANDN64] = binary;
OP_INFO[ir.OP_SETCC] = binary;
OP_INFO[ir.OP_SELECT] = binary | USES_D | USES_LO;
OP_INFO[ir.OP_LOAD] = USES_A | DEFINES | LEAVES;
OP_INFO[ir.OP_STORE] = USES_A | USES_B | LEAVES;
OP_INFO[ir.OP_FLOAD] = USES_A | DEFINES | DEFINES_FP | LEAVES;
OP_INFO[ir.OP_FSTORE] = USES_A | USES_B | LEAVES;
OP_INFO[ir.OP_TRANSLATE_STORE] = USES_A | DEFINES | LEAVES;
OP_INFO[ir.OP_HOST_LOAD] = USES_A | DEFINES;
OP_INFO[ir.OP_HOST_STORE] = USES_A | USES_B;
OP_INFO[ir.OP_STATE_ADDRESS] = DEFINES | PURE;
OP_INFO[ir.OP_TIME] = DEFINES | PURE;
OP_INFO[ir.OP_FP_FLAGS] = DEFINES;
OP_INFO[ir.OP_FLT_QUIET] = OP_INFO[ir.OP_FLE_QUIET] = USES_A | USES_B | DEFINES | LEAVES;
OP_INFO[ir.OP_REFUND_IF] = USES_A | USES_B;
OP_INFO[ir.OP_BRANCH] = USES_A | USES_B | LEAVES;
OP_INFO[ir.OP_INTERPRET_IF] = USES_A | USES_B | LEAVES;
OP_INFO[ir.OP_INTERPRET] = LEAVES;
OP_INFO[ir.OP_JUMP] = LEAVES;
OP_INFO[ir.OP_STREAM_LOAD] = USES_A | DEFINES;
OP_INFO[ir.OP_STREAM_STORE] = OP_INFO[ir.OP_STREAM_FSTORE] = USES_A | USES_B;
OP_INFO[ir.OP_STREAM_FLOAD] = USES_A | DEFINES | DEFINES_FP;
OP_INFO[ir.OP_EXIT_UNLESS_PC] = USES_A | LEAVES;
OP_INFO[ir.OP_JUMP_IND] = USES_A | LEAVES;
OP_INFO[ir.OP_JUMP_CONTEXT] = USES_A | LEAVES; // a = -1: none
OP_INFO[ir.OP_LEAVE] = LEAVES;
OP_INFO[ir.OP_GOTO_IF] = USES_A | USES_B;
OP_INFO[ir.OP_RETURN] = USES_A;
OP_INFO[ir.OP_FGET] = DEFINES | DEFINES_FP | PURE;
OP_INFO[ir.OP_FSET] = USES_B;
OP_INFO[ir.OP_FUNBOX] = USES_A | DEFINES | DEFINES_FP | LEAVES;
OP_INFO[ir.OP_FBOX] = unary | DEFINES_FP;
// Arithmetic raises flags, so it is kept even if its value is unused.
for (let op = ir.OP_FADD; op <= ir.OP_FDIV; op++) OP_INFO[op] = USES_A | USES_B | DEFINES | DEFINES_FP;
OP_INFO[ir.OP_FSQRT] = USES_A | DEFINES | DEFINES_FP;
for (let op = ir.OP_FMADD; op <= ir.OP_FNMADD; op++) {
  OP_INFO[op] = USES_A | USES_B | USES_C | DEFINES | DEFINES_FP | LEAVES;
}
OP_INFO[ir.OP_FCANON] = unary | DEFINES_FP;
OP_INFO[ir.OP_FMIN] = OP_INFO[ir.OP_FMAX] = USES_A | USES_B | DEFINES | DEFINES_FP | LEAVES;
for (let op = ir.OP_FEQ; op <= ir.OP_FLE; op++) OP_INFO[op] = USES_A | USES_B | DEFINES;
for (let op = ir.OP_FSGNJ; op <= ir.OP_FSGNJX; op++) OP_INFO[op] = binary | DEFINES_FP;
OP_INFO[ir.OP_I2F] = USES_A | DEFINES | DEFINES_FP;
OP_INFO[ir.OP_F2I] = USES_A | DEFINES | LEAVES;
OP_INFO[ir.OP_F64_TO_F32] = OP_INFO[ir.OP_F32_TO_F64] = USES_A | DEFINES | DEFINES_FP;
OP_INFO[ir.OP_F_BITS] = unary;
OP_INFO[ir.OP_BITS_F] = unary | DEFINES_FP;
