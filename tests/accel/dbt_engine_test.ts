/** The limits of the translator's memory: what happens when they are reached changes nothing for the guest. */
import type { SoftwareVcpu } from "../../core/isa.ts";
import { assert, assertEquals } from "@std/assert";
import { allocateCodeMemory } from "../../accel/dbt/memory.ts";
import { STATE_EPOCH_CONTEXT } from "../../core/translator/layout.ts";
import { debianGuest } from "../../fixtures/debian.ts";
import { canTranslate, debianMachine, guestMachine } from "../support/guest_machines.ts";

const debian = debianGuest("riscv64");
const LIMIT_NS = 150e6;

Deno.test({
  name: "code memory that is full is emptied, and the guest does not notice",
  ignore: !canTranslate || debian === undefined,
  async fn() {
    using roomy = await debianMachine("dbt", debian!);
    using cramped = await debianMachine("dbt", debian!, 1, { memory: allocateCodeMemory(2 << 20) });
    roomy.run(LIMIT_NS);
    cramped.run(LIMIT_NS);
    assertEquals(roomy.engine.statistics().cacheClears, 0);
    assert(cramped.engine.statistics().cacheClears > 0);
    assertEquals(await cramped.outcome(), await roomy.outcome());
  },
});

Deno.test({
  name: "epochs begin anew before they run out, and the guest does not notice",
  ignore: !canTranslate || debian === undefined,
  async fn() {
    using fresh = await debianMachine("dbt", debian!);
    using late = await debianMachine("dbt", debian!);
    (late.machine.vcpus[0] as SoftwareVcpu).state[STATE_EPOCH_CONTEXT >> 2] = 0x7fffff00 - 20 * 256;
    fresh.run(LIMIT_NS);
    late.run(LIMIT_NS);
    assert(late.engine.statistics().cacheClears > 0);
    assertEquals(await late.outcome(), await fresh.outcome());
  },
});

Deno.test({
  name: "code memory with room for one block or for none is used, or refused, but never run out of",
  ignore: !canTranslate,
  async fn() {
    const kernel = await Deno.readFile(new URL("../../fixtures/kernels/riscv64/hello.elf", import.meta.url));
    const outcomes = new Set<string>();
    // A block may take half a mebibyte; what else there is takes some kilobytes.
    for (let codeBytes = 512 << 10; codeBytes <= 544 << 10; codeBytes += 512) {
      using guest = await guestMachine("dbt", { ramBytes: 4 << 20, vcpus: 1, kernel }, {
        memory: allocateCodeMemory(codeBytes),
        coldVisits: 0,
      });
      try {
        guest.run(1e9);
        outcomes.add(String(guest.machine.exit?.kind));
      } catch (error) {
        assert(error instanceof RangeError, String(error));
        outcomes.add("refused");
      }
    }
    assertEquals(outcomes, new Set(["refused", "poweroff"]));
  },
});
