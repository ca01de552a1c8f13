import { assertEquals } from "@std/assert";
import { Groups } from "../../../../../core/translator/host/x64/groups.ts";
import * as ir from "../../../../../core/translator/ir.ts";

const A = 8, B = 16;
const block = new ir.Ir();

/** The groups of the accesses in a block, in order. */
function groupsOf(build: () => void): number[] {
  block.begin(0);
  block.insn(0x1000, 0);
  build();
  block.leave(0x1004, 0);
  const groups = new Groups(block);
  groups.find(false);
  const accesses = [ir.OP_LOAD, ir.OP_STORE];
  return [...block.op.subarray(0, block.length).keys()]
    .filter((i) => accesses.includes(block.op[i])).map((i) => groups.of[i]);
}

const load = (base: number, disp: number) => block.load(8, false, base, disp);

Deno.test("accesses near one register are a group, however their addresses are put together", () => {
  const groups = groupsOf(() => {
    const a = block.get(A);
    load(a, 0);
    load(block.addImm(a, 16), 8);
    load(block.addImm(block.addImm(a, 16), 16), -8);
  });
  assertEquals(groups, [0, 0, 0]);
});

Deno.test("loads and stores, other registers and what is far away are apart", () => {
  const groups = groupsOf(() => {
    const a = block.get(A);
    load(a, 0);
    load(a, 8);
    load(a, 256);
    load(block.get(B), 0);
    block.store(8, a, 0, a);
  });
  assertEquals(groups, [0, 0, -1, -1, -1]);
});

Deno.test("where the addend cannot stay in its register it is kept in memory, for a few groups at a time", () => {
  const groups = groupsOf(() => {
    const bases = [1, 2, 3, 4, 5, 6].map((i) => block.get(8 * i));
    for (const base of bases) load(base, 0);
    for (const base of bases) load(base, 8);
  });
  assertEquals(groups.slice(0, 6).filter((g) => g >= 0).length, 4);
  assertEquals(groups.slice(6), groups.slice(0, 6));
});

Deno.test("what an earlier block left behind for an op that is no access counts for nothing", () => {
  // In both blocks, the op between the two loads of the second one is at the same place.
  const build = (between: (a: number) => void) => () => {
    const a = block.get(A);
    load(a, 0);
    between(a);
    load(a, 8);
  };
  const groups = new Groups(block);
  const cells = [(a: number) => void load(a, 16), (a: number) => void block.hostLoad(8, false, a, 0)].map(
    (between) => {
      block.begin(0);
      block.insn(0x1000, 0);
      build(between)();
      block.leave(0x1004, 0);
      groups.find(false);
      return groups.cell(0) !== undefined;
    },
  );
  assertEquals(cells, [false, true]);
});
