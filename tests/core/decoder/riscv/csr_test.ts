import { assertEquals } from "@std/assert";
import { PRIV_M, PRIV_S, PRIV_U } from "../../../../core/decoder/riscv/trap.ts";
import {
  A0,
  A1,
  A2,
  csrr,
  csrrc,
  csrrs,
  csrrw,
  csrw,
  type Fixture,
  newHart,
  NOP,
  program,
  RAM,
  run,
  ZERO,
} from "./hart_fixture.ts";

const ILLEGAL = 2n;

/** Runs words from the start of RAM, one step each. */
function execute(f: Fixture, ...words: number[]): void {
  program(f.ram, RAM, ...words);
  f.hart.setRegister("pc", BigInt(RAM));
  run(f, words.length);
}

/** The exception a single instruction raises in M-mode's log; undefined when none. */
function causeOf(
  privilege: number,
  word: number,
  prepare: (f: Fixture) => void = () => {},
): bigint | undefined {
  const f = newHart(PRIV_S);
  f.hart.setRegister("medeleg", 0n);
  f.hart.reset(BigInt(RAM), privilege, 0n, 0n);
  if (privilege !== PRIV_M) f.hart.setRegister("medeleg", 0n);
  prepare(f);
  program(f.ram, RAM, word);
  f.hart.setRegister("mcause", 99n);
  f.hart.setRegister("pc", BigInt(RAM));
  run(f, 1);
  const cause = f.hart.register("mcause");
  return cause === 99n ? undefined : cause;
}

Deno.test("misa says RV64 with A, C, D, F, I, M, S and U, and cannot be changed", () => {
  const f = newHart();
  f.hart.setRegister("a0", 0n);
  execute(f, csrrw(A1, 0x301, A0), csrr(A2, 0x301));
  assertEquals(f.hart.register("a1"), 0x8000000000000000n | 0x14112dn);
  assertEquals(f.hart.register("a2"), f.hart.register("a1"));
});

Deno.test("a CSR that does not exist is an illegal instruction, with its bits in mtval", () => {
  const f = newHart();
  execute(f, csrr(A0, 0x7a0));
  assertEquals(f.hart.register("mcause"), ILLEGAL);
  assertEquals(f.hart.register("mtval"), BigInt(csrr(A0, 0x7a0) >>> 0));
  assertEquals(f.hart.register("mepc"), BigInt(RAM));
});

Deno.test("a CSR of a higher privilege is an illegal instruction", () => {
  assertEquals(causeOf(PRIV_S, csrr(A0, 0x300)), ILLEGAL);
  assertEquals(causeOf(PRIV_U, csrr(A0, 0x100)), ILLEGAL);
  assertEquals(causeOf(PRIV_S, csrr(A0, 0x100)), undefined);
});

Deno.test("writing a read-only CSR is an illegal instruction; csrrs with x0 only reads it", () => {
  assertEquals(causeOf(PRIV_M, csrrs(A0, 0xf14, A1)), ILLEGAL);
  assertEquals(causeOf(PRIV_M, csrrs(A0, 0xf14, ZERO)), undefined);
});

Deno.test("csrrw, csrrs and csrrc give the old value and write, set, clear", () => {
  const f = newHart();
  f.hart.setRegister("a0", 0xf0f0_0000_1234n);
  f.hart.setRegister("mscratch", 0xff00n);
  execute(f, csrrs(A1, 0x340, A0), csrrc(A2, 0x340, A0), csrrw(A0, 0x340, A0));
  assertEquals(f.hart.register("a1"), 0xff00n);
  assertEquals(f.hart.register("a2"), 0xf0f0_0000_ff34n);
  assertEquals(f.hart.register("a0"), 0xff00n & ~0x1234n);
  assertEquals(f.hart.register("mscratch"), 0xf0f0_0000_1234n);
});

Deno.test("mstatus keeps MPP when asked for the reserved mode 2", () => {
  const { hart } = newHart();
  hart.setRegister("mstatus", 3n << 11n);
  hart.setRegister("mstatus", 2n << 11n);
  assertEquals(hart.register("mstatus")! >> 11n & 3n, 3n);
});

Deno.test("sstatus shows and changes only the supervisor's part of mstatus", () => {
  const { hart } = newHart();
  hart.setRegister("sstatus", (1n << 64n) - 1n);
  assertEquals(hart.register("mstatus"), 0x8000000a000c6122n);
  hart.setRegister("mstatus", (1n << 64n) - 1n);
  assertEquals(hart.register("sstatus"), 0x80000002000c6122n);
});

Deno.test("FP CSRs need FS, and writing them makes it dirty", () => {
  assertEquals(causeOf(PRIV_M, csrr(A0, 0x003)), ILLEGAL);
  const f = newHart();
  f.hart.setRegister("mstatus", 1n << 13n);
  f.hart.setRegister("a0", 0xffn);
  execute(f, csrw(0x003, A0), csrr(A1, 0x001), csrr(A2, 0x002));
  assertEquals(f.hart.register("a1"), 31n);
  assertEquals(f.hart.register("a2"), 7n);
  assertEquals(f.hart.register("mstatus")! >> 13n & 3n, 3n);
  assertEquals(f.hart.register("mstatus")! >> 63n, 1n);
});

