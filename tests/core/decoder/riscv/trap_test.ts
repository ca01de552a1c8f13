import { assertEquals, assertMatch } from "@std/assert";
import { PRIV_M, PRIV_S, PRIV_U } from "../../../../core/decoder/riscv/trap.ts";
import {
  A0,
  csrw,
  DEVICE,
  EBREAK,
  ECALL,
  type Fixture,
  lw,
  MRET,
  newHart,
  NOP,
  program,
  RAM,
  run,
  SRET,
  WFI,
} from "./hart_fixture.ts";

const HANDLER = BigInt(RAM + 0x1000);
const INTERRUPT = 1n << 63n;

function registers({ hart }: Fixture, ...names: string[]): (bigint | undefined)[] {
  return names.map((name) => hart.register(name));
}

/** A hart with handlers of NOPs for M-mode, and 0x1000 further on for S-mode. */
function withHandlers(privilege: number, ...words: number[]): Fixture {
  const f = newHart(privilege);
  for (let i = 0; i < 0x2000; i += 4) program(f.ram, RAM + 0x1000 + i, NOP);
  program(f.ram, RAM, ...words);
  f.hart.setRegister("mtvec", HANDLER);
  f.hart.setRegister("stvec", HANDLER + 0x1000n);
  return f;
}

Deno.test("ECALL from U-mode goes to S-mode when delegated", () => {
  const f = withHandlers(PRIV_U, NOP, ECALL);
  run(f, 2);
  assertEquals(f.hart.mode, "supervisor");
  assertEquals(registers(f, "pc", "sepc", "scause", "stval"), [HANDLER + 0x1000n, BigInt(RAM + 4), 8n, 0n]);
  assertEquals(f.hart.register("sstatus")! & 0x100n, 0n); // SPP = U
});

Deno.test("ECALL from U-mode goes to M-mode when not delegated", () => {
  const f = withHandlers(PRIV_U, ECALL);
  f.hart.setRegister("medeleg", 0n);
  run(f, 1);
  assertEquals(f.hart.mode, "machine");
  assertEquals(registers(f, "pc", "mepc", "mcause"), [HANDLER, BigInt(RAM), 8n]);
  assertEquals(f.hart.register("mstatus")! & 0x1800n, 0n); // MPP = U
});

Deno.test("exceptions in M-mode are never delegated", () => {
  const f = withHandlers(PRIV_M, EBREAK);
  f.hart.setRegister("medeleg", 0xffffn);
  run(f, 1);
  assertEquals(registers(f, "pc", "mcause", "mtval"), [HANDLER, 3n, BigInt(RAM)]);
});

Deno.test("a trap stacks the interrupt enable and xRET restores it", () => {
  const f = withHandlers(PRIV_S, ECALL, NOP);
  f.hart.setRegister("medeleg", 0x200n);
  f.hart.setRegister("sstatus", 2n); // SIE
  program(f.ram, RAM + 0x2000, SRET);
  run(f, 1);
  assertEquals(f.hart.register("sstatus")! & 0x122n, 0x120n); // SPP = S, SPIE, not SIE
  run(f, 1);
  assertEquals(f.hart.register("sstatus")! & 0x122n, 0x22n); // SPP = U, SPIE, SIE
  assertEquals(registers(f, "pc"), [BigInt(RAM)]);
});

Deno.test("MRET to a lower mode clears MPRV and leaves MPP at U", () => {
  const f = withHandlers(PRIV_M, MRET);
  f.hart.setRegister("mepc", BigInt(RAM + 0x100));
  f.hart.setRegister("mstatus", 1n << 17n | 1n << 11n | 1n << 7n);
  run(f, 1);
  assertEquals(f.hart.mode, "supervisor");
  assertEquals(registers(f, "pc"), [BigInt(RAM + 0x100)]);
  assertEquals(f.hart.register("mstatus")! & 0x21888n, 0x88n); // MIE and MPIE
});

Deno.test("MRET below M-mode, SRET below S-mode and SRET under TSR are illegal", () => {
  for (
    const [privilege, word, status] of [[PRIV_S, MRET, 0n], [PRIV_U, SRET, 0n], [PRIV_S, SRET, 1n << 22n]]
  ) {
    const f = withHandlers(privilege as number, word as number);
    f.hart.setRegister("mstatus", status as bigint);
    run(f, 1);
    assertEquals(f.hart.register("scause"), 2n);
  }
});

Deno.test("illegal instructions report the bits that were fetched: 16 for a compressed one", () => {
  const f = withHandlers(PRIV_M, 0x0000_0000);
  run(f, 1);
  assertEquals(registers(f, "mcause", "mtval"), [2n, 0n]);
  const g = withHandlers(PRIV_M, 0xffff_0000 | 0x2188); // c.fld with the FPU off
  run(g, 1);
  assertEquals(registers(g, "mcause", "mtval"), [2n, 0x2188n]);
});

