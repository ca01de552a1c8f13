/** What a block that is a loop does with state slots from one round to the next. */
import { type Ir, OP_FGET, OP_FSET, OP_GET, OP_SET } from "../../ir.ts";
import { LEAVES, OP_INFO } from "../../op_info.ts";

/** The value a slot is set to last in the block, or -1. */
export function finalValue(ir: Ir, slot: number): number {
  for (let i = ir.length - 1; i >= 0; i--) {
    if ((ir.op[i] === OP_SET || ir.op[i] === OP_FSET) && ir.a[i] === slot) return ir.b[i];
  }
  return -1;
}

/** Whether the block sets a slot before anything reads it or may leave. */
export function setsFirst(ir: Ir, slot: number): boolean {
  for (let i = 0; i < ir.length; i++) {
    const op = ir.op[i];
    if ((op === OP_SET || op === OP_FSET) && ir.a[i] === slot) return true;
    if ((OP_INFO[op] & LEAVES) !== 0) return false;
    if ((op === OP_GET || op === OP_FGET) && ir.a[i] === slot) return false;
  }
  return false;
}
