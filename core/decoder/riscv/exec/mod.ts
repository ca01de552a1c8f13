/** The semantics of every instruction, gathered from the manual's chapters and indexed by row id. */
import { indexById } from "../encodings.ts";
import { ATOMIC } from "./atomic.ts";
import { BASE_INTEGER } from "./base_integer.ts";
import { BITMANIP } from "./bitmanip.ts";
import { FLOAT_DOUBLE } from "./float_double.ts";
import { FLOAT_SINGLE } from "./float_single.ts";
import type { Execute, Semantics } from "./hart_interface.ts";
import { MULDIV } from "./muldiv.ts";
import { SYSTEM } from "./system.ts";

export type { Execute, Hart, Semantics } from "./hart_interface.ts";

/** All instructions by name. */
export const SEMANTICS: Semantics = {
  ...BASE_INTEGER,
  ...MULDIV,
  ...ATOMIC,
  ...FLOAT_SINGLE,
  ...FLOAT_DOUBLE,
  ...BITMANIP,
  ...SYSTEM,
};

/** `EXEC[decode(insn)](hart, insn)` executes an instruction; illegal ones too, by raising the exception. */
export const EXEC: readonly Execute[] = indexById(SEMANTICS, SYSTEM.illegal);
