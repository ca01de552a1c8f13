import { assertEquals, assertThrows } from "@std/assert";
import { InterpreterEngine } from "../../../../accel/interpreter/engine.ts";
import {
  CONTEXT_FPU_CLEAN,
  CONTEXT_FPU_DIRTY,
  CONTEXT_FPU_SHIFT,
  CONTEXT_FRM_DYNAMIC,
  MMU_MACHINE,
  MMU_SUPERVISOR,
  MMU_SUPERVISOR_SUM,
} from "../../../../core/decoder/riscv/state.ts";
import { PRIV_M, PRIV_S } from "../../../../core/decoder/riscv/trap.ts";
import {
  A0,
  A1,
  A2,
  A3,
  addi,
  amoaddD,
  DEVICE,
  jump,
  lb,
  ld,
  lrD,
  lw,
  newHart,
  NOP,
  program,
  RAM,
  RAM_BYTES,
  run,
  scD,
  sd,
  sw,
  ZERO,
} from "./hart_fixture.ts";

Deno.test("runs exactly its budget, and stops at a yield", () => {
  const f = newHart();
  program(f.ram, RAM, addi(A0, A0, 1), jump(-4));
  new InterpreterEngine().run(f.hart, 1001);
  assertEquals([f.clock.instructions, f.hart.register("a0")], [1001, 501n]);
  f.hart.interpret(0);
  assertEquals(f.clock.instructions, 1001);
  program(f.ram, RAM + 4, lw(A1, A2), jump(-8));
  f.hart.setRegister("a2", BigInt(DEVICE));
  f.device.read = () => {
    f.control.yield = true;
    return 0;
  };
  f.hart.interpret(1000);
  assertEquals(f.hart.register("pc"), BigInt(RAM + 8));
});

Deno.test("compressed and full instructions mix, and the pc carries into its high half", () => {
  const f = newHart();
  f.ram.view.setUint16(0, 0x0505, true); // c.addi a0, 1
  program(f.ram, RAM + 2, addi(A0, A0, 5));
  run(f, 2);
  assertEquals([f.hart.register("a0"), f.hart.register("pc")], [6n, BigInt(RAM + 6)]);
  f.hart.setRegister("pc", 0xffff_fffen);
  f.hart.setRegister("mtvec", BigInt(RAM));
  run(f, 1);
  assertEquals([f.hart.register("mepc"), f.hart.register("mtval")], [0xffff_fffen, 0xffff_fffen]);
});

Deno.test("scalar accesses to RAM may be misaligned, atomics may not", () => {
  const f = newHart();
  f.hart.setRegister("a0", BigInt(RAM + 0x1001));
  f.hart.setRegister("a1", 0x1122_3344_5566_7788n);
  program(f.ram, RAM, sd(A1, A0), ld(A2, A0), lb(A3, A0, 3), amoaddD(A2, A1, A0));
  run(f, 3);
  assertEquals([f.hart.register("a2"), f.hart.register("a3")], [0x1122_3344_5566_7788n, 0x55n]);
  run(f, 1);
  assertEquals([f.hart.register("mcause"), f.hart.register("mtval")], [6n, BigInt(RAM + 0x1001)]);
});

Deno.test("devices see aligned accesses of 1, 2 and 4 bytes, 8 as two, and nothing else", () => {
  const f = newHart();
  f.hart.setRegister("a0", BigInt(DEVICE));
  f.hart.setRegister("a1", 0x1_8000_0002n);
  program(f.ram, RAM, lb(A2, A0), sd(A1, A0, 8), ld(A3, A0), sw(A1, A0, 2), amoaddD(A2, A1, A0), lrD(A2, A0));
  run(f, 3);
  assertEquals(f.device.log, [
    "read 1 at 0",
    "write 4 at 8: 80000002",
    "write 4 at 12: 1",
    "read 4 at 0",
    "read 4 at 4",
  ]);
  assertEquals(f.hart.register("a3"), 0x11223348_11223344n);
  const causeAt = (pc: number) => {
    f.hart.setRegister("pc", BigInt(pc));
    run(f, 1);
    return f.hart.register("mcause");
  };
  assertEquals([causeAt(RAM + 12), causeAt(RAM + 16), causeAt(RAM + 20)], [6n, 7n, 5n]);
  assertEquals(f.device.log.length, 5);
});

Deno.test("RAM ends where it ends", () => {
  const f = newHart();
  f.hart.setRegister("a0", BigInt(RAM + RAM_BYTES));
  program(f.ram, RAM, lw(A1, A0, -4), lw(A1, A0, -2));
  run(f, 2);
  assertEquals([f.hart.register("mcause"), f.hart.register("mtval")], [5n, BigInt(RAM + RAM_BYTES)]);
});

