/**
 * Hot code on both engines, where it is built and where it is left: loops that go two ways, accesses in groups that
 * cross pages, numbers of 32 bits that are none, code that changes itself. Budgets end anywhere in it.
 */
import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../core/memory.ts";
import { TLB_ENTRIES } from "../../core/translator/layout.ts";
import { ramDifferences, stateDifferences } from "../support/differences.ts";
import { canTranslate, type GuestMachine, guestMachine } from "../support/guest_machines.ts";
import { GuestRandom } from "../support/guest_random.ts";
import { Program } from "../support/riscv_assembler.ts";

const RAM = 0x8000_0000;
const RAM_BYTES = 2 ** 23;
/** What is so far apart has the same TLB entry. */
const TLB_BYTES = TLB_ENTRIES * PAGE_SIZE;
const DATA = RAM + 0x1_0000;
const INSTRUCTIONS = 60_000;

// Registers
const DATA_POINTER = 8,
  BITS = 9,
  SUM = 10,
  COUNTER = 11,
  T = 12,
  U = 13,
  V = 14,
  PATCH = 15,
  WORD = 16,
  OLD = 17;

async function machine(
  engine: "dbt" | "interpreter",
  kernel: Uint8Array<ArrayBuffer>,
): Promise<GuestMachine> {
  const options = { ramBytes: RAM_BYTES, vcpus: 1, kernel, bios: "none" } as const;
  const eager = { coldVisits: 0, sampleInstructions: 300, watchInstructions: 200, firstLook: 1 };
  const made = await guestMachine(engine, options, eager);
  const [hart] = made.machine.vcpus;
  hart.setRegister("pmpaddr0", -1n); // else generated code fills no TLB
  hart.setRegister("pmpcfg0", 0x1fn);
  hart.setRegister("mtvec", BigInt(RAM));
  return made;
}

/** Runs a program on both engines with budgets of all sizes; returns the translator's counters. */
async function lockstep(
  program: Program,
  prepare?: (guest: GuestMachine) => void,
): Promise<Record<string, number>> {
  const kernel = program.bytes();
  using reference = await machine("interpreter", kernel);
  using translated = await machine("dbt", kernel);
  for (const guest of [reference, translated]) prepare?.(guest);
  const random = new GuestRandom(1);
  const a = reference.machine, b = translated.machine;
  while (a.clock.instructions < INSTRUCTIONS) {
    const limitNs = a.clock.nowNs + 1 + random.below(random.pick([3, 40, 2000, 9000]));
    reference.run(limitNs);
    translated.run(limitNs);
    assertEquals(stateDifferences(a, b), [], `after ${a.clock.instructions} instructions`);
  }
  assertEquals(ramDifferences(a, b), []);
  return translated.engine.statistics();
}

/** The beginning of a loop whose every round scrambles BITS. */
function start(): Program {
  return new Program(RAM)
    .addressOf(DATA_POINTER, DATA)
    .add("addi", { rd: BITS, imm: 1234 })
    .label("loop")
    .add("slli", { rd: T, rs1: BITS, imm: 13 })
    .add("xor", { rd: BITS, rs1: BITS, rs2: T })
    .add("srli", { rd: T, rs1: BITS, imm: 7 })
    .add("xor", { rd: BITS, rs1: BITS, rs2: T })
    .add("slli", { rd: T, rs1: BITS, imm: 17 })
    .add("xor", { rd: BITS, rs1: BITS, rs2: T });
}

/** Adds a part that is executed in about half of all rounds, and is too long to be made a selection. */
function sometimes(program: Program, bit: number, label: string, part: (program: Program) => void): Program {
  program.add("andi", { rd: U, rs1: BITS, imm: 1 << bit }).branch("beq", { rs1: U }, label);
  for (let i = 0; i < 4; i++) program.add("addi", { rd: SUM, rs1: SUM, imm: i });
  part(program);
  return program.label(label);
}

const test = (name: string, fn: () => Promise<void>) => Deno.test({ name, ignore: !canTranslate, fn });

test("a loop that goes two ways becomes a region", async () => {
  const program = start();
  sometimes(program, 1, "first", (p) => p.add("ld", { rd: V, rs1: DATA_POINTER, imm: 8 }));
  sometimes(program, 2, "second", (p) => p.add("sd", { rs1: DATA_POINTER, rs2: SUM, imm: 8 }));
  const { tracesInstalled } = await lockstep(program.branch("jal", {}, "loop"));
  assert(tracesInstalled > 1);
});

