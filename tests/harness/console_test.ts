import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { guest, InputError } from "../../mod.ts";
import { tiny } from "./_tiny.ts";

Deno.test("the same waits give the same instruction counts, live or after the fact", async () => {
  const counts = async (slices: boolean) => {
    await using vm = await tiny("timer");
    if (slices) { for (let i = 0; i < 20; i++) await vm.run({ for: guest("7us") }); }
    const hit = await vm.console.waitFor("tick 5");
    await vm.waitForExit();
    return [slices ? 0 : hit.instructions, vm.instructions, vm.guestTimeNs, await vm.memory.sha256()];
  };
  assertEquals(await counts(false), await counts(false));
  assertEquals((await counts(true)).slice(1), (await counts(false)).slice(1));
});

Deno.test("patterns that cannot be waited for are refused before the machine moves", async () => {
  await using vm = await tiny("hello");
  await assertRejects(() => vm.console.waitFor(""), InputError, "empty string");
  await assertRejects(() => vm.console.waitFor(/x*/), InputError, "empty string");
  await assertRejects(() => vm.console.waitFor([]), InputError, "no pattern");
  assertEquals(vm.instructions, 0);
});

Deno.test('with ansi: "keep" patterns see escape sequences', async () => {
  await using vm = await tiny("echo", { ansi: "keep" });
  await vm.console.type("\x1b[31mred\n");
  await vm.console.waitFor("\x1b[31mred");
  assertStringIncludes(vm.console.text, "\x1b[31mred");
});

Deno.test("never() without a length of guest time is refused", async () => {
  await using vm = await tiny("hello");
  // @ts-expect-error: what a JavaScript user might write
  await assertRejects(() => vm.console.never("panic", { during: "5s" }), InputError, 'write guest("30s")');
});

Deno.test("a machine may run on a little after a match, so that the next line is not lost", async () => {
  await using vm = await tiny("hello");
  const hit = await vm.console.waitFor("Hello", { linger: guest("1ms") });
  assertEquals(hit.text, "Hello");
  assert(hit.instructions < vm.instructions);
  assertEquals(vm.console.text, "Hello from riscv64\n");
  assertEquals((await vm.console.waitFor(/from (\w+)/)).groups, ["riscv64"]);
});
