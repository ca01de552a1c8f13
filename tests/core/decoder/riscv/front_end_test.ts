/** How the front end grows blocks. */
import { assert, assertEquals } from "@std/assert";
import { PRIV_M, PRIV_S } from "../../../../core/decoder/riscv/trap.ts";
import { MMU_MACHINE, S_MSTATUS } from "../../../../core/decoder/riscv/state.ts";
import {
  COND_EQ,
  OP_BRANCH,
  OP_INSN,
  OP_INTERPRET,
  OP_JUMP,
  OP_JUMP_CONTEXT,
  OP_JUMP_IND,
  OP_REFUND_IF,
  OP_SELECT,
} from "../../../../core/translator/ir.ts";
import {
  A0,
  A1,
  addi,
  csrrc,
  csrrs,
  EBREAK,
  jalr,
  jump,
  lw,
  NOP,
  program,
  RA,
  T0,
  ZERO,
} from "./hart_fixture.ts";
import { TLB_FETCH } from "../../../../core/translator/layout.ts";
import { verifyIr } from "../../../../core/translator/verifier.ts";
import { Lockstep, RAM, RAM_BYTES } from "./lockstep_fixture.ts";

const SSTATUS = 0x100;
const PAGE_END = RAM + 4096;

const lockstep = new Lockstep();
const { ir, frontEnd, translated } = lockstep;

const beq = (rs1: number, rs2: number, displacement: number) =>
  (displacement >> 12) << 31 | (displacement & 0x7e0) << 20 | rs2 << 20 | rs1 << 15 |
  (displacement & 0x1e) << 7 | (displacement & 0x800) >> 4 | 0x63;
const lui = (rd: number, imm: number) => imm | rd << 7 | 0x37;

/** Translates the words at an address in the given mode. */
function translate(words: readonly number[], at = RAM, privilege = PRIV_M, maxInstructions = 64): void {
  translated.ram.u8.fill(0);
  translated.hart.reset(BigInt(at), privilege, 0n, 0n);
  program(translated.ram, at, ...words);
  assert(lockstep.translate(maxInstructions));
}

/** The low halves of the pcs of the block's instructions, from RAM's start. */
function pcs(): number[] {
  const found: number[] = [];
  for (let i = 0; i < ir.length; i++) if (ir.op[i] === OP_INSN) found.push((ir.lo[i] >>> 0) - RAM);
  return found;
}

/** Ops of a kind, by where they lead. */
function targets(op: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < ir.length; i++) if (ir.op[i] === op) found.push((ir.lo[i] >>> 0) - RAM);
  return found;
}

Deno.test("a forward branch is a side exit, and the block goes on behind it", () => {
  translate([NOP, beq(A0, T0, 16), NOP, EBREAK]);
  assertEquals(pcs(), [0, 4, 8, 12]);
  assertEquals(targets(OP_BRANCH), [20]);
  assertEquals(ir.op[ir.length - 1], OP_INTERPRET);
});

Deno.test("a branch over a few plain instructions makes them conditional", () => {
  translate([beq(A0, T0, 16), addi(A0, A0, 1), lui(A1, 1 << 12), NOP, addi(T0, A0, 0), EBREAK]);
  assertEquals(pcs(), [0, 4, 8, 12, 16, 20]);
  assertEquals(targets(OP_BRANCH), []);
  assertEquals(targets(OP_SELECT).length, 2);
  const refund = ir.op.indexOf(OP_REFUND_IF);
  assertEquals([ir.c[refund], ir.d[refund]], [COND_EQ, 3]);
  for (const [a0, t0, a1, retired] of [[5n, 6n, 0x1000n, 5], [6n, 6n, 0n, 2]] as const) {
    for (const [register, value] of [["a0", a0], ["t0", t0], ["a1", 0n]] as const) {
      translated.hart.setRegister(register, value);
    }
    assertEquals(lockstep.evaluator.run(ir).retired, retired);
    assertEquals([translated.hart.register("a0"), translated.hart.register("a1")], [6n, a1]);
    assertEquals(translated.hart.register("t0"), 6n);
  }
});

