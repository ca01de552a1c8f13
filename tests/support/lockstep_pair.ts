/**
 * Two machines that run the same random guests, one interpreted, one translated, and are compared wherever a
 * budget ends.
 */
import type { RiscvHart } from "../../core/decoder/riscv/hart.ts";
import { ramDifferences, stateDifferences } from "./differences.ts";
import { type GuestMachine, guestMachine } from "./guest_machines.ts";
import type { GuestRandom } from "./guest_random.ts";
import type { RandomGuest } from "./random_guest.ts";
import { CODE, MACHINE_HANDLER_CODE, RAM_BYTES } from "./random_guest_memory.ts";

const SUPERVISOR_EXTERNAL = 9;

/** An interpreting and a translating machine. */
export class LockstepPair implements Disposable {
  private constructor(readonly reference: GuestMachine, readonly translated: GuestMachine) {}

  /** Makes both. */
  static async create(): Promise<LockstepPair> {
    const options = { ramBytes: RAM_BYTES, vcpus: 1, kernel: MACHINE_HANDLER_CODE, bios: "none" } as const;
    // So that all code is translated, and hot soon.
    const dbt = { coldVisits: 0, sampleInstructions: 200, watchInstructions: 120, firstLook: 1 };
    return new LockstepPair(
      await guestMachine("interpreter", options),
      await guestMachine("dbt", options, dbt),
    );
  }

  /** Runs a guest to its end or to the first difference. An empty list means that there is none. */
  run(guest: RandomGuest): string[] {
    const a = this.reference.machine, b = this.translated.machine;
    for (const machine of [a, b]) guest.install(machine);
    const events = guest.events();
    for (const budget of guest.budgets()) {
      if (a.exit) break;
      const limitNs = a.clock.nowNs + budget;
      this.reference.run(limitNs);
      this.translated.run(limitNs);
      const found = stateDifferences(a, b);
      if (found.length > 0) {
        return [`after ${a.clock.instructions} instructions (budget ${budget})`, ...found];
      }
      this.#event(events);
    }
    return ramDifferences(a, b);
  }

  /** Now and then, something happens from outside: an interrupt, or memory is written to. */
  #event(random: GuestRandom): void {
    const kind = random.below(40);
    const at = CODE + 2 * random.below(4096), value = random.word();
    for (const { machine } of [this.reference, this.translated]) {
      const external = (machine.vcpus[0] as RiscvHart).interruptLine(SUPERVISOR_EXTERNAL);
      if (kind < 4) external.set(kind === 0);
      else if (kind === 4) machine.ram.write(at, new Uint8Array(Int32Array.of(value).buffer).subarray(0, 2));
    }
  }

  [Symbol.dispose](): void {
    this.reference[Symbol.dispose]();
    this.translated[Symbol.dispose]();
  }
}
