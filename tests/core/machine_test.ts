import { assert, assertEquals } from "@std/assert";
import type { Machine, Runner } from "../../core/machine.ts";
import { guestMachine } from "../support/guest_machines.ts";
import { Program } from "../support/riscv_assembler.ts";

/** Runs for so many ms of the host's on an engine that takes so many ns per instruction; returns its budgets. */
async function budgetsOf(nsPerInstruction: number, ms: number): Promise<number[]> {
  using guest = await guestMachine("interpreter", {
    ramBytes: 2 ** 22,
    vcpus: 1,
    kernel: new Program(0x8000_0000).add("addi").bytes(),
    bios: "none",
  });
  const { machine } = guest;
  const budgets: number[] = [];
  machine.run(engine(machine, nsPerInstruction, budgets), Infinity, performance.now() + ms);
  return budgets;
}

function engine({ clock }: Machine, nsPerInstruction: number, budgets: number[]): Runner {
  return {
    run(_, budget) {
      budgets.push(budget);
      clock.instructions += budget;
      const end = performance.now() + budget * nsPerInstruction / 1e6;
      while (performance.now() < end);
    },
  };
}

Deno.test("a fast engine runs longer between looks at the host's clock", async () => {
  const budgets = await budgetsOf(0.1, 100);
  assert(budgets.length < 120, `${budgets.length} looks in 100 ms`);
  assert(Math.max(...budgets) > 8 * budgets[0]);
});

Deno.test("a slow engine runs for less, so that a deadline is kept", async () => {
  const begun = performance.now();
  const budgets = await budgetsOf(100, 20);
  assert(performance.now() - begun < 200);
  assertEquals(Math.max(...budgets), Math.min(...budgets));
});
