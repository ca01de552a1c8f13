import { assertEquals } from "@std/assert";
import { INSTRUCTIONS } from "../../../../core/decoder/riscv/encodings.ts";
import { EXEC, SEMANTICS } from "../../../../core/decoder/riscv/exec/mod.ts";
import { S_PRIV } from "../../../../core/decoder/riscv/state.ts";
import { type Fields, TestHart } from "./test_hart.ts";

Deno.test("every row has a function and every function a row", () => {
  assertEquals(Object.keys(SEMANTICS).sort(), INSTRUCTIONS.map(([name]) => name).sort());
  assertEquals(EXEC.length, INSTRUCTIONS.length);
});

Deno.test("what concerns the hart as a whole is asked of the hart", () => {
  const requests: [string, Fields, string[]][] = [
    ["illegal", {}, ["illegal"]],
    ["fence", {}, ["fence"]],
    ["pause", {}, []],
    ["fence.i", {}, ["fence.i"]],
    ["ecall", {}, ["ecall"]],
    ["ebreak", {}, ["ebreak"]],
    ["mret", {}, ["mret"]],
    ["sret", {}, ["sret"]],
    ["wfi", {}, ["wfi"]],
    ["sfence.vma", { rs1: 3, rs2: 4 }, ["sfence.vma 3 4"]],
    ["sinval.vma", { rs1: 0, rs2: 31 }, ["sfence.vma 0 31"]],
  ];
  for (const [name, fields, events] of requests) {
    const hart = new TestHart();
    hart.execute(name, fields);
    assertEquals(hart.events, events, name);
  }
});

Deno.test("ordering of invalidations is for supervisors", () => {
  for (const name of ["sfence.w.inval", "sfence.inval.ir"]) {
    for (const [mode, events] of [[0, ["illegal"]], [1, []], [3, []]] as const) {
      const hart = new TestHart();
      hart.state[S_PRIV >> 2] = mode;
      hart.execute(name, {});
      assertEquals(hart.events, events, `${name} in mode ${mode}`);
    }
  }
});

Deno.test("CSR instructions read and write only when their operands say so", () => {
  const MSCRATCH = 0x340 << 20;
  const accesses: [string, Fields, string][] = [
    ["csrrw", { rd: 1, rs1: 2 }, "csr 340 write, reads, writes 8000000000000005"],
    ["csrrw", { rs1: 2 }, "csr 340 write, writes 8000000000000005"],
    ["csrrw", { rd: 1 }, "csr 340 write, reads, writes 0"],
    ["csrrs", { rd: 1, rs1: 2 }, "csr 340 set, reads, writes 8000000000000005"],
    ["csrrs", { rd: 1 }, "csr 340 set, reads 0"],
    ["csrrc", { rs1: 2 }, "csr 340 clear, reads, writes 8000000000000005"],
    ["csrrc", { rd: 1 }, "csr 340 clear, reads 0"],
    ["csrrwi", { rd: 1, rs1: 31 }, "csr 340 write, reads, writes 1f"],
    ["csrrwi", { rs1: 0 }, "csr 340 write, writes 0"],
    ["csrrsi", { rd: 1, rs1: 31 }, "csr 340 set, reads, writes 1f"],
    ["csrrsi", { rd: 1 }, "csr 340 set, reads 0"],
    ["csrrci", { rd: 1, rs1: 1 }, "csr 340 clear, reads, writes 1"],
    ["csrrci", { rd: 1 }, "csr 340 clear, reads 0"],
  ];
  for (const [name, fields, event] of accesses) {
    const hart = new TestHart();
    hart.csrValue = 0x1234_5678_9abc_def0n;
    hart.setX(2, 0x8000_0000_0000_0005n);
    hart.execute(name, { ...fields, bits: MSCRATCH });
    assertEquals(hart.events, [event]);
    assertEquals(hart.x(1), fields.rd === 1 ? hart.csrValue : 0n);
  }
});

Deno.test("a CSR access that traps leaves its destination as it was", () => {
  const hart = new TestHart();
  hart.csrTraps = true;
  hart.csrValue = 1n;
  hart.setX(1, 7n);
  hart.execute("csrrw", { rd: 1, rs1: 1 });
  assertEquals(hart.x(1), 7n);
});