test("a group of accesses that crosses a page goes on one by one, and so does one whose entry is replaced", async () => {
  const program = start();
  sometimes(program, 1, "first", (p) => {
    for (const imm of [0, 8, 16, 24]) p.add("sd", { rs1: DATA_POINTER, rs2: SUM, imm });
    p.add("ld", { rd: V, rs1: DATA_POINTER, imm: 24 });
  });
  sometimes(program, 2, "second", (p) => {
    p.add("lui", { rd: T, imm: TLB_BYTES }).add("add", { rd: T, rs1: T, rs2: DATA_POINTER });
    for (const rs1 of [DATA_POINTER, T, DATA_POINTER]) p.add("ld", { rd: V, rs1, imm: 8 });
  });
  program.add("addi", { rd: DATA_POINTER, rs1: DATA_POINTER, imm: 24 }).addressOf(T, DATA + 0x3000);
  program.branch("bltu", { rs1: DATA_POINTER, rs2: T }, "loop").addressOf(DATA_POINTER, DATA);
  await lockstep(program.branch("jal", {}, "loop"));
});

test("numbers that are taken to have 32 bits are looked at where hot code is entered", async () => {
  const program = start();
  program.add("addw", { rd: SUM, rs1: SUM, rs2: WORD }).add("addiw", { rd: WORD, rs1: WORD });
  sometimes(
    program,
    1,
    "first",
    (p) => p.add("xor", { rd: V, rs1: WORD, rs2: SUM }).add("addiw", { rd: V, rs1: V }),
  );
  program.add("addi", { rd: COUNTER, rs1: COUNTER, imm: 1 }).add("andi", { rd: T, rs1: COUNTER, imm: 255 });
  program.branch("bne", { rs1: T }, "loop");
  // Now and then, one that has more.
  program.add("addi", { rd: WORD, imm: -1 }).add("srli", { rd: WORD, rs1: WORD, imm: 20 });
  const { tracesInstalled } = await lockstep(program.branch("jal", {}, "loop"));
  assert(tracesInstalled > 1);
});

test("hot code that changes itself is dropped as a whole", async () => {
  const program = start();
  program.addressOf(PATCH, RAM);
  sometimes(program, 1, "first", (p) => p.add("addi", { rd: SUM, rs1: SUM, imm: 3 }));
  program.add("addi", { rd: COUNTER, rs1: COUNTER, imm: 1 }).add("andi", { rd: T, rs1: COUNTER, imm: 511 });
  program.branch("bne", { rs1: T }, "loop");
  // The last instruction of the first part becomes another one, which is kept beside it.
  const kept = program.words.length + 6;
  const patched = program.words.length - 4;
  program.add("lw", { rd: T, rs1: PATCH, imm: 4 * kept }).add("lw", { rd: U, rs1: PATCH, imm: 4 * patched });
  program.add("sw", { rs1: PATCH, rs2: T, imm: 4 * patched }).add("sw", {
    rs1: PATCH,
    rs2: U,
    imm: 4 * kept,
  });
  program.add("fence.i").branch("jal", {}, "loop").add("addi", { rd: SUM, rs1: SUM, imm: -2 });
  const { blocksDropped, tracesInstalled } = await lockstep(program);
  assert(blocksDropped > 1 && tracesInstalled > 1);
});

test("what a long loop leaves in registers is there when it is left", async () => {
  const program = start().add("addi", { rd: COUNTER, imm: 60 }).label("inner");
  // Nothing in the loop wants T and V, and what they are made of is at hand when it is left.
  program.add("addi", { rd: OLD, rs1: SUM }).add("srliw", { rd: T, rs1: SUM, imm: 5 });
  program.add("xori", { rd: T, rs1: T, imm: 77 }).add("and", { rd: V, rs1: SUM, rs2: BITS });
  program.add("lw", { rd: WORD, rs1: DATA_POINTER }).add("add", { rd: SUM, rs1: SUM, rs2: WORD });
  program.add("xor", { rd: SUM, rs1: SUM, rs2: BITS }).add("addi", { rd: COUNTER, rs1: COUNTER, imm: -1 });
  program.branch("bne", { rs1: COUNTER }, "inner").branch("jal", {}, "loop");
  const { tracesInstalled } = await lockstep(program);
  assert(tracesInstalled > 0);
});