Deno.test("reading fflags adds what generated code left in the host's control word", () => {
  const { hart } = newHart();
  hart.setRegister("mstatus", 1n << 13n);
  let left = 1;
  hart.collectHostFlags = () => {
    const flags = left;
    left = 0;
    return flags;
  };
  hart.accrue(16);
  assertEquals(hart.register("fflags"), 17n);
  left = 8;
  hart.setRegister("fflags", 0n);
  assertEquals(hart.register("fflags"), 0n);
});

Deno.test("time, cycle and instret count the instructions before the one that reads", () => {
  const f = newHart();
  f.clock.idleNs = 5_000_000_000;
  execute(f, NOP, csrr(A0, 0xc01), csrr(A1, 0xc00), csrr(A2, 0xc02));
  assertEquals(f.hart.register("a0"), 5_000_000_001n);
  assertEquals(f.hart.register("a1"), 2n);
  assertEquals(f.hart.register("a2"), 3n);
});

Deno.test("what is written to minstret is what the next instruction reads", () => {
  const f = newHart();
  f.hart.setRegister("a0", 0xffff_ffffn);
  execute(f, NOP, csrw(0xb02, A0), csrr(A1, 0xb02), csrr(A2, 0xb02));
  assertEquals(f.hart.register("a1"), 0xffff_ffffn);
  assertEquals(f.hart.register("a2"), 0x1_0000_0000n);
});

Deno.test("mcountinhibit stops a counter and lets it go on from there", () => {
  const f = newHart();
  f.hart.setRegister("a0", 4n);
  execute(f, NOP, csrw(0x320, A0), NOP, NOP, csrr(A1, 0xb02), csrw(0x320, ZERO), NOP, csrr(A2, 0xb02));
  assertEquals(f.hart.register("a1"), 1n);
  assertEquals(f.hart.register("a2"), 2n);
});

Deno.test("mcounteren and scounteren gate the unprivileged counters", () => {
  const close = (name: string) => (f: Fixture) => void f.hart.setRegister(name, 0n);
  assertEquals(causeOf(PRIV_S, csrr(A0, 0xc01)), undefined);
  assertEquals(causeOf(PRIV_S, csrr(A0, 0xc01), close("mcounteren")), ILLEGAL);
  assertEquals(causeOf(PRIV_S, csrr(A0, 0xc01), close("scounteren")), undefined);
  assertEquals(causeOf(PRIV_U, csrr(A0, 0xc01), close("scounteren")), ILLEGAL);
  assertEquals(causeOf(PRIV_U, csrr(A0, 0xc03)), ILLEGAL);
});

Deno.test("satp takes bare, Sv39, Sv48 and Sv57, has no ASIDs, and ignores other modes altogether", () => {
  const { hart } = newHart();
  for (const mode of [0n, 8n, 9n, 10n]) {
    hart.setRegister("satp", mode << 60n | 0xffffn << 44n | 0x80001n);
    assertEquals(hart.register("satp"), mode << 60n | 0x80001n);
  }
  hart.setRegister("satp", 11n << 60n | 5n);
  assertEquals(hart.register("satp"), 10n << 60n | 0x80001n);
});

Deno.test("TVM makes satp and SFENCE.VMA illegal in S-mode", () => {
  const tvm = (f: Fixture) => void f.hart.setRegister("mstatus", 1n << 20n);
  assertEquals(causeOf(PRIV_S, csrr(A0, 0x180), tvm), ILLEGAL);
  assertEquals(causeOf(PRIV_S, 0x12000073, tvm), ILLEGAL);
  assertEquals(causeOf(PRIV_S, 0x12000073), undefined);
});

Deno.test("only supervisor interrupts and the right exceptions can be delegated", () => {
  const { hart } = newHart();
  hart.setRegister("mideleg", 0xffffn);
  hart.setRegister("medeleg", 0xffff_ffffn);
  assertEquals(hart.register("mideleg"), 0x222n);
  assertEquals(hart.register("medeleg"), 0xb3ffn);
});

Deno.test("mip's SEIP is the line or software's bit; set and clear work on software's alone", () => {
  const f = newHart();
  const line = f.hart.interruptLine(9);
  line.set(true);
  f.hart.setRegister("a0", 2n);
  execute(f, csrrs(A1, 0x344, A0));
  assertEquals(f.hart.register("a1"), 0x200n);
  line.set(false);
  assertEquals(f.hart.register("mip"), 2n); // the line was not copied into software's bit
  f.hart.setRegister("mip", 0x202n);
  assertEquals(f.hart.register("mip"), 0x202n);
});

Deno.test("menvcfg has FIOM, STCE and ADUE; stimecmp is S-mode's only with STCE", () => {
  const { hart } = newHart();
  hart.setRegister("menvcfg", (1n << 64n) - 1n);
  assertEquals(hart.register("menvcfg"), 1n << 63n | 1n << 61n | 1n);
  const off = (f: Fixture) => void f.hart.setRegister("menvcfg", 0n);
  assertEquals(causeOf(PRIV_S, csrr(A0, 0x14d)), undefined);
  assertEquals(causeOf(PRIV_S, csrr(A0, 0x14d), off), ILLEGAL);
});

Deno.test("vector bases keep their two modes and lose reserved ones", () => {
  const { hart } = newHart();
  hart.setRegister("stvec", 0x8000_0003n);
  assertEquals(hart.register("stvec"), 0x8000_0001n);
  hart.setRegister("sepc", 0x8000_0003n);
  assertEquals(hart.register("sepc"), 0x8000_0002n);
});
