import { assertEquals } from "@std/assert";
import * as ir from "../../../core/translator/ir.ts";
import { SlotUse } from "../../../core/translator/slot_use.ts";

const A = 8, B = 16, C = 24, D = 32;

function block(build: (block: ir.Ir) => void, signed: readonly number[] = []): ir.Ir {
  const made = new ir.Ir();
  made.begin(0);
  made.assumeSigned(signed);
  made.insn(0x1000, 0);
  build(made);
  made.leave(0x1004, 0);
  return made;
}

Deno.test("slots are worth as much as they are read and set, times how often", () => {
  const use = new SlotUse();
  use.add(block((b) => b.set(A, b.get(B))), 10);
  use.add(block((b) => b.set(B, b.get(C))), 5);
  assertEquals(use.most(2), [B, A]);
  assertEquals([use.isSet(A), use.isSet(B), use.isSet(C)], [true, true, false]);
  use.clear();
  assertEquals(use.slots(), []);
});

Deno.test("a slot that nothing is known to run is still used only once", () => {
  const use = new SlotUse();
  use.add(block((b) => b.set(A, b.bin(ir.OP_ADD64, b.get(A), b.get(B)))), 0);
  assertEquals(use.most(9).sort(), [B, A].sort());
});

Deno.test("a copy is a sign extension if what it is a copy of is, and relies on that", () => {
  const build = (b: ir.Ir) => {
    b.set(A, b.get(B));
    b.set(C, b.un(ir.OP_SEXT32, b.get(D)));
    b.set(D, b.bin(ir.OP_ADD64, b.get(A), b.const(1)));
  };
  const use = new SlotUse();
  use.add(block(build, [A, B]), 1);
  assertEquals(use.signed().sort(), [A, B, C].sort());
  const relied = new Set([A]);
  use.addRelied(relied);
  assertEquals([...relied], [A, B]);
});

Deno.test("extending what is taken to be a sign extension is nothing", () => {
  const extended = (signed: readonly number[]) => {
    const made = block((b) => b.set(A, b.un(ir.OP_SEXT32, b.bin(ir.OP_XOR64, b.get(B), b.get(C)))), signed);
    return [made.has(ir.OP_SEXT32), [...made.relied]];
  };
  assertEquals(extended([B]), [true, [B]]);
  assertEquals(extended([B, C]), [false, [B, C]]);
});
