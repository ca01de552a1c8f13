import { assertEquals } from "@std/assert";
import { leavesOf } from "../../../../../core/translator/host/x64/recompute.ts";
import * as ir from "../../../../../core/translator/ir.ts";

Deno.test("a value can be computed at an exit if it is a chain that begins with what is at hand there", () => {
  const block = new ir.Ir();
  block.begin(0);
  block.insn(0x1000, 0);
  const a = block.get(8), b = block.get(16), gone = block.get(24);
  const atHand = (v: number) => v === a || v === b;
  const leaves = (v: number) => leavesOf(block, v, atHand);
  const shifted = block.bin(ir.OP_SHR32, a, block.const(7));
  assertEquals(leaves(shifted), [a]);
  assertEquals(leaves(block.un(ir.OP_SEXT32, block.bin(ir.OP_XOR64, shifted, block.const(5)))), [a]);
  assertEquals(leaves(block.bin(ir.OP_AND64, a, b)), [a, b]);
  assertEquals(leaves(block.bin(ir.OP_AND64, a, gone)), undefined);
  assertEquals(leaves(block.bin(ir.OP_AND64, shifted, b)), undefined);
  assertEquals(leaves(block.bin(ir.OP_SHL64, a, b)), undefined);
  assertEquals(leaves(block.bin(ir.OP_MUL64, a, b)), undefined);
  assertEquals(leaves(block.load(8, false, a, 0)), undefined);
});
