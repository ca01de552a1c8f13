/**
 * The same inputs give the same run, to the bit: exit, instruction count, idle time, console and RAM of a whole
 * boot under the translator, however the run is cut into pieces.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { debianGuest } from "../../fixtures/debian.ts";
import { GuestRandom } from "../support/guest_random.ts";
import { canTranslate, debianMachine, type GuestMachine, type Outcome } from "../support/guest_machines.ts";

const debian = debianGuest("riscv64");
const ignore = !canTranslate || debian === undefined;

/** Far beyond the end of a boot. */
const LIMIT_NS = 60e9;

async function boot(vcpus: number, run: (guest: GuestMachine) => void): Promise<Outcome> {
  using guest = await debianMachine("dbt", debian!, vcpus);
  run(guest);
  assertStringIncludes(guest.text, "BOOT-OK riscv64");
  const outcome = await guest.outcome();
  assertEquals(outcome.exit, "poweroff");
  return outcome;
}

const whole = (guest: GuestMachine) => guest.run(LIMIT_NS);

/** Pieces of random guest time: mostly long, some of a few instructions. */
function cutByGuestTime(guest: GuestMachine): void {
  const random = new GuestRandom(1);
  const { machine } = guest;
  while (!machine.exit) {
    const pieceNs = random.below(4) === 0 ? 1 + random.below(200) : random.below(2_000_000);
    guest.run(machine.clock.nowNs + pieceNs);
    assert(machine.clock.nowNs < LIMIT_NS, "the guest never powered off");
  }
}

/** Pieces of about a millisecond of wall time, which fall differently in each run. */
function cutByHostTime(guest: GuestMachine): void {
  while (!guest.machine.exit) {
    guest.run(LIMIT_NS, performance.now() + 1);
    assert(guest.machine.clock.nowNs < LIMIT_NS, "the guest never powered off");
  }
}

for (const vcpus of [1, 2]) {
  Deno.test({
    name: `boots of Debian are equal however they are cut, vCPUs: ${vcpus}`,
    ignore,
    async fn() {
      const expected = await boot(vcpus, whole);
      assertEquals(await boot(vcpus, whole), expected, "run again");
      assertEquals(await boot(vcpus, cutByGuestTime), expected, "cut by guest time");
      assertEquals(await boot(vcpus, cutByHostTime), expected, "cut by host time");
    },
  });
}
