import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { EngineUnavailableError, selectEngine, translatorObstacle } from "../../accel/select.ts";
import { plainMemory } from "../../core/memory.ts";

Deno.test("the interpreter is always there and says nothing", async () => {
  const selection = await selectEngine("interpreter");
  assertEquals([selection.memory, selection.notice], [plainMemory, undefined]);
});

Deno.test({
  name: "without the permission, auto says why in one sentence and dbt is refused",
  permissions: { ffi: false, read: true },
  fn: async () => {
    const obstacle = await translatorObstacle();
    assertMatch(obstacle ?? "", /^The translator .*\.$/);
    const selection = await selectEngine("auto");
    assertEquals(selection.memory, plainMemory);
    assertMatch(selection.notice ?? "", /Using the interpreter/);
    await assertRejects(() => selectEngine("dbt"), EngineUnavailableError, obstacle);
  },
});

Deno.test("where the translator works, auto is the translator", async () => {
  const obstacle = await translatorObstacle();
  const selection = await selectEngine("auto");
  assertEquals(selection.memory === plainMemory, obstacle !== undefined);
});
