/** Instructions that the translator makes fewer of. */
import { assert, assertEquals } from "@std/assert";
import { ramDifferences, stateDifferences } from "../support/differences.ts";
import { canTranslate, guestMachine } from "../support/guest_machines.ts";
import { Program } from "../support/riscv_assembler.ts";

const RAM = 0x8000_0000;
const BITS = 5, T = 6, U = 7, SUM = 8;

/** A program whose loop begins with other bits in a register each time. */
function loop(): Program {
  const program = new Program(RAM).add("addi", { rd: BITS, imm: 1234 }).label("loop");
  for (const [shift, by] of [["slli", 13], ["srli", 7], ["slli", 17]] as const) {
    program.add(shift, { rd: T, rs1: BITS, imm: by }).add("xor", { rd: BITS, rs1: BITS, rs2: T });
  }
  return program;
}

/** Closes a program's loop and runs it under both engines. */
async function runsTheSame(program: Program): Promise<void> {
  const kernel = program.branch("jal", {}, "loop").bytes();
  const options = { ramBytes: 2 ** 21, vcpus: 1, kernel, bios: "none" } as const;
  using reference = await guestMachine("interpreter", options);
  using translated = await guestMachine("dbt", options, { coldVisits: 0 });
  for (let limitNs = 1009; limitNs < 30_000; limitNs += 1009) {
    reference.run(limitNs);
    translated.run(limitNs);
    assertEquals(stateDifferences(reference.machine, translated.machine), []);
  }
  assertEquals(ramDifferences(reference.machine, translated.machine), []);
  assert(translated.engine.statistics().interpreted < 10_000);
}

Deno.test({
  name: "shifts there and back are the extensions that they make",
  ignore: !canTranslate,
  async fn() {
    const program = loop();
    for (const left of [8, 31, 32, 33, 47, 48, 56, 63]) {
      for (const right of [left, ...left === 32 ? [28, 29, 30, 31] : []]) {
        for (const back of ["srli", "srai"]) {
          // Into the same register, and into another one while the first is still wanted.
          program.add("slli", { rd: T, rs1: BITS, imm: left }).add(back, { rd: T, rs1: T, imm: right });
          program.add("slli", { rd: U, rs1: BITS, imm: left }).add(back, { rd: T + 3, rs1: U, imm: right });
          program.add("add", { rd: SUM, rs1: SUM, rs2: T }).add("xor", { rd: SUM, rs1: SUM, rs2: T + 3 });
          program.add("add", { rd: SUM, rs1: SUM, rs2: U });
        }
      }
    }
    await runsTheSame(program);
  },
});

Deno.test({
  name: "comparisons of sums and differences with their operands are their carries and borrows",
  ignore: !canTranslate,
  async fn() {
    const program = loop();
    const note = (rd: number) =>
      program.add("slli", { rd: SUM, rs1: SUM, imm: 1 }).add("xor", { rd: SUM, rs1: SUM, rs2: rd });
    program.add("srli", { rd: U, rs1: BITS, imm: 1 }).add("add", { rd: U, rs1: U, rs2: SUM });
    const R = 9, C = 10, D = 11;
    for (const [a, b] of [[BITS, U], [U, BITS], [BITS, BITS], [BITS, 0], [0, BITS]]) {
      for (const [op, left, right] of [["add", R, a], ["add", R, b], ["sub", a, R], ["sub", a, b]] as const) {
        program.add(op, { rd: R, rs1: a, rs2: b }).add("sltu", { rd: C, rs1: left, rs2: right });
        note(R), note(C);
        // The other way around is no carry; nor is a comparison of numbers with signs.
        program.add(op, { rd: R, rs1: a, rs2: b }).add("sltu", { rd: C, rs1: right, rs2: left });
        program.add("slt", { rd: D, rs1: left, rs2: right });
        note(R), note(C), note(D);
        // Nor is one with another number.
        program.add(op, { rd: R, rs1: a, rs2: b }).add("sltu", { rd: C, rs1: R, rs2: T });
        program.add("sub", { rd: R, rs1: a, rs2: b }).add("sltu", { rd: D, rs1: T, rs2: R });
        note(C), note(D);
        // Operands that are gone by then, and the sum in the place of one of them.
        program.add("addi", { rd: C, rs1: a, imm: 0 }).add("addi", { rd: D, rs1: b, imm: 0 });
        program.add(op, { rd: R, rs1: C, rs2: D }).add("sltu", {
          rd: C,
          rs1: op === "add" ? R : C,
          rs2: op === "add" ? C : R,
        });
        note(D), note(C);
        program.add(op, { rd: D, rs1: a, rs2: D }).add("sltu", { rd: D, rs1: D, rs2: a });
        note(D);
      }
      for (const imm of [1, -1, 0, 2047]) {
        program.add("addi", { rd: R, rs1: a, imm }).add("sltu", { rd: C, rs1: R, rs2: a });
        note(R), note(C);
      }
      // Both halves of a product, either first, of operands that die.
      for (const [first, second] of [["mul", "mulhu"], ["mulhu", "mul"]]) {
        program.add("addi", { rd: C, rs1: a, imm: 3 }).add("xori", { rd: D, rs1: b, imm: 5 });
        program.add(first, { rd: R, rs1: C, rs2: D }).add(second, { rd: C, rs1: C, rs2: D });
        program.add("add", { rd: R, rs1: R, rs2: U }).add("sltu", { rd: D, rs1: R, rs2: U });
        note(R), note(C), note(D);
      }
    }
    await runsTheSame(program);
  },
});
