/**
 * Hammocks: forward branches over a few plain integer instructions. Which way such a branch goes is often
 * anybody's guess (the next bit of a CRC, a new minimum), and a wrong guess costs more than the instructions do.
 * So they are executed either way, and where the ways join again each register they set gets its old or its new
 * value:
 *
 *     beq  a5, x0, 1f     c = get a5; old = get a0
 *     xor  a0, a0, a4     new = xor64 old, get a4; set a0, new
 *     1:                  set a0, select c == 0 ? old : new
 *                         refundIf c == 0, 1 instruction
 *
 * None of the instructions can leave the block, so nobody sees what they set before the ways join.
 */
import type { Ir, Value } from "../../../translator/ir.ts";
import { expand } from "../compressed.ts";
import { decode, rd } from "../decode.ts";
import { idOf, INSTRUCTIONS } from "../encodings.ts";
import { xSlot } from "../state.ts";
import { BASE_INTEGER } from "./base_integer.ts";
import { BITMANIP } from "./bitmanip.ts";

/** More instructions than this cost more than most wrong guesses. */
const MOST_INSTRUCTIONS = 4;

/** OP-IMM, OP-IMM-32, OP, OP-32, LUI and AUIPC (unprivileged specification, table 76). */
const PLAIN_OPCODES = /0.1..11$/;
/** By instruction id: 1 where all it does is to set rd, in a cycle or a few. */
const PLAIN = new Uint8Array(INSTRUCTIONS.length);
for (const name of Object.keys({ ...BASE_INTEGER, ...BITMANIP })) {
  const id = idOf(name);
  if (PLAIN_OPCODES.test(INSTRUCTIONS[id][1])) PLAIN[id] = 1;
}

/** One hammock at a time: the one that is being translated, or was last. */
export class Hammock {
  /** How many instructions the branch skips. */
  instructions = 0;
  #registers = 0;
  #cond = 0;
  #a: Value = 0;
  #b: Value = 0;
  readonly #old = new Int32Array(32);

  /** Whether the instructions in `bytes` bytes of code, which are those a branch skips, make up a hammock. */
  find(parcels: Uint16Array, at: number, bytes: number): boolean {
    let count = 0, registers = 0;
    const end = at + bytes / 2;
    while (at < end) {
      const first = parcels[at++];
      const insn = (first & 3) === 3 ? first | parcels[at++] << 16 : expand(first);
      if (++count > MOST_INSTRUCTIONS || PLAIN[decode(insn)] === 0) return false;
      registers |= 1 << rd(insn);
    }
    this.instructions = count;
    this.#registers = registers & ~1;
    return at === end && count > 0;
  }

  /** Begins the hammock found last, which is skipped if `a cond b`. */
  begin(ir: Ir, cond: number, a: Value, b: Value): void {
    this.#cond = cond;
    this.#a = a;
    this.#b = b;
    for (let left = this.#registers; left !== 0; left &= left - 1) {
      const r = 31 - Math.clz32(left & -left);
      this.#old[r] = ir.get(xSlot(r));
    }
  }

  /** Joins both ways, after the instructions were translated. */
  join(ir: Ir): void {
    for (let left = this.#registers; left !== 0; left &= left - 1) {
      const r = 31 - Math.clz32(left & -left), slot = xSlot(r);
      ir.set(slot, ir.select(this.#cond, this.#a, this.#b, this.#old[r], ir.get(slot)));
    }
    ir.refundIf(this.#cond, this.#a, this.#b, this.instructions);
  }
}