Deno.test("a branch over anything else stays a side exit", () => {
  const over = (...words: number[]) => {
    translate([beq(A0, T0, 4 + 4 * words.length), ...words, EBREAK]);
    return [targets(OP_BRANCH).length, ir.op.subarray(0, ir.length).includes(OP_REFUND_IF)];
  };
  const [sideExit, hammock] = [[1, false], [0, true]];
  assertEquals(over(NOP, NOP, NOP, NOP), hammock);
  assertEquals(over(NOP, NOP, NOP, NOP, NOP), sideExit);
  assertEquals(over(), sideExit);
  assertEquals(over(lw(A1, A0)), sideExit);
  assertEquals(over(0x02b50533), sideExit); // mul
  assertEquals(over(jump(8)), sideExit);
  assertEquals(over(beq(A0, T0, 8)), [2, false]);
  assertEquals(over(EBREAK), sideExit);
});

Deno.test("a branch over instructions that the block has no room for stays a side exit", () => {
  const words = [NOP, beq(A0, T0, 12), NOP, NOP, EBREAK];
  translate(words, RAM, PRIV_M, 4);
  assertEquals([pcs(), targets(OP_BRANCH), targets(OP_JUMP)], [[0, 4, 8, 12], [], [16]]);
  translate(words, RAM, PRIV_M, 3);
  assertEquals([pcs(), targets(OP_BRANCH), targets(OP_JUMP)], [[0, 4, 8], [16], [12]]);
  translate(words, PAGE_END - 12);
  assertEquals(targets(OP_BRANCH), [4100]);
});

/** Translates the loop at RAM's start along a trace, given by offsets in the page. */
function translateTrace(words: readonly number[], offsets: readonly number[]): void {
  translate(words);
  ir.begin(ir.context);
  const trace = { offsets: Uint16Array.from(offsets), length: offsets.length, next: offsets[0] };
  frontEnd.translate(translated.hart, 0, 64, ir, { trace });
  verifyIr(ir);
}

Deno.test("in a trace, a hammock is the same whichever way the trace went", () => {
  const words = [lw(A1, A0), beq(A1, T0, 12), NOP, NOP, jump(-16)];
  for (const trace of [[0, 4, 8, 12, 16], [0, 4, 16]]) {
    translateTrace(words, trace);
    assertEquals([pcs(), targets(OP_BRANCH), targets(OP_JUMP)], [[0, 4, 8, 12, 16], [], [0]]);
  }
});

Deno.test("a trace may go through a hammock more than once, each time another way", () => {
  const words = [NOP, beq(A1, T0, 8), NOP, beq(A0, T0, -8), beq(A0, A1, -16)];
  translateTrace(words, [0, 4, 12, 4, 8, 12, 16]);
  assertEquals(pcs(), [0, 4, 8, 12, 4, 8, 12, 16]);
  assertEquals([targets(OP_BRANCH), targets(OP_JUMP)], [[16, 4, 20], [0]]);
});

Deno.test("a trace that begins among the instructions which a branch skips keeps the branch", () => {
  translated.ram.u8.fill(0);
  program(translated.ram, RAM, beq(A1, T0, 12), NOP, NOP, jump(-12));
  translated.hart.reset(BigInt(RAM + 8), PRIV_M, 0n, 0n);
  ir.begin(translated.hart.context());
  const trace = { offsets: Uint16Array.of(8, 12, 0, 4), length: 4, next: 8 };
  frontEnd.translate(translated.hart, 8, 64, ir, { trace });
  verifyIr(ir);
  assertEquals([pcs(), targets(OP_BRANCH), targets(OP_JUMP)], [[8, 12, 0, 4], [12], [8]]);
});

Deno.test("a trace that goes where no instruction leads, such as to a handler, is left there", () => {
  translateTrace([NOP, NOP, jump(-8)], [0, 4, 64, 8]);
  assertEquals([pcs(), targets(OP_JUMP)], [[0, 4], [8]]);
});

Deno.test("a branch back to the entry ends the block as a loop, and leaving it is the side exit", () => {
  translate([addi(A0, A0, 1), NOP, beq(A0, T0, -8)]);
  assertEquals(targets(OP_BRANCH), [12]);
  assertEquals(targets(OP_JUMP), [0]);
});

