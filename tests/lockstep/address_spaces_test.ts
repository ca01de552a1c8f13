/** Several harts whose page tables lead the same virtual addresses to different code. */
import { assert, assertEquals } from "@std/assert";
import { ramDifferences, stateDifferences } from "../support/differences.ts";
import { canTranslate, type GuestMachine, guestMachine } from "../support/guest_machines.ts";
import { Program } from "../support/riscv_assembler.ts";

const RAM = 0x8000_0000, PAGE = 4096;
/** Of each hart: three levels of tables, then the page with its own code. */
const SPACES = RAM + 0x1_0000, SPACE_BYTES = 4 * PAGE;
const SHARED = RAM + PAGE, SATPS = RAM + 2 * PAGE;
/** Virtual addresses of the shared code and of each hart's own. */
const SHARED_AT = PAGE, OWN_AT = 2 * PAGE;
const HARTS = 3;

const T = 5, U = 6, SUM = 7;
const MSTATUS = 0x300, MEPC = 0x341, SATP = 0x180, MHARTID = 0xf14;
const SV39 = 8n << 60n, LEAF = 0xcfn, TABLE = 1n;

/** In M-mode: takes the hart's own page table, and goes on in S-mode. */
const START = new Program(RAM)
  .add("csrrs", { rd: T, csr: MHARTID })
  .add("slli", { rd: T, rs1: T, imm: 3 })
  .addressOf(U, SATPS)
  .add("add", { rd: T, rs1: T, rs2: U })
  .add("ld", { rd: T, rs1: T })
  .add("csrrw", { csr: SATP, rs1: T })
  .add("lui", { rd: T, imm: SHARED_AT })
  .add("csrrw", { csr: MEPC, rs1: T })
  .add("lui", { rd: T, imm: PAGE })
  .add("srli", { rd: T, rs1: T, imm: 1 })
  .add("csrrw", { csr: MSTATUS, rs1: T })
  .add("mret");

const entry = (address: number, bits: bigint) => BigInt(address) >> 12n << 10n | bits;

async function machine(engine: "dbt" | "interpreter"): Promise<GuestMachine> {
  const options = { ramBytes: 2 ** 22, vcpus: HARTS, kernel: START.bytes(), bios: "none" } as const;
  const made = await guestMachine(engine, options, { coldVisits: 0 });
  const { ram, vcpus } = made.machine;
  const word = (address: number, value: bigint) =>
    ram.write(address, new Uint8Array(BigUint64Array.of(value).buffer));
  ram.write(SHARED, new Program(SHARED_AT).add("jal", { imm: OWN_AT - SHARED_AT }).bytes());
  for (let hart = 0; hart < HARTS; hart++) {
    vcpus[hart].setRegister("pmpaddr0", -1n);
    vcpus[hart].setRegister("pmpcfg0", 0x1fn);
    const root = SPACES + hart * SPACE_BYTES, own = root + 3 * PAGE;
    word(SATPS + 8 * hart, SV39 | BigInt(root) >> 12n);
    word(root, entry(root + PAGE, TABLE));
    word(root + PAGE, entry(root + 2 * PAGE, TABLE));
    word(root + 2 * PAGE + 8 * (SHARED_AT / PAGE), entry(SHARED, LEAF));
    word(root + 2 * PAGE + 8 * (OWN_AT / PAGE), entry(own, LEAF));
    const code = new Program(OWN_AT)
      .add("addi", { rd: SUM, rs1: SUM, imm: hart + 1 })
      .add("jal", { imm: SHARED_AT - OWN_AT - 4 });
    ram.write(own, code.bytes());
  }
  return made;
}

Deno.test({
  name: "harts with page tables of their own do not take each other's code",
  ignore: !canTranslate,
  async fn() {
    using reference = await machine("interpreter");
    using translated = await machine("dbt");
    for (let limitNs = 1000; limitNs < 200_000; limitNs += 7001) {
      reference.run(limitNs);
      translated.run(limitNs);
      assertEquals(stateDifferences(reference.machine, translated.machine), []);
    }
    assertEquals(ramDifferences(reference.machine, translated.machine), []);
    for (let hart = 0; hart < HARTS; hart++) {
      const sum = Number(reference.machine.vcpus[hart].register("t2"));
      assert(sum > 1000 && sum % (hart + 1) === 0, `hart ${hart} has counted ${sum}`);
    }
  },
});
