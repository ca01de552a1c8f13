/**
 * Random guests on both engines: every row of the encodings' table, in every mode, with traps, interrupts,
 * paging, code that changes and budgets of every size. BOOTWRIGHT_SEEDS=FIRST-LAST runs others than usual;
 * BOOTWRIGHT_SEEDS=SEED runs one, which is how a failure is looked at again.
 */
import { assert, assertEquals } from "@std/assert";
import { I_ILLEGAL, INSTRUCTIONS } from "../../core/decoder/riscv/encodings.ts";
import { TRANSLATE } from "../../core/decoder/riscv/translate/table.ts";
import { CoverageCounter } from "../support/coverage.ts";
import { canTranslate } from "../support/guest_machines.ts";
import { LockstepPair } from "../support/lockstep_pair.ts";
import { RandomGuest } from "../support/random_guest.ts";
import { seedRange } from "../support/seeds.ts";
import { shrink } from "../support/shrink.ts";

const [FIRST, LAST] = seedRange(1, 3000);
/** Guests that run on one pair of machines, one after the other. */
const BATCH = 40;

/** What went wrong with a seed, as small as it gets. */
async function report(seed: number, first: number, found: string[]): Promise<string> {
  const guest = new RandomGuest(seed);
  const smaller = await shrink(guest, async () => {
    using pair = await LockstepPair.create();
    const differences = pair.run(guest);
    return differences.length > 0 ? differences : undefined;
  });
  const alone = smaller ? "alone, too:" : `only after seeds ${first}-${seed - 1}:`;
  return [
    `seed ${seed} (${guest.kind}, ${guest.setting.name}) ${alone}`,
    ...(smaller ? [...smaller, "code", ...guest.listing()] : found),
  ].join("\n");
}

const UNTRANSLATED = TRANSLATE[I_ILLEGAL];

Deno.test({
  name: "random guests do the same under interpreter and translator",
  ignore: !canTranslate,
  async fn(t) {
    using coverage = new CoverageCounter();
    let mirrorFaults = 0;
    for (let first = FIRST; first <= LAST; first += BATCH) {
      using pair = await LockstepPair.create();
      coverage.translates(pair.translated.machine);
      for (let seed = first; seed < first + BATCH && seed <= LAST; seed++) {
        const found = pair.run(new RandomGuest(seed));
        if (found.length > 0) throw new Error(await report(seed, first, found));
      }
      mirrorFaults += pair.translated.engine.statistics().mirrorFaults ?? Infinity; // no mirror on this host
    }
    if (LAST - FIRST < 1000) return;
    await t.step("hot code of programs reached data by the mirror, where there can be one", () => {
      assert(mirrorFaults > 100, `${mirrorFaults} faults`);
    });
    await t.step("every instruction was executed, and as generated code where there is a translation", () => {
      const missed = INSTRUCTIONS.filter((row, id) =>
        coverage.executed(row) === 0 || TRANSLATE[id] !== UNTRANSLATED && coverage.native(row) <= 0
      );
      assertEquals(missed.map(([name]) => name), []);
    });
  },
});
