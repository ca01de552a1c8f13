/** The verifier accepts what is well-formed and says what is not. */
import { assertStringIncludes, assertThrows } from "@std/assert";
import { COND_NE, Ir, OP_ADD64, OP_BITS_F, OP_FADD, OP_SET } from "../../../core/translator/ir.ts";
import { IrError, printIr, verifyIr } from "../../../core/translator/verifier.ts";

/** A block with one instruction, built by `build` and ended with a jump. */
function block(build: (ir: Ir) => void): Ir {
  const ir = new Ir();
  ir.begin(0);
  ir.insn(0x1000, 0);
  build(ir);
  if (!ir.ended) ir.jump(0x1004, 0);
  return ir;
}

function refuses(build: (ir: Ir) => void, why: string): void {
  assertThrows(() => verifyIr(block(build)), IrError, why);
}

Deno.test("accepts loads before sets, and a store at the end of an instruction", () => {
  verifyIr(block((ir) => {
    const base = ir.get(8);
    ir.set(16, ir.load(8, false, base, 4));
    ir.insn(0x1004, 0);
    ir.store(8, base, 0, ir.get(16));
  }));
});

Deno.test("refuses a load, a guard or a branch after an effect of the same instruction", () => {
  refuses((ir) => {
    ir.set(16, ir.const(1));
    ir.load(8, false, ir.get(8), 0);
  }, "load may leave the block after an effect");
  refuses((ir) => {
    ir.set(16, ir.const(1));
    ir.interpretIf(COND_NE, ir.get(8), ir.const(0));
  }, "interpretIf may leave the block after an effect");
  refuses((ir) => {
    ir.store(8, ir.get(8), 0, ir.get(16));
    ir.store(8, ir.get(8), 8, ir.get(16));
  }, "store may leave the block after an effect");
  refuses((ir) => {
    ir.set(16, ir.const(1));
    ir.branch(COND_NE, ir.get(8), ir.const(0), 0x2000, 0);
  }, "a branch follows an effect");
});

Deno.test("refuses to refund what was not paid for, and to leave the block after a refund", () => {
  refuses((ir) => ir.refundIf(COND_NE, ir.get(8), ir.const(0), 1), "refunds 1 of 0 instructions");
  refuses((ir) => {
    ir.insn(0x1004, 0);
    ir.refundIf(COND_NE, ir.get(8), ir.const(0), 1);
    ir.interpret();
  }, "interpret may leave the block after an effect");
});

Deno.test("refuses operands that are not defined, or of the wrong kind", () => {
  refuses((ir) => ir.set(16, ir.emit(OP_ADD64, ir.get(8), 7)), "operand 7 is not defined here");
  refuses((ir) => ir.set(16, ir.fget(256)), "of the wrong kind");
  refuses((ir) => {
    const double = ir.fget(256);
    ir.fset(264, 4, ir.fop(OP_FADD, 4, double, double));
  }, "of the wrong kind");
  refuses((ir) => ir.fset(264, 8, ir.emit(OP_BITS_F, ir.const(0))), "of no format");
});

Deno.test("refuses blocks without an end, with an op behind it, or with a slot that is none", () => {
  refuses((ir) => {
    ir.get(8);
    ir.ended = true;
  }, "the block has no end");
  refuses((ir) => {
    ir.jump(0x1004, 0);
    ir.jump(0x1008, 0);
  }, "an op follows the end");
  refuses((ir) => ir.set(12, ir.const(0)), "no slot at 12");
  refuses((ir) => ir.label(0), "label outside of a stub");
});

Deno.test("in a stub no value crosses a label", () => {
  const stub = new Ir();
  stub.begin(0, true);
  const early = stub.const(1);
  const label = stub.newLabel();
  stub.label(label);
  stub.return(early);
  assertThrows(() => verifyIr(stub), IrError, "operand 0 is not defined here");
});

Deno.test("prints a block one op per line", () => {
  const text = printIr(block((ir) => ir.emit(OP_SET, 16, ir.const(-2))));
  assertStringIncludes(text, "1: const  0xfffffffffffffffe");
  assertStringIncludes(text, "2: set 16, 1");
});
