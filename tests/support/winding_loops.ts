/**
 * Loops that go another way in almost every round: over some instructions or not, and around inner loops of a few
 * rounds, as bits of a number decide that every round scrambles. They make the translator build regions, unroll
 * and group, and leave what it built wherever that can be left.
 */
import type { GuestRandom } from "./guest_random.ts";
import type { Encoded } from "./instruction_stream.ts";
import { encode, type Operands } from "./riscv_assembler.ts";

const BITS = 28, SCRATCH = 23, INNER = 19;

const word = (name: string, operands: Operands): Encoded => ({ bits: encode(name, operands), length: 4 });
const bytes = (code: readonly Encoded[]) => code.reduce((sum, { length }) => sum + length, 0);

/**
 * Draws a loop.
 *
 * @param counter Register that counts its rounds, which no drawn instruction writes.
 * @param draw Draws an instruction.
 */
export function windingLoop(
  random: GuestRandom,
  counter: number,
  rounds: number,
  draw: () => Encoded,
): Encoded[] {
  const draws = (most: number) => Array.from({ length: 1 + random.below(most) }, draw);
  const body: Encoded[] = [
    word("slli", { rd: SCRATCH, rs1: BITS, imm: 1 + random.below(20) }),
    word(random.pick(["xor", "addw", "add"]), { rd: BITS, rs1: BITS, rs2: SCRATCH }),
    word("srli", { rd: SCRATCH, rs1: BITS, imm: 1 + random.below(20) }),
    word("xor", { rd: BITS, rs1: BITS, rs2: SCRATCH }),
  ];
  for (let parts = 1 + random.below(5); parts > 0; parts--) {
    const some = draws(6);
    if (random.oneIn(3)) {
      body.push(word("andi", { rd: INNER, rs1: BITS, imm: random.pick([1, 3, 7, 15]) }));
      body.push(...some, word("addi", { rd: INNER, rs1: INNER, imm: -1 }));
      body.push(word("bge", { rs1: INNER, rs2: 0, imm: -4 - bytes(some) }));
    } else {
      const name = random.pick(["beq", "bne"]);
      body.push(word("andi", { rd: SCRATCH, rs1: BITS, imm: random.pick([1, 2, 4, 8, 24]) }));
      body.push(word(name, { rs1: SCRATCH, rs2: 0, imm: 4 + bytes(some) }), ...some);
    }
  }
  body.push(word("addi", { rd: counter, rs1: counter, imm: -1 }));
  return [
    word("addi", { rd: counter, imm: rounds }),
    ...body,
    word("bne", { rs1: counter, imm: -bytes(body) }),
  ];
}
