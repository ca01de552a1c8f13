/**
 * Random guests on both engines: every row of the encodings' table, in every mode, with traps, interrupts,
 * paging, code that changes and budgets of every size. BOOTWRIGHT_SEEDS=FIRST-LAST runs others than usual;
 * BOOTWRIGHT_SEEDS=SEED runs one, which is how a failure is looked at again.
 */
import { assertEquals } from "@std/assert";
import { decode } from "../../core/decoder/riscv/decode.ts";
import { expand } from "../../core/decoder/riscv/compressed.ts";
import { INSTRUCTIONS } from "../../core/decoder/riscv/encodings.ts";
import { idOf } from "../../core/decoder/riscv/encodings.ts";
import { TRANSLATE } from "../../core/decoder/riscv/translate/table.ts";
import { canTranslate } from "../support/guest_machines.ts";
import { CoverageCounter, LockstepPair } from "../support/lockstep_pair.ts";
import { RandomGuest } from "../support/random_guest.ts";

const [FIRST, LAST] = (Deno.env.get("BOOTWRIGHT_SEEDS") ?? "1-2000").split("-").map(Number);
/** Guests that run on one pair of machines, one after the other. */
const BATCH = 40;

/** The guest with as many instructions replaced by nops as still leave a difference. */
async function shrink(guest: RandomGuest): Promise<string[]> {
  const failure = async () => {
    using pair = await LockstepPair.create();
    return pair.run(guest);
  };
  let found = await failure();
  if (found.length === 0) return found;
  for (let size = 32; size >= 1; size >>= 1) {
    for (let first = 0; first < guest.code.length; first += size) {
      const saved = guest.code.slice(first, first + size);
      saved.forEach((_, i) => guest.replace(first + i));
      const still = await failure();
      if (still.length > 0) found = still;
      else saved.forEach((encoded, i) => guest.replace(first + i, encoded));
    }
  }
  return found;
}

function listing(guest: RandomGuest): string[] {
  return guest.code.flatMap(({ bits, length, offset }) => {
    const [name] = INSTRUCTIONS[decode(length === 2 ? expand(bits) : bits)];
    const isNop = length === 2 ? bits === 1 : bits === 0x13;
    const hex = (bits >>> 0).toString(16).padStart(2 * length, "0");
    return isNop ? [] : [`  +${offset.toString(16)}: ${hex} ${name}`];
  });
}

/** What went wrong with a seed, as small as it gets. */
async function report(seed: number, first: number, found: string[]): Promise<string> {
  const guest = new RandomGuest(seed);
  const smaller = await shrink(guest);
  const alone = smaller.length > 0 ? "alone, too:" : `only after seeds ${first}-${seed - 1}:`;
  return [
    `seed ${seed} (${guest.setting.name}) ${alone}`,
    ...(smaller.length > 0 ? [...smaller, "code", ...listing(guest)] : found),
  ].join("\n");
}

Deno.test({
  name: "random guests do the same under interpreter and translator",
  ignore: !canTranslate,
  async fn(t) {
    using coverage = new CoverageCounter();
    for (let first = FIRST; first <= (LAST ?? FIRST); first += BATCH) {
      using pair = await LockstepPair.create();
      coverage.watch(pair);
      for (let seed = first; seed < first + BATCH && seed <= (LAST ?? FIRST); seed++) {
        const found = pair.run(new RandomGuest(seed));
        if (found.length > 0) throw new Error(await report(seed, first, found));
      }
    }
    if (LAST - FIRST < 1000) return;
    await t.step("every instruction was executed, and as generated code where there is a translation", () => {
      const untranslated = TRANSLATE[idOf("illegal")];
      const missed = INSTRUCTIONS.filter((_, id) => {
        const native = coverage.executed[id] - coverage.interpreted[id];
        return coverage.executed[id] === 0 || TRANSLATE[id] !== untranslated && native <= 0;
      });
      assertEquals(missed.map(([name]) => name), []);
    });
  },
});
