/** Pairs of instructions that the translator makes one of. */
import { assert, assertEquals } from "@std/assert";
import { ramDifferences, stateDifferences } from "../support/differences.ts";
import { canTranslate, guestMachine } from "../support/guest_machines.ts";
import { Program } from "../support/riscv_assembler.ts";

const RAM = 0x8000_0000;
const BITS = 5, T = 6, U = 7, SUM = 8;

Deno.test({
  name: "shifts there and back are the extensions that they make",
  ignore: !canTranslate,
  async fn() {
    const program = new Program(RAM).add("addi", { rd: BITS, imm: 1234 }).label("loop");
    for (const [shift, left] of [["slli", 13], ["srli", 7], ["slli", 17]] as const) {
      program.add(shift, { rd: T, rs1: BITS, imm: left }).add("xor", { rd: BITS, rs1: BITS, rs2: T });
    }
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
  },
});
