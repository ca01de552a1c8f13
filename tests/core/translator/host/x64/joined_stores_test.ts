import { assertEquals } from "@std/assert";
import { JoinedStores } from "../../../../../core/translator/host/x64/joined_stores.ts";
import { MirrorChecks } from "../../../../../core/translator/host/x64/mirror_checks.ts";
import * as ir from "../../../../../core/translator/ir.ts";

const A = 8, B = 16;
const block = new ir.Ir();

/** Which stores of a block, counted from 0, are made by which: "0: 2 1 …" where the first makes the third and others. */
function joinsOf(build: (from: number, to: number) => void): string[] {
  block.begin(0);
  block.insn(0x1000, 0, ir.REACHES_NEAR);
  build(block.get(A), block.get(B));
  block.leave(0x2000, 0);
  const checks = new MirrorChecks(block), joined = new JoinedStores(block);
  checks.find();
  joined.find(checks);
  const stores = [...block.op.subarray(0, block.length).keys()].filter((i) => block.op[i] === ir.OP_STORE);
  return stores.flatMap((i, at) => {
    const bytes = joined.bytesOf(i);
    if (bytes === undefined) return joined.isMade(i) ? [`${at} made`] : [];
    return [`${at}: ${bytes.map((byte) => stores.indexOf(byte)).join(" ")}`];
  });
}

const insn = (reach = ir.REACHES_NEAR) => block.insn(0x1004, 0, reach);
const loadByte = (base: number, disp: number) => block.load(1, false, base, disp);
const storeByte = (base: number, disp: number, value: number) => block.store(1, base, disp, value);

Deno.test("stores of a word's bytes are made by the first, in whatever order they are", () => {
  const joins = joinsOf((from, to) => {
    const bytes = [0, 1, 2, 3].map((k) => loadByte(from, k));
    for (const k of [1, 2, 0, 3]) {
      insn();
      storeByte(to, 8 + k, bytes[k]);
    }
  });
  assertEquals(joins, ["0: 2 0 1 3", "1 made", "2 made", "3 made"]);
});

Deno.test("bytes of less than a word, or with one twice, are stored one by one", () => {
  const stored = (disps: readonly number[]) =>
    joinsOf((from, to) => {
      const byte = loadByte(from, 0);
      for (const disp of disps) storeByte(to, disp, byte);
    });
  assertEquals(stored([0, 1, 2]), []);
  assertEquals(stored([0, 1, 2, 4]), []);
  assertEquals(stored([0, 1, 2, 2]), []);
  assertEquals(stored([3, 2, 1, 0, 4, 5]), ["0: 3 2 1 0", "1 made", "2 made", "3 made"]);
});

Deno.test("stores are not joined across what could leave the block, nor before their values are there", () => {
  const between = (middle: (from: number, to: number) => number) =>
    joinsOf((from, to) => {
      const byte = loadByte(from, 0);
      for (const disp of [0, 1, 2]) storeByte(to, disp, byte);
      storeByte(to, 3, middle(from, to) || byte);
    });
  assertEquals(between(() => 0), ["0: 0 1 2 3", "1 made", "2 made", "3 made"]);
  assertEquals(between((from) => loadByte(from, 1)), []);
  assertEquals(between((from) => block.addImm(from, 1)), []);
  assertEquals(between((from) => (storeByte(from, 0, from), 0)), []);
  assertEquals(between(() => (insn(ir.REACHES_UNKNOWN), 0)), []);
});
