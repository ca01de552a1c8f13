/** Guests for which the interpreter stands in until it is clear that they will run for a while. */
import { assert, assertEquals } from "@std/assert";
import { kernelPath } from "../../fixtures/kernels.ts";
import { boot, type EngineChoice, guest } from "../../mod.ts";
import { canTranslate } from "../support/guest_machines.ts";

const tiny = (kernel: "hello" | "spin", engine: EngineChoice) =>
  boot({ arch: "riscv64", kernel: kernelPath(kernel), memory: "16M", engine });

Deno.test({
  name: "a guest that ends soon is never translated, unless the translator was asked for",
  ignore: !canTranslate,
  async fn() {
    await using soon = await tiny("hello", "auto"), asked = await tiny("hello", "dbt");
    await soon.waitForExit({ kind: "poweroff" });
    await asked.waitForExit({ kind: "poweroff" });
    assertEquals(soon.engine.name, "dbt");
    assertEquals(soon.statistics, { interpreted: soon.instructions });
    assert(asked.statistics.blocksTranslated > 0);
    assertEquals([soon.console.text, soon.instructions], [asked.console.text, asked.instructions]);
  },
});

Deno.test({
  name: "a guest that goes on is translated, and where that began cannot be told from the outcome",
  ignore: !canTranslate,
  async fn() {
    await using late = await tiny("spin", "auto"), interpreted = await tiny("spin", "interpreter");
    for (const vm of [late, interpreted]) await vm.run({ for: guest("5ms") });
    assert(late.statistics.blocksTranslated > 0);
    assert(late.statistics.interpreted >= 100_000, "what was interpreted before still counts");
    assertEquals(late.instructions, interpreted.instructions);
    assertEquals(late.cpu(0).pc, interpreted.cpu(0).pc);
    assertEquals(await late.memory.sha256(), await interpreted.memory.sha256());
  },
});

Deno.test({
  name: "a machine can be closed while the translator is on its way",
  ignore: !canTranslate,
  async fn() {
    const vm = await tiny("spin", "auto");
    const wait = vm.run({ for: guest("1h") }).catch((error) => error.message);
    await new Promise((resolve) => setTimeout(resolve, 0));
    await vm[Symbol.asyncDispose]();
    assertEquals(await wait, "This machine was closed; boot another one.");
  },
});
