/** Instructions that were paid for and not executed count for nothing, wherever the block is left. */
import { assertEquals } from "@std/assert";
import { allocateCode, mappedMemory, nativeEntry } from "../../../../../accel/ffi/memory.ts";
import type { FrontEnd } from "../../../../../core/isa.ts";
import type { GuestRam } from "../../../../../core/memory.ts";
import { EMIT_HOT, EMIT_NORMAL, EXIT_SITE } from "../../../../../core/translator/backend.ts";
import { X64Backend } from "../../../../../core/translator/host/x64/backend.ts";
import * as ir from "../../../../../core/translator/ir.ts";
import {
  STATE_BUDGET,
  STATE_BUDGET_ASIDE,
  STATE_BYTES,
  STATE_ENTRY,
  STATE_EXIT_ARG,
  STATE_EXIT_REASON,
  STATE_HOST_FP_CONTROL,
  STATE_HOST_FP_DEFAULT,
  STATE_TIME_AT_ZERO,
  TLB_INVALID,
  TLB_LOAD,
  tlbTable,
} from "../../../../../core/translator/layout.ts";
import { verifyIr } from "../../../../../core/translator/verifier.ts";

const native = Deno.build.arch === "x86_64" && Deno.build.os === "linux";
const BUDGET = 100_000;
const PAGE = 0x3000;
const X1 = 8, X2 = 16, X3 = 24, X4 = 32;

/** A backend whose TLB misses are never refilled, with a state block. */
class Host implements Disposable {
  readonly block = new ir.Ir();
  readonly #code = allocateCode(16 << 20);
  readonly #data = allocateCode(16 << 20);
  readonly #pages = mappedMemory.allocate(STATE_BYTES);
  readonly state = new Int32Array(this.#pages.buffer);
  readonly backend = new X64Backend({ code: this.#code, data: this.#data }, this.block);

  constructor() {
    this.state[STATE_HOST_FP_CONTROL >> 2] = this.state[STATE_HOST_FP_DEFAULT >> 2] = this.backend.fpControl;
    const frontEnd = { walker: (stub: ir.Ir) => stub.return(stub.const(0)) } as Partial<FrontEnd>;
    this.backend.prepare(0, frontEnd as FrontEnd, undefined as unknown as GuestRam);
  }

  /** Runs the block, and returns how many instructions it took from the budget. */
  run(effort = EMIT_NORMAL): number {
    verifyIr(this.block);
    const { state } = this;
    state[STATE_ENTRY >> 2] = this.backend.emit(0, 0x1000, 0, effort);
    state[STATE_BUDGET >> 2] = BUDGET;
    nativeEntry(this.backend.enter, this.#pages.address)();
    return BUDGET - state[STATE_BUDGET >> 2];
  }

  [Symbol.dispose](): void {
    for (const memory of [this.#code, this.#data, this.#pages]) memory.free();
  }
}

Deno.test({
  name: "x64: a refund counts at the end of the block, at side exits, and for the time",
  ignore: !native,
  fn() {
    using host = new Host();
    const { block, state } = host;
    for (const [x1, x2, executed] of [[7, 0, 4], [7, 1, 3], [8, 0, 6], [8, 1, 5]]) {
      block.begin(0);
      for (const pc of [0x1000, 0x1004, 0x1008]) block.insn(pc, 0);
      block.refundIf(ir.COND_EQ, block.get(X1), block.const(7), 2);
      block.insn(0x100c, 0);
      block.set(X3, block.emit(ir.OP_TIME));
      block.insn(0x1010, 0);
      block.branch(ir.COND_NE, block.get(X2), block.const(0), 0x1400, 0);
      block.insn(0x1014, 0);
      block.leave(0x2000, 0);
      state[X1 >> 2] = x1;
      state[X2 >> 2] = x2;
      state[STATE_TIME_AT_ZERO >> 2] = BUDGET;
      assertEquals(host.run(), executed);
      assertEquals(state[X3 >> 2], x1 === 7 ? 1 : 3);
      host.backend.clear();
    }
  },
});

Deno.test({
  name: "x64: refunds do not lengthen a loop over a page that was checked",
  ignore: !native,
  fn() {
    using host = new Host();
    const { block, state } = host;
    const memory = mappedMemory.allocate(8192);
    const words = new Int32Array(memory.buffer).fill(1, 0, 1024).fill(1000, 1024);
    const tlb = tlbTable(0, TLB_LOAD) >> 2;
    for (let i = 0; i < 1024; i++) state[tlb + 4 * i] = TLB_INVALID;
    const addend = BigInt(memory.address - PAGE);
    state[tlb + 4 * 3] = PAGE;
    state[tlb + 4 * 3 + 2] = Number(BigInt.asIntN(32, addend));
    state[tlb + 4 * 3 + 3] = Number(addend >> 32n);

    block.begin(0);
    block.insn(0x1000, 0);
    const at = block.get(X1);
    const sum = block.bin(ir.OP_ADD64, block.get(X2), block.load(4, true, at, 0));
    block.set(X2, sum);
    block.insn(0x1004, 0);
    block.refundIf(ir.COND_EQ, block.bin(ir.OP_AND64, sum, block.const(1)), block.get(X4), 1);
    block.insn(0x1008, 0);
    block.set(X1, block.addImm(at, 4));
    block.jump(0x1000, 0);
    state[X1 >> 2] = PAGE;
    const taken = host.run(EMIT_HOT);

    assertEquals([state[X1 >> 2], state[X2 >> 2]], [PAGE + 4096, 1024], "stops where the page ends");
    assertEquals(state[STATE_EXIT_REASON >> 2], EXIT_SITE);
    assertEquals(host.backend.exits.siteInstruction(state[STATE_EXIT_ARG >> 2]), 0);
    assertEquals(taken - block.instructions, 1024 * 3 - 512, "every other sum is even");
    assertEquals(state[STATE_BUDGET_ASIDE >> 2], 0);
    assertEquals(words[1024], 1000);
    memory.free();
  },
});
