/**
 * A program whose hot code reaches data by the mirror, on both engines: good addresses, and hostile ones at the edges
 * of the mirror's spans, of RAM and of the address space. What is out of reach traps, and nothing else happens.
 */
import { assert, assertEquals } from "@std/assert";
import { ramDifferences, stateDifferences } from "../support/differences.ts";
import { canTranslate, type GuestMachine, guestMachine } from "../support/guest_machines.ts";
import { Program } from "../support/riscv_assembler.ts";

const RAM = 0x8000_0000, RAM_BYTES = 2 ** 22;
const DATA = RAM + 0x1_0000, ADDRESSES = RAM + 0x2_0000;
const INSTRUCTIONS = 200_000;
const SPAN = 2 ** 40;

// Registers
const TABLE = 8, INDEX = 9, T = 12, U = 13, V = 14, SUM = 15, MASK = 16;
const MSTATUS = 0x300, MTVEC = 0x305, MEPC = 0x341;

/** Loads and stores, in user mode, through 64 pointers in turn; a trap goes on behind the access that made it. */
function program(): Program {
  return new Program(RAM)
    .addressOf(T, RAM + 0x100)
    .add("csrrw", { csr: MTVEC, rs1: T })
    .addressOf(T, RAM + 0x200)
    .add("csrrw", { csr: MEPC, rs1: T })
    .add("csrrw", { csr: MSTATUS, rs1: 0 })
    .addressOf(TABLE, ADDRESSES)
    .add("addi", { rd: MASK, imm: 0x1f8 })
    .add("mret");
}

const HANDLER = new Program(RAM + 0x100)
  .add("csrrs", { rd: V, csr: MEPC })
  .add("addi", { rd: V, rs1: V, imm: 4 })
  .add("csrrw", { csr: MEPC, rs1: V })
  .add("addi", { rd: SUM, rs1: SUM, imm: 1 })
  .add("mret");

const LOOP = new Program(RAM + 0x200)
  .label("loop")
  .add("addi", { rd: INDEX, rs1: INDEX, imm: 8 })
  .add("and", { rd: INDEX, rs1: INDEX, rs2: MASK })
  .add("add", { rd: T, rs1: TABLE, rs2: INDEX })
  .add("ld", { rd: T, rs1: T })
  .add("ld", { rd: U, rs1: T })
  .add("add", { rd: SUM, rs1: SUM, rs2: U })
  .add("ld", { rd: U, rs1: T, imm: -2048 })
  .add("xor", { rd: SUM, rs1: SUM, rs2: U })
  .add("sd", { rs1: T, rs2: SUM, imm: 2040 })
  .add("sb", { rs1: T, rs2: SUM, imm: 2047 })
  .branch("jal", {}, "loop");

/** Writes the page and the next one, in turn, and reads neither. */
const WRITES = new Program(RAM + 0x200)
  .addressOf(T, DATA)
  .addressOf(MASK, 4096)
  .label("loop")
  .add("sd", { rs1: T, rs2: INDEX })
  .add("addi", { rd: INDEX, rs1: INDEX, imm: 8 })
  .add("xor", { rd: T, rs1: T, rs2: MASK })
  .branch("jal", {}, "loop");

/** Copies words byte by byte, and reads each as a word at once. */
const BYTES = new Program(RAM + 0x200)
  .label("loop")
  .add("addi", { rd: INDEX, rs1: INDEX, imm: 8 })
  .add("and", { rd: INDEX, rs1: INDEX, rs2: MASK })
  .add("add", { rd: T, rs1: TABLE, rs2: INDEX })
  .add("ld", { rd: T, rs1: T })
  .add("lbu", { rd: 20, rs1: T })
  .add("lb", { rd: 21, rs1: T, imm: 1 })
  .add("ld", { rd: 22, rs1: T, imm: 2 })
  .add("xor", { rd: 23, rs1: SUM, rs2: INDEX })
  .add("sb", { rs1: T, rs2: 21, imm: 9 })
  .add("sb", { rs1: T, rs2: 22, imm: 10 })
  .add("sb", { rs1: T, rs2: 20, imm: 8 })
  .add("sb", { rs1: T, rs2: 23, imm: 11 })
  .add("lw", { rd: U, rs1: T, imm: 8 })
  .add("sb", { rs1: T, rs2: U, imm: 15 })
  .add("sb", { rs1: T, rs2: 0, imm: 14 })
  .add("sb", { rs1: T, rs2: 21, imm: 13 })
  .add("sb", { rs1: T, rs2: 21, imm: 12 })
  .add("lw", { rd: V, rs1: T, imm: 12 })
  .add("add", { rd: SUM, rs1: SUM, rs2: U })
  .add("add", { rd: SUM, rs1: SUM, rs2: V })
  .branch("jal", {}, "loop");

