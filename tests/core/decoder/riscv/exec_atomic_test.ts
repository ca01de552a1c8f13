import { assertEquals } from "@std/assert";
import { MEMORY, TestHart } from "./test_hart.ts";

const WORD = 0xffff_ffff_8000_0001n; // how a word with its sign set reads
const MIN = 0x8000_0000_0000_0000n;

/** Instruction, x[rs2], memory before, memory after. */
const WORDS: readonly [string, bigint, number, number][] = [
  ["amoswap.w", 0xdead_0000_0005n, 0x8000_0001, 5],
  ["amoadd.w", 0xffff_ffffn, 0x8000_0001, 0x8000_0000],
  ["amoxor.w", 0xffff_ffffn, 0x8000_0001, 0x7fff_fffe],
  ["amoand.w", 0xffff_0000n, 0x8000_0001, 0x8000_0000],
  ["amoor.w", 0x70n, 0x8000_0001, 0x8000_0071],
  ["amomin.w", 1n, 0x8000_0001, 0x8000_0001],
  ["amomin.w", 0x8000_0000n, 0x8000_0001, 0x8000_0000],
  ["amomax.w", 1n, 0x8000_0001, 1],
  ["amomax.w", 0x1_8000_0000n, 0x8000_0001, 0x8000_0001],
  ["amominu.w", 1n, 0x8000_0001, 1],
  ["amominu.w", 0xffff_ffffn, 0x8000_0001, 0x8000_0001],
  ["amomaxu.w", 1n, 0x8000_0001, 0x8000_0001],
  ["amomaxu.w", 0xffff_ffffn, 0x8000_0001, 0xffff_ffff],
];

const DOUBLEWORDS: readonly [string, bigint, bigint][] = [
  ["amoswap.d", 5n, 5n],
  ["amoadd.d", 0xffff_ffff_ffff_ffffn, 0x8000_0000_ffff_fffen],
  ["amoxor.d", 0xf_ffff_ffffn, 0x8000_000f_0000_0000n],
  ["amoand.d", 0xffff_ffff_0000_0000n, MIN],
  ["amoor.d", 1n << 40n, 0x8000_0100_ffff_ffffn],
  ["amomin.d", 0n, 0x8000_0000_ffff_ffffn],
  ["amomin.d", MIN, MIN],
  ["amomax.d", 0n, 0n],
  ["amomax.d", MIN, 0x8000_0000_ffff_ffffn],
  ["amominu.d", 0xffff_ffffn, 0xffff_ffffn],
  ["amominu.d", 0x8000_0001_0000_0000n, 0x8000_0000_ffff_ffffn],
  ["amomaxu.d", 0xffff_ffffn, 0x8000_0000_ffff_ffffn],
  ["amomaxu.d", 0x8000_0001_0000_0000n, 0x8000_0001_0000_0000n],
];

Deno.test("atomic word operations return the old value and store the new one, and nothing beside it", () => {
  for (const [name, operand, before, after] of WORDS) {
    const hart = new TestHart();
    hart.memory.setUint32(8, before, true);
    hart.setX(1, MEMORY + 8n);
    hart.setX(2, operand);
    hart.execute(name, { rd: 2, rs1: 1, rs2: 2 });
    assertEquals([hart.x(2), hart.memory.getBigUint64(8, true)], [WORD, BigInt(after)], `${name} ${operand}`);
  }
});

Deno.test("atomic doubleword operations return the old value and store the new one", () => {
  const before = 0x8000_0000_ffff_ffffn;
  for (const [name, operand, after] of DOUBLEWORDS) {
    const hart = new TestHart();
    hart.memory.setBigUint64(8, before, true);
    hart.setX(1, MEMORY + 8n);
    hart.setX(2, operand);
    hart.execute(name, { rd: 3, rs1: 1, rs2: 2, bits: 3 << 25 }); // .aqrl
    assertEquals([hart.x(3), hart.memory.getBigUint64(8, true)], [before, after], `${name} ${operand}`);
  }
});

Deno.test("load-reserved sign-extends, store-conditional tells whether it stored", () => {
  for (const [size, value] of [["w", WORD], ["d", 0x1234_5678_8000_0001n]] as const) {
    const hart = new TestHart();
    hart.memory.setBigUint64(8, 0x1234_5678_8000_0001n, true);
    hart.setX(1, MEMORY + 8n);
    hart.setX(2, 5n);
    hart.execute(`lr.${size}`, { rd: 3, rs1: 1 });
    assertEquals(hart.x(3), value);
    hart.execute(`sc.${size}`, { rd: 4, rs1: 1, rs2: 2 });
    assertEquals([hart.x(4), hart.memory.getUint32(8, true)], [0n, 5]);
    hart.setX(2, 6n);
    hart.execute(`sc.${size}`, { rd: 4, rs1: 1, rs2: 2 });
    assertEquals([hart.x(4), hart.memory.getUint32(8, true)], [1n, 5]);
  }
});

Deno.test("an atomic that traps changes no register", () => {
  const names = ["lr", "sc", "amoswap", "amoadd", "amoxor", "amoand", "amoor", "amomin", "amomax", "amominu"];
  for (const name of [...names, "amomaxu"].flatMap((name) => [`${name}.w`, `${name}.d`])) {
    const hart = new TestHart();
    hart.reserved = true;
    hart.setX(3, 7n);
    hart.execute(name, { rd: 3, rs1: 1 });
    assertEquals([hart.x(3), hart.events], [7n, ["fault"]], name);
  }
});
