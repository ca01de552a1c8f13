/** The guest is the attacker: accesses at the very end of RAM, as generated code, reach no byte behind it. */
import { assertEquals } from "@std/assert";
import { canTranslate, guestMachine } from "../support/guest_machines.ts";
import { Program } from "../support/riscv_assembler.ts";

const RAM = 0x8000_0000;
const RAM_BYTES = 2 ** 20;
const LOAD_ACCESS_FAULT = 5n, STORE_ACCESS_FAULT = 7n;

for (const [name, cause] of [["sd", STORE_ACCESS_FAULT], ["ld", LOAD_ACCESS_FAULT]] as const) {
  Deno.test({
    name: `${name} across the end of RAM faults and moves nothing, whether the TLB has the page or not`,
    ignore: !canTranslate,
    async fn() {
      for (const warm of [false, true]) {
        for (let inside = 1; inside < 8; inside++) {
          const at = RAM + RAM_BYTES - inside;
          const code = new Program(RAM).addressOf(8, at).addressOf(9, at - 64).add("addi", {
            rd: 10,
            imm: -1,
          });
          if (warm) code.add("sd", { rs1: 9, rs2: 10 }).add("ld", { rd: 11, rs1: 9 });
          code.add(name, { rs1: 8, rs2: 10, rd: 12 }).add("wfi");
          const kernel = code.bytes();
          const handler = RAM + kernel.length - 4;
          using guest = await guestMachine("dbt", { ramBytes: RAM_BYTES, vcpus: 1, kernel, bios: "none" });
          const { machine } = guest;
          const [hart] = machine.vcpus;
          hart.setRegister("mtvec", BigInt(handler));
          hart.setRegister("pmpaddr0", -1n); // else generated code fills no TLB
          hart.setRegister("pmpcfg0", 0x1fn);
          machine.ram.u8.fill(0, RAM_BYTES - 8);
          guest.run(1e6);
          assertEquals(hart.register("mcause"), cause);
          assertEquals(hart.register("x12"), 0n);
          assertEquals(machine.ram.u8.slice(RAM_BYTES - 8), new Uint8Array(8));
        }
      }
    },
  });
}
