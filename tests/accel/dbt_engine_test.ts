/** The limits of the translator's memory: what happens when they are reached changes nothing for the guest. */
import type { SoftwareVcpu } from "../../core/isa.ts";
import { assert, assertEquals } from "@std/assert";
import { STATE_EPOCH_CONTEXT } from "../../core/translator/layout.ts";
import { debianGuest } from "../../fixtures/debian.ts";
import { canTranslate, debianMachine } from "../support/guest_machines.ts";

const debian = debianGuest("riscv64");
const LIMIT_NS = 150e6;

Deno.test({
  name: "code memory that is full is emptied, and the guest does not notice",
  ignore: !canTranslate || debian === undefined,
  async fn() {
    using roomy = await debianMachine("dbt", debian!);
    using cramped = await debianMachine("dbt", debian!, 1, { codeBytes: 2 << 20 });
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
