/** Random integer IR, run natively and by the evaluator: every slot must agree. */
import { assertEquals } from "@std/assert";
import { allocateCode, mappedMemory, nativeEntry } from "../../../../../accel/ffi/memory.ts";
import { EMIT_NORMAL } from "../../../../../core/translator/backend.ts";
import { X64Backend } from "../../../../../core/translator/host/x64/backend.ts";
import * as ir from "../../../../../core/translator/ir.ts";
import { IrEvaluator } from "../../../../../core/translator/ir_evaluator.ts";
import {
  STATE_BUDGET,
  STATE_BYTES,
  STATE_ENTRY,
  STATE_HOST_FP_CONTROL,
  STATE_HOST_FP_DEFAULT,
} from "../../../../../core/translator/layout.ts";

const native = Deno.build.arch === "x86_64" && Deno.build.os === "linux";

/** A small deterministic generator (xorshift32). */
function generator(seed: number): (below: number) => number {
  let x = seed | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const BINARY = Array.from({ length: ir.OP_REMU32 - ir.OP_ADD64 + 1 }, (_, i) => ir.OP_ADD64 + i);
const UNARY = Array.from({ length: ir.OP_BSWAP64 - ir.OP_SEXT8 + 1 }, (_, i) => ir.OP_SEXT8 + i);
const EDGES = [0, 1, -1, 2, 31, 32, 63, 64, 0x7fffffff, -0x80000000, 0xff, 0x8000, 127, -128];

function build(block: ir.Ir, random: (n: number) => number): void {
  block.begin(0);
  const instructions = 1 + random(12);
  for (let k = 0; k < instructions; k++) {
    block.insn(0x1000 + 4 * k, 0);
    const values: number[] = [block.get(8 * random(16)), block.get(8 * random(16))];
    for (let j = random(4); j >= 0; j--) {
      const pick = () => values[random(values.length)];
      const constant = () =>
        random(3) === 0
          ? block.const64(EDGES[random(EDGES.length)], EDGES[random(EDGES.length)])
          : block.const(EDGES[random(EDGES.length)]);
      const operand = () => random(3) === 0 ? constant() : pick();
      switch (random(5)) {
        case 0:
          values.push(block.un(UNARY[random(UNARY.length)], pick()));
          break;
        case 1:
          values.push(block.setcc(random(6), operand(), operand()));
          break;
        case 2:
          values.push(block.select(random(6), operand(), operand(), operand(), operand()));
          break;
        default:
          values.push(block.bin(BINARY[random(BINARY.length)], operand(), operand()));
      }
    }
    block.set(8 * random(16), values[values.length - 1]);
    if (random(3) === 0) block.set(8 * random(16), values[random(values.length)]);
  }
  block.leave(0x2000, 0);
}

Deno.test({
  name: "x64: 4,000 random integer blocks leave every slot as the evaluator does",
  ignore: !native,
  fn() {
    const code = allocateCode(16 << 20), data = allocateCode(16 << 20);
    const block = new ir.Ir();
    const backend = new X64Backend({ code, data }, block);
    const pages = mappedMemory.allocate(STATE_BYTES), model = mappedMemory.allocate(STATE_BYTES);
    const state = new Int32Array(pages.buffer), expected = new Int32Array(model.buffer);
    state[STATE_HOST_FP_CONTROL >> 2] = state[STATE_HOST_FP_DEFAULT >> 2] = backend.fpControl;
    const enter = nativeEntry(backend.enter, pages.address);
    for (let seed = 1; seed <= 4000; seed++) {
      const random = generator(seed * 2654435761);
      build(block, random);
      for (let i = 0; i < 64; i++) {
        state[i] = expected[i] = random(4) === 0 ? EDGES[random(EDGES.length)] : random(2 ** 32) | 0;
      }
      const at = backend.emit(0, 0x1000, 0, EMIT_NORMAL);
      if (at === 0) {
        backend.clear();
        seed--;
        continue;
      }
      state[STATE_ENTRY >> 2] = at;
      state[STATE_BUDGET >> 2] = 1000;
      enter();
      new IrEvaluator({
        state: { address: model.address, bytes: new Uint8Array(model.buffer) },
        spans: [],
      }).run(block);
      for (let i = 0; i < 64; i++) assertEquals(state[i], expected[i], `seed ${seed}, word ${i}`);
      assertEquals(state[STATE_BUDGET >> 2], 1000 - block.instructions);
    }
    for (const p of [code, data, pages, model]) p.free();
  },
});