Deno.test("direct jumps within the page are followed, calls too", () => {
  translate([jump(8), EBREAK, jump(12) | RA << 7, EBREAK, EBREAK, jalr(ZERO, RA)]);
  assertEquals(pcs(), [0, 8, 20]);
  assertEquals(ir.op[ir.length - 1], OP_JUMP_IND);
  assertEquals([frontEnd.startOffset, frontEnd.endOffset], [0, 24]);
});

Deno.test("a jump backward is followed below the entry", () => {
  translated.ram.u8.fill(0);
  program(translated.ram, RAM + 0x100, NOP, EBREAK, jump(-8));
  translated.hart.setPc((RAM + 0x108) | 0, 0);
  assert(lockstep.translate(64));
  assertEquals(pcs(), [0x108, 0x100, 0x104]);
  assertEquals([frontEnd.startOffset, frontEnd.endOffset], [0x100, 0x10c]);
});

Deno.test("no instruction is in a block twice", () => {
  translate([NOP, NOP, jump(-4)]);
  assertEquals(pcs(), [0, 4, 8]);
  assertEquals(targets(OP_JUMP), [4]);
});

Deno.test("a jump out of the page ends the block", () => {
  translate([jump(0x2000)]);
  assertEquals(targets(OP_JUMP), [0x2000]);
});

Deno.test("a block ends at the page's end", () => {
  translate([NOP, NOP], PAGE_END - 8);
  assertEquals(pcs(), [4088, 4092]);
  assertEquals(targets(OP_JUMP), [4096]);
});

Deno.test("an instruction that reaches into the next page is a block's last, and looks at what is there", () => {
  translate([NOP, NOP, NOP], PAGE_END - 6);
  assertEquals(pcs(), [4090, 4094]);
  assertEquals(targets(OP_JUMP), [4098]);
  assertEquals([frontEnd.startOffset, frontEnd.endOffset], [4090, 4096]);
  assertEquals(lockstep.evaluator.run(ir).kind, "interpret"); // the next page is in no TLB
  translated.hart.mmu.lookup(PAGE_END | 0, 0, 2, TLB_FETCH, MMU_MACHINE);
  assertEquals(lockstep.evaluator.run(ir), {
    kind: "jump",
    pc: BigInt(PAGE_END + 2),
    retired: 2,
    context: 3,
  });
  translated.ram.view.setUint16(4096, 1, true);
  assertEquals(lockstep.evaluator.run(ir).kind, "interpret");
});

Deno.test("an instruction whose second half is not in RAM is the interpreter's", () => {
  const end = RAM + RAM_BYTES;
  translate([NOP], end - 6);
  translated.ram.view.setUint16(RAM_BYTES - 2, 3, true);
  assert(lockstep.translate(64));
  assertEquals([ir.instructions, ir.op[ir.length - 1]], [2, OP_INTERPRET]);
});

Deno.test("a block has at most as many instructions as asked for, and then goes on elsewhere", () => {
  translate([NOP, NOP, NOP, NOP], RAM, PRIV_M, 3);
  assertEquals(pcs(), [0, 4, 8]);
  assertEquals(targets(OP_JUMP), [12]);
});

Deno.test("a block of any instructions fits the IR", () => {
  translate(new Array(1000).fill(0x28755513), RAM, PRIV_M, 1000); // orc.b
  assert(ir.length > 1800 && ir.length < 2048);
});

Deno.test("clearing what is clear in sstatus stays in the block, setting SUM goes to its context", () => {
  translate([lui(T0, 1 << 18), csrrc(A0, SSTATUS, T0), NOP, csrrs(ZERO, SSTATUS, T0)], RAM, PRIV_S);
  assertEquals(pcs(), [0, 4, 8, 12]);
  assertEquals(targets(OP_JUMP_CONTEXT), [16]);
  const context = ir.c[ir.length - 1];
  translated.hart.state[S_MSTATUS >> 2] |= 1 << 18;
  assertEquals(context, translated.hart.context());
});