Deno.test("SC stores only to the reserved address, once", () => {
  const f = newHart();
  f.hart.setRegister("a0", BigInt(RAM + 0x1000));
  f.hart.setRegister("a1", 9n);
  program(f.ram, RAM, scD(A2, A1, A0), lrD(A3, A0), scD(A2, A1, A0), scD(A3, A1, A0));
  run(f, 1);
  assertEquals([f.hart.register("a2"), f.ram.view.getInt32(0x1000, true)], [1n, 0]);
  run(f, 2);
  assertEquals([f.hart.register("a2"), f.ram.view.getInt32(0x1000, true)], [0n, 9]);
  run(f, 1);
  assertEquals(f.hart.register("a3"), 1n);
});

Deno.test("traps and other vCPUs' turns break a reservation", () => {
  for (const disturb of ["deschedule", "trap"]) {
    const f = newHart();
    f.hart.setRegister("a0", BigInt(RAM + 0x1000));
    f.hart.setRegister("mie", 8n);
    f.hart.setRegister("mtvec", BigInt(RAM + 4));
    program(f.ram, RAM, lrD(A3, A0), scD(A2, A1, A0));
    run(f, 1);
    if (disturb === "deschedule") f.hart.deschedule();
    else {
      f.hart.setRegister("mstatus", 8n);
      f.hart.interruptLine(3).set(true);
    }
    run(f, 1);
    assertEquals(f.hart.register("a2"), 1n);
  }
});

Deno.test("the context names MMU index, FPU state and rounding", () => {
  const { hart } = newHart();
  assertEquals(hart.context(), MMU_MACHINE);
  hart.setRegister("mstatus", 1n << 13n);
  hart.setRegister("frm", 1n); // makes FS dirty
  assertEquals(hart.context(), MMU_MACHINE | CONTEXT_FPU_DIRTY << CONTEXT_FPU_SHIFT | CONTEXT_FRM_DYNAMIC);
  hart.reset(BigInt(RAM), PRIV_S, 0n, 0n);
  assertEquals(hart.context(), MMU_SUPERVISOR | CONTEXT_FPU_CLEAN << CONTEXT_FPU_SHIFT);
  hart.setRegister("sstatus", 1n << 18n);
  assertEquals(hart.context(), MMU_SUPERVISOR_SUM);
});

Deno.test("registers have their ABI names, their numbers, and CSRs theirs", () => {
  const { hart } = newHart();
  assertEquals(hart.setRegister("sp", 0x1234_5678_9abc_def0n), true);
  assertEquals(hart.register("x2"), 0x1234_5678_9abc_def0n);
  assertEquals(hart.setRegister("zero", 5n), true);
  assertEquals(hart.register("x0"), 0n);
  hart.setRegister("fa0", (1n << 64n) - 1n);
  assertEquals(hart.register("f10"), (1n << 64n) - 1n);
  hart.setRegister("s0", 7n);
  assertEquals(hart.register("fp"), 7n);
  assertEquals([hart.register("mhartid"), hart.setRegister("mhartid", 4n), hart.register("mhartid")], [
    0n,
    true,
    0n,
  ]);
  assertEquals([hart.register("r15"), hart.setRegister("eax", 1n)], [undefined, false]);
  const names = hart.registers().map((r) => r.name);
  assertEquals(names.slice(0, 4), ["zero", "ra", "sp", "gp"]);
  for (const name of names) assertEquals(typeof hart.register(name), "bigint");
});

Deno.test("reset forgets everything but the levels of interrupt lines", () => {
  const f = newHart();
  program(f.ram, RAM, addi(A0, ZERO, 1), lw(A1, A0), NOP);
  run(f, 3);
  f.hart.interruptLine(11).set(true);
  f.hart.stopped = true;
  f.hart.reset(BigInt(RAM + 8), PRIV_S, 3n, 0x8200_0000n);
  assertEquals([f.hart.mode, f.hart.stopped, f.hart.waiting], ["supervisor", false, false]);
  assertEquals(["pc", "a0", "a1", "mcause", "mip"].map((name) => f.hart.register(name)), [
    BigInt(RAM + 8),
    3n,
    0x8200_0000n,
    0n,
    0x800n,
  ]);
});

Deno.test("after power-on Svadu is on in every mode, Sstc for S-mode only", () => {
  const { hart } = newHart();
  for (const [privilege, menvcfg] of [[PRIV_M, 1n << 61n], [PRIV_S, 1n << 63n | 1n << 61n]] as const) {
    hart.reset(BigInt(RAM), privilege, 0n, 0n);
    assertEquals(hart.register("menvcfg"), menvcfg);
  }
});

Deno.test("a saved hart goes on as it was", () => {
  const f = newHart();
  program(f.ram, RAM, 0x10500073);
  run(f, 1);
  const saved = f.hart.save();
  f.hart.waiting = false;
  f.hart.restore(structuredClone(saved));
  assertEquals(f.hart.waiting, true);
});

Deno.test("there are interrupt lines for the six architectural interrupts only", () => {
  const { hart } = newHart();
  for (const code of [1, 3, 5, 7, 9, 11]) hart.interruptLine(code);
  for (const code of [0, 2, 13, 33]) assertThrows(() => hart.interruptLine(code), RangeError);
});