Deno.test("interrupts are vectored, exceptions are not", () => {
  const f = withHandlers(PRIV_M, NOP, EBREAK);
  f.hart.setRegister("mtvec", HANDLER | 1n);
  f.hart.setRegister("mie", 0x80n);
  f.hart.setRegister("mstatus", 8n);
  run(f, 1);
  f.hart.interruptLine(7).set(true);
  run(f, 1);
  assertEquals(registers(f, "pc", "mcause", "mepc"), [HANDLER + 28n + 4n, INTERRUPT | 7n, BigInt(RAM + 4)]);
  f.hart.setRegister("pc", BigInt(RAM + 4));
  run(f, 1);
  assertEquals(registers(f, "pc", "mcause"), [HANDLER, 3n]);
});

Deno.test("of several pending interrupts the order is MEI, MSI, MTI, SEI, SSI, STI", () => {
  const f = withHandlers(PRIV_M, NOP);
  f.hart.setRegister("mie", 0xaaan);
  const codes = [11, 3, 7, 9, 1, 5];
  for (const code of codes) f.hart.interruptLine(code).set(true);
  for (const code of codes) {
    f.hart.setRegister("mstatus", 8n);
    f.hart.takeInterrupt();
    assertEquals(f.hart.register("mcause"), INTERRUPT | BigInt(code));
    f.hart.interruptLine(code).set(false);
  }
  f.hart.setRegister("mstatus", 8n);
  f.hart.setRegister("pc", 0x1234n);
  f.hart.takeInterrupt();
  assertEquals(f.hart.register("pc"), 0x1234n);
});

Deno.test("an interrupt for M-mode comes before delegated ones, and only M-mode's MIE holds it back in M-mode", () => {
  const f = withHandlers(PRIV_S, NOP);
  f.hart.setRegister("mie", 0xaaan);
  f.hart.setRegister("sstatus", 2n);
  f.hart.interruptLine(9).set(true);
  f.hart.interruptLine(7).set(true);
  f.hart.takeInterrupt();
  assertEquals(registers(f, "mcause", "scause"), [INTERRUPT | 7n, 0n]);
  f.hart.takeInterrupt(); // MIE is clear now; the delegated one may not interrupt M-mode
  assertEquals(registers(f, "mcause", "scause"), [INTERRUPT | 7n, 0n]);
});

Deno.test("a delegated interrupt waits for SIE in S-mode but not in U-mode", () => {
  const f = withHandlers(PRIV_S, NOP, NOP);
  f.hart.setRegister("sie", 0x200n);
  f.hart.interruptLine(9).set(true);
  run(f, 1);
  assertEquals(f.hart.register("pc"), BigInt(RAM + 4));
  f.hart.setRegister("sepc", BigInt(RAM + 4));
  program(f.ram, RAM + 4, SRET);
  run(f, 2); // SRET to U-mode, then the handler's first instruction
  assertEquals(registers(f, "scause", "sepc", "pc"), [
    INTERRUPT | 9n,
    BigInt(RAM + 4),
    HANDLER + 0x1004n,
  ]);
});

Deno.test("enabling an interrupt by CSR takes it before the next instruction", () => {
  const f = withHandlers(PRIV_M, csrw(0x300, A0), NOP);
  f.hart.setRegister("a0", 8n);
  f.hart.setRegister("mie", 8n);
  f.hart.interruptLine(3).set(true);
  f.hart.interpret(2);
  assertEquals(registers(f, "mepc", "pc"), [BigInt(RAM + 4), HANDLER + 4n]);
  assertEquals(f.clock.instructions, 2);
});

Deno.test("WFI waits until an enabled interrupt is pending, even if interrupts are off", () => {
  const f = withHandlers(PRIV_M, WFI, NOP);
  f.hart.setRegister("mie", 0x800n);
  run(f, 10);
  assertEquals(f.hart.waiting, true);
  assertEquals(f.clock.instructions, 1);
  f.hart.interruptLine(7).set(true); // not enabled
  f.hart.wake();
  assertEquals(f.hart.waiting, true);
  f.hart.interruptLine(11).set(true);
  f.hart.wake();
  assertEquals(f.hart.waiting, false);
  run(f, 1);
  assertEquals(registers(f, "pc", "mcause"), [BigInt(RAM + 8), 0n]);
});

Deno.test("WFI does not wait when something is pending, and is illegal in U-mode and under TW", () => {
  const f = withHandlers(PRIV_M, WFI);
  f.hart.setRegister("mie", 8n);
  f.hart.interruptLine(3).set(true);
  run(f, 1);
  assertEquals(f.hart.waiting, false);
  for (const [privilege, status] of [[PRIV_U, 0n], [PRIV_S, 1n << 21n]] as const) {
    const g = withHandlers(privilege, WFI);
    g.hart.setRegister("mstatus", status);
    run(g, 1);
    assertEquals([g.hart.waiting, g.hart.register("scause")], [false, 2n]);
  }
});

