/**
 * Debian's boot on both engines side by side: registers, system registers and TLBs are compared every
 * INTERVAL instructions, RAM less often and at the end. BOOTWRIGHT_LOCKSTEP_INSTRUCTIONS sets how far it goes
 * (2000000000 is all of it).
 */
import { assertEquals } from "@std/assert";
import { debianGuest } from "../../fixtures/debian.ts";
import { ramDifferences, stateDifferences } from "../support/differences.ts";
import { canTranslate, debianMachine } from "../support/guest_machines.ts";

const INTERVAL = 1_000_000;
const RAM_INTERVAL = 10_000_000;
const INSTRUCTIONS = Number(Deno.env.get("BOOTWRIGHT_LOCKSTEP_INSTRUCTIONS") ?? 50_000_000);

const debian = debianGuest("riscv64");

for (const vcpus of [1, 2]) {
  Deno.test({
    name: `interpreter and translator agree every ${INTERVAL} instructions of Debian's boot, vCPUs: ${vcpus}`,
    ignore: !canTranslate || debian === undefined,
    async fn() {
      using reference = await debianMachine("interpreter", debian!, vcpus);
      using translated = await debianMachine("dbt", debian!, vcpus);
      const a = reference.machine, b = translated.machine;
      while (a.clock.instructions < INSTRUCTIONS && !a.exit) {
        const limitNs = a.clock.nowNs + INTERVAL;
        reference.run(limitNs);
        translated.run(limitNs);
        const where = `after ${a.clock.instructions} instructions`;
        assertEquals(stateDifferences(a, b), [], where);
        if (limitNs % RAM_INTERVAL < INTERVAL) assertEquals(ramDifferences(a, b), [], where);
      }
      assertEquals(await translated.outcome(), await reference.outcome());
    },
  });
}
