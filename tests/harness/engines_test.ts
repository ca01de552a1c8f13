import { assertEquals } from "@std/assert";
import { translatorObstacle } from "../../accel/select.ts";
import { guest } from "../../mod.ts";
import { tiny } from "./_tiny.ts";

const obstacle = await translatorObstacle();
const engines = ["interpreter", "dbt"] as const;

/** A test of both engines, skipped by name where there is only one. */
function bothEngines(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: obstacle ? `${name} (needs the translator)` : name, ignore: obstacle !== undefined, fn });
}

/** Gives what both engines gave, having checked that it is the same. */
async function agree<T>(run: (engine: "interpreter" | "dbt") => Promise<T>): Promise<T> {
  const [interpreted, translated] = [await run(engines[0]), await run(engines[1])];
  assertEquals(translated, interpreted);
  return translated;
}

bothEngines("engines agree on every tiny guest's end, output, counts and memory", async () => {
  for (const name of ["hello", "timer", "smp", "fault", "nowhere", "reset", "spin", "flood"] as const) {
    await agree(async (engine) => {
      await using vm = await tiny(name, { engine, cpus: 3 });
      using _ = vm.faults.expect("triple-fault", { optional: true });
      const exit = await vm.waitForExit({ within: guest("1ms") });
      const { instructions, guestTimeNs } = vm;
      return [name, exit, instructions, guestTimeNs, vm.console.text, await vm.memory.sha256()];
    });
  }
});

bothEngines("engines agree on where each wait of a dialogue stops", async () => {
  const stops = await agree(async (engine) => {
    await using vm = await tiny("echo", { engine });
    const hits = [await vm.console.waitFor("ready")];
    for (let i = 0; i < 20; i++) {
      await vm.console.type(`line ${i} with some more text than a FIFO holds\n`);
      hits.push(await vm.console.waitFor(/^line (\d+)/));
      if (i % 5 === 0) await vm.run({ for: guest("3us") });
    }
    await vm.console.type("quit\n");
    await vm.waitForExit({ kind: "poweroff" });
    return [hits, vm.cpu(0).registers, await vm.memory.sha256()];
  });
  assertEquals((stops[0] as unknown[]).length, 21);
});

bothEngines("engines agree on a match that is settled for", async () => {
  await agree(async (engine) => {
    await using vm = await tiny("spin", { engine });
    return await vm.console.waitFor(/spin\w+[^]*/);
  });
});

bothEngines("engines agree on a program that a test rewrites", async () => {
  await agree(async (engine) => {
    await using vm = await tiny("spin", { engine });
    await vm.console.waitFor("spinning\n");
    await vm.run({ for: guest("10us") });
    vm.memory.write(vm.cpu(0).pc, Uint8Array.of(0x73, 0x00, 0x50, 0x10, 0x6f, 0xf0, 0xdf, 0xff)); // wfi; j -4
    return [await vm.waitForExit(), vm.instructions];
  });
});
