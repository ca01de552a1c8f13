import { assertEquals } from "@std/assert";
import { isAccess } from "../../../../../core/translator/host/x64/groups.ts";
import {
  CHECKS,
  FOLLOWS,
  LEADS,
  MirrorChecks,
} from "../../../../../core/translator/host/x64/mirror_checks.ts";
import * as ir from "../../../../../core/translator/ir.ts";

const A = 8, B = 16;
const block = new ir.Ir();

/** What the accesses in a block check, in order; instructions begin where the block says so. */
function checksOf(build: () => void): number[] {
  block.begin(0);
  build();
  block.leave(0x2000, 0);
  const checks = new MirrorChecks(block);
  checks.find();
  return [...block.op.subarray(0, block.length).keys()].filter((i) => isAccess(block.op[i])).map((i) =>
    checks.of[i]
  );
}

const insn = (pc: number, reach: number) => block.insn(pc, 0, reach);
const load = (base: number, disp: number) => block.load(8, false, base, disp);

Deno.test("the first access near a value checks for all others, loads and stores alike", () => {
  const checks = checksOf(() => {
    insn(0x1000, ir.REACHES_NEAR);
    const a = block.get(A);
    load(a, 8);
    insn(0x1004, ir.REACHES_NEAR);
    block.store(8, block.addImm(a, -64), 2047, a);
    insn(0x1008, ir.REACHES_NEAR);
    load(block.get(B), 0);
  });
  assertEquals(checks, [LEADS, FOLLOWS, CHECKS]);
});

Deno.test("an access does not follow one that is expected in another span", () => {
  const checks = checksOf(() => {
    const a = block.get(A);
    insn(0x1000, ir.REACHES_NEAR);
    load(a, 0);
    insn(0x1004, ir.REACHES_FAR);
    load(a, 8);
  });
  assertEquals(checks, [CHECKS, CHECKS]);
});

Deno.test("an access does not follow one that may be farther away than the guards are wide", () => {
  const checks = checksOf(() => {
    const a = block.get(A);
    insn(0x1000, ir.REACHES_NEAR);
    load(a, 0);
    insn(0x1004, ir.REACHES_NEAR);
    load(block.addImm(a, 1 << 29), 0);
  });
  assertEquals(checks, [CHECKS, CHECKS]);
});