Deno.test("stimecmp interrupts at its exact time and is quiet again once written to the future", () => {
  const f = withHandlers(PRIV_S, ...new Array(64).fill(NOP));
  f.hart.setRegister("sie", 0x20n);
  f.hart.setRegister("sstatus", 2n);
  f.hart.setRegister("stimecmp", 10n);
  f.hart.setRegister("pc", BigInt(RAM));
  run(f, 10);
  assertEquals(registers(f, "pc", "sip"), [BigInt(RAM + 40), 0x20n]);
  run(f, 1);
  assertEquals(registers(f, "sepc", "scause"), [BigInt(RAM + 40), INTERRUPT | 5n]);
  f.hart.setRegister("stimecmp", 100n);
  assertEquals(f.hart.register("sip"), 0n);
  assertEquals(f.clock.nextDueNs, 100);
});

Deno.test("writing stimecmp ends the interpreter's run, so that the new deadline is kept", () => {
  const f = withHandlers(PRIV_S, csrw(0x14d, A0), ...new Array(64).fill(NOP));
  f.hart.setRegister("a0", 20n);
  f.hart.setRegister("sie", 0x20n);
  f.hart.setRegister("sstatus", 2n);
  run(f, 40);
  assertEquals(f.hart.register("sepc"), BigInt(RAM + 80));
});

Deno.test("a timer due later than any guest will live is never armed", () => {
  const f = withHandlers(PRIV_S);
  f.hart.setRegister("stimecmp", 1n << 63n);
  assertEquals(f.clock.nextDueNs, Infinity);
  f.hart.setTimer(5);
  assertEquals([f.clock.nextDueNs, f.hart.register("stimecmp")], [5, 5n]);
  f.hart.setTimer(Infinity);
  assertEquals([f.clock.nextDueNs, f.hart.register("stimecmp")], [Infinity, (1n << 64n) - 1n]);
});

Deno.test("without STCE the timer bit is M-mode's to write", () => {
  const { hart } = withHandlers(PRIV_S);
  hart.setRegister("stimecmp", 0n);
  assertEquals(hart.register("mip"), 0x20n);
  hart.setRegister("menvcfg", 0n);
  assertEquals(hart.register("mip"), 0n);
  hart.setRegister("mip", 0x20n);
  assertEquals(hart.register("sip"), 0x20n);
});

Deno.test("built-in firmware sees ECALLs of S-mode first", () => {
  const f = withHandlers(PRIV_S, ECALL, ECALL);
  const seen: bigint[] = [];
  f.hart.sbi = (hart) => {
    seen.push(hart.register("a7")!);
    return seen.length === 1;
  };
  run(f, 1);
  assertEquals(registers(f, "pc", "mcause"), [BigInt(RAM + 4), 0n]);
  run(f, 1);
  assertEquals(registers(f, "pc", "mcause"), [HANDLER, 9n]);
});

Deno.test("a handler that only traps again stops the hart and is reported", () => {
  const f = newHart(PRIV_S);
  f.hart.setRegister("stvec", 0x40n);
  program(f.ram, RAM, ECALL);
  f.hart.setRegister("medeleg", 0xffffn);
  let report = "";
  f.hart.onTripleFault = (detail) => report = detail;
  run(f, 100_000);
  assertEquals(f.hart.stopped, true);
  assertMatch(report, /supervisor trap handler at 0x0000000000000040 only traps again \(cause 1,/);
});

Deno.test("a program that traps often but gets on is no triple fault", () => {
  const f = withHandlers(PRIV_M, ECALL);
  program(f.ram, RAM + 0x1000, csrw(0x341, A0), MRET);
  f.hart.setRegister("a0", BigInt(RAM));
  run(f, 30_000);
  assertEquals(f.hart.stopped, false);
});

Deno.test("an access to nowhere is an access fault; the trapping instruction counts and changes nothing", () => {
  const f = withHandlers(PRIV_M, lw(A0, A0));
  f.hart.setRegister("a0", 0x2000_0000n);
  run(f, 1);
  assertEquals(registers(f, "mcause", "mtval", "a0"), [5n, 0x2000_0000n, 0x2000_0000n]);
  assertEquals(f.clock.instructions, 1);
  f.hart.setRegister("pc", BigInt(DEVICE)); // devices hold no instructions
  run(f, 1);
  assertEquals(registers(f, "mcause", "mtval", "mepc"), [1n, BigInt(DEVICE), BigInt(DEVICE)]);
});