async function machine(
  engine: "dbt" | "interpreter",
  addresses: readonly bigint[],
  loop: Program,
): Promise<GuestMachine> {
  const eager = { coldVisits: 0, sampleInstructions: 300, watchInstructions: 200, firstLook: 1 };
  const options = { ramBytes: RAM_BYTES, vcpus: 1, kernel: program().bytes(), bios: "none" } as const;
  const made = await guestMachine(engine, options, eager);
  const { ram, vcpus: [hart] } = made.machine;
  hart.setRegister("pmpaddr0", -1n);
  hart.setRegister("pmpcfg0", 0x1fn);
  ram.write(RAM + 0x100, HANDLER.bytes());
  ram.write(RAM + 0x200, loop.bytes());
  ram.write(ADDRESSES, new Uint8Array(BigInt64Array.from(addresses).buffer));
  return made;
}

/** Runs with 64 addresses on both engines, which must agree; returns the translator's counters. */
async function lockstep(addresses: readonly bigint[], loop: Program = LOOP): Promise<Record<string, number>> {
  using reference = await machine("interpreter", addresses, loop);
  using translated = await machine("dbt", addresses, loop);
  const a = reference.machine, b = translated.machine;
  while (a.clock.instructions < INSTRUCTIONS) {
    const limitNs = a.clock.nowNs + 7001;
    reference.run(limitNs);
    translated.run(limitNs);
    assertEquals(stateDifferences(a, b), [], `after ${a.clock.instructions} instructions`);
  }
  assertEquals(ramDifferences(a, b), []);
  return translated.engine.statistics();
}

/** 64 addresses, all in the data but for some. */
function addresses(others: readonly (number | bigint)[]): bigint[] {
  const good = Array.from({ length: 64 }, (_, i) => BigInt(DATA + 0x1000 + 400 * i));
  others.forEach((address, i) => good[(7 * i + 3) % 64] = BigInt.asIntN(64, BigInt(address)));
  return good;
}

const test = (name: string, fn: () => Promise<void>) => Deno.test({ name, ignore: !canTranslate, fn });

test("a program's hot code reaches its data by the mirror", async () => {
  const { mirrorFaults, mirrorPages, exitsException } = await lockstep(addresses([]));
  assertEquals(exitsException, 0);
  // Where the host has no mirror there is no such counter.
  if (mirrorPages !== undefined) assert(mirrorPages > 0 && mirrorFaults < 200, `${mirrorFaults} faults`);
});

test("the mirror shows what is written but never read", async () => {
  const { mirrorFaults, mirrorPages } = await lockstep([], WRITES);
  if (mirrorPages !== undefined) assert(mirrorPages >= 2 && mirrorFaults < 5, `${mirrorFaults} faults`);
});

test("the bytes of a word are stored as they would be one by one, also where pages end", async () => {
  const { exitsException } = await lockstep(addresses([]), BYTES);
  assertEquals(exitsException, 0);
  const end = RAM + RAM_BYTES;
  const pageEnds = [DATA + 0x2ff6, DATA + 0x2ff5, DATA + 0x3ff4, DATA + 0x3ff7, DATA + 0x3ff0, DATA + 0x2ff1];
  await lockstep(addresses([...pageEnds, end - 16, end - 11, end - 10, end - 9, SPAN - 10, -10, 0]), BYTES);
});

test("addresses at the edges of the mirror's spans reach nothing but what the guest may reach", async () => {
  const { exitsException } = await lockstep(addresses([
    ...[SPAN - 8, SPAN - 1, SPAN, SPAN + 2047, 2 * SPAN, 128 * SPAN - 8, 128 * SPAN, 255 * SPAN],
    ...[0, 8, 2047, 4095],
  ]));
  assert(exitsException > 0);
});

test("addresses around the address space's ends and its middle reach nothing", async () => {
  const { exitsException } = await lockstep(addresses([
    ...[-1n, -8n, -2048n, -4096n, -(1n << 40n), 1n << 63n, (1n << 63n) - 8n, 1n << 62n],
    ...[1n << 47n, (1n << 47n) - 8n, -(1n << 47n), 0x7fff_ffff_f000n, 0x5555_5555_5000n],
  ]));
  assert(exitsException > 0);
});

test("accesses that cross from a page into another one, and out of RAM, are what they are without a mirror", async () => {
  const end = RAM + RAM_BYTES;
  await lockstep(addresses([
    ...[DATA + 0x2ffc, DATA + 0x3fff, DATA + 0x2801, DATA + 0x1805],
    ...[end - 8, end - 2044, end - 2048, end - 4, RAM, RAM + 2044],
  ]));
});
