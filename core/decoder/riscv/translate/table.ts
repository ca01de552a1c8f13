/** The translate function of every instruction, by id. An instruction no chapter names is the interpreter's. */
import { indexById } from "../encodings.ts";
import { ATOMIC } from "./atomic.ts";
import { BASE_INTEGER } from "./base_integer.ts";
import { BITMANIP } from "./bitmanip.ts";
import { CSR } from "./csr.ts";
import { FLOAT } from "./float.ts";
import { MULDIV } from "./muldiv.ts";
import { PRIVILEGED } from "./privileged.ts";
import type { Translate, Translation } from "./translation.ts";

/** Ends the block before the instruction. */
function interpret(t: Translation, _insn: number): void {
  t.ir.interpret();
}

/** Translate functions by instruction id. */
export const TRANSLATE: readonly Translate[] = indexById<Translate>({
  ...BASE_INTEGER,
  ...MULDIV,
  ...ATOMIC,
  ...CSR,
  ...FLOAT,
  ...BITMANIP,
  ...PRIVILEGED,
}, interpret);
