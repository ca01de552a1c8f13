/** Guests with more RAM than 31 bits can count: code, data and page tables at its very end. */
import { assert, assertEquals } from "@std/assert";
import { canTranslate, guestMachine } from "../support/guest_machines.ts";
import { Program } from "../support/riscv_assembler.ts";

const RAM = 0x8000_0000;
const GIB = 2 ** 30;
const PAGE = 4096;
/** A gigapage that may be read, written and executed: V, R, W, X, A, D. */
const LEAF = 0xcf;
const SATP_SV39 = 8n << 60n;
const MPP_SUPERVISOR = 1n << 11n;

for (const gib of [3, 4]) {
  Deno.test({
    name: `a guest of ${gib} GiB runs code, data and page tables at the end of its RAM, on both engines`,
    ignore: !canTranslate,
    async fn() {
      const end = RAM + gib * GIB;
      const code = end - PAGE, data = end - 2 * PAGE, root = end - 3 * PAGE;
      const sum = new Program(code)
        .addressOf(8, data)
        .add("addi", { rd: 6, imm: 1000 })
        .label("next")
        .add("ld", { rd: 5, rs1: 8 })
        .add("add", { rd: 5, rs1: 5, rs2: 6 })
        .add("sd", { rs1: 8, rs2: 5 })
        .add("addi", { rd: 6, rs1: 6, imm: -1 })
        .branch("bne", { rs1: 6 }, "next")
        .add("ebreak");
      const kernel = new Program(RAM).add("mret").add("wfi").bytes();
      for (const engine of ["interpreter", "dbt"] as const) {
        using guest = await guestMachine(engine, { ramBytes: gib * GIB, vcpus: 1, kernel, bios: "none" });
        const { ram, vcpus: [hart] } = guest.machine;
        ram.write(code, sum.bytes());
        const gigapage = Math.floor(code / GIB);
        ram.view.setUint32(root - RAM + 8 * gigapage, gigapage * GIB / PAGE << 10 | LEAF, true);
        const registers = {
          pmpaddr0: -1n,
          pmpcfg0: 0x1fn,
          satp: SATP_SV39 | BigInt(root / PAGE),
          mstatus: MPP_SUPERVISOR,
          mepc: BigInt(code),
          mtvec: BigInt(RAM + 4),
        };
        for (const [name, value] of Object.entries(registers)) assert(hart.setRegister(name, value), name);
        guest.run(1e6);
        assertEquals(guest.machine.exit?.kind, "hang", engine);
        assertEquals(hart.register("mcause"), 3n, engine); // the ebreak
        assertEquals(ram.view.getBigUint64(data - RAM, true), 500_500n, engine);
        const { interpreted } = guest.engine.statistics();
        if (engine === "dbt") assert(interpreted < 500, `${interpreted} instructions were interpreted`);
      }
    },
  });
}
