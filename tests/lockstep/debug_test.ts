/**
 * Random guests under a debugger: breakpoints and watchpoints that come and go, hit often and stepped past. The
 * guest must not notice, and both engines must stop at the same instructions.
 */
import { assertEquals } from "@std/assert";
import type { Watchpoint } from "../../core/debug/debug_points.ts";
import type { SoftwareVcpu } from "../../core/isa.ts";
import type { Machine } from "../../core/machine.ts";
import { ramDifferences, stateDifferences } from "../support/differences.ts";
import { canTranslate, type GuestMachine, guestMachine } from "../support/guest_machines.ts";
import { GuestRandom } from "../support/guest_random.ts";
import { RandomGuest } from "../support/random_guest.ts";
import {
  CODE,
  DATA,
  DATA_PAGES,
  HUGE,
  LARGE,
  MACHINE_HANDLER,
  MACHINE_HANDLER_CODE,
  RAM,
  RAM_BYTES,
  SUPERVISOR_HANDLER,
  TABLES,
  USER,
} from "../support/random_guest_memory.ts";
import { Program } from "../support/riscv_assembler.ts";
import { seedRange } from "../support/seeds.ts";

const [FIRST, LAST] = seedRange(1, 300);
const BATCH = 40;
const WINDOWS = [RAM, RAM, USER, LARGE, HUGE];

/** A debugger's wishes: what machines shall stop at from now on. */
class Wishes {
  readonly breakpoints: Set<bigint>;
  readonly watchpoints: Watchpoint[];

  constructor(random: GuestRandom, guest: RandomGuest) {
    const windowed = (address: number) => BigInt(random.pick(WINDOWS) - RAM + address);
    const instruction = () => CODE + random.pick(guest.code).offset;
    const code = Array.from({ length: random.below(5) }, () => windowed(instruction()));
    const handlers = random.oneIn(4) ? [BigInt(MACHINE_HANDLER), BigInt(SUPERVISOR_HANDLER)] : [];
    this.breakpoints = new Set([...code, ...handlers]);
    const bytes = () =>
      random.oneIn(4) ? TABLES + random.below(8192) : DATA + random.below(DATA_PAGES * 4096);
    this.watchpoints = Array.from({ length: random.below(3) }, (): Watchpoint => ({
      kind: random.pick(["read", "write", "access"]),
      address: windowed(bytes()),
      length: random.pick([1, 8, 64, 30_000]),
    }));
  }

  apply({ debug }: Machine): void {
    debug.setBreakpoints(this.breakpoints);
    debug.setWatchpoints(this.watchpoints);
  }
}

/** Runs a machine to a guest time through all its stops, which are noted. */
function runDebugged({ machine, engine }: GuestMachine, limitNs: number, stops: string[]): void {
  const { debug, clock } = machine;
  const step = {
    run(vcpu: Machine["vcpus"][number]) {
      debug.letPass(vcpu.register("pc"));
      (vcpu as SoftwareVcpu).interpret(1);
      debug.letPass(undefined);
      machine.requestStop();
    },
  };
  let steps = false;
  while (clock.nowNs < limitNs && !machine.exit) {
    machine.run(steps ? step : engine, limitNs);
    const { hit } = debug;
    debug.hit = undefined;
    steps = hit !== undefined && hit.watchpoint === undefined;
    if (hit) stops.push(`${hit.watchpoint?.kind ?? "break"} ${hit.address} at ${clock.instructions}`);
  }
}

/** Runs a guest plainly, and debugged in both engines. An empty list means that nothing told them apart. */
function compare(guest: RandomGuest, plain: GuestMachine, debugged: readonly GuestMachine[]): string[] {
  const random = new GuestRandom(guest.seed ^ 0x5eed);
  for (const { machine } of [plain, ...debugged]) guest.install(machine);
  const stops = debugged.map((): string[] => []);
  for (const budget of guest.budgets()) {
    if (plain.machine.exit) break;
    if (random.oneIn(4)) {
      const wishes = new Wishes(random, guest);
      for (const { machine } of debugged) wishes.apply(machine);
    }
    const limitNs = plain.machine.clock.nowNs + budget;
    plain.run(limitNs);
    debugged.forEach((machine, i) => runDebugged(machine, limitNs, stops[i]));
    const found = debugged.flatMap(({ machine }) => stateDifferences(plain.machine, machine));
    if (found.length > 0) return found;
    const [interpreted, translated] = stops.map((list) => list.splice(0));
    if (interpreted.join() !== translated.join()) {
      return ["interpreter stops", ...interpreted, "translator stops", ...translated];
    }
    total += interpreted.length;
  }
  for (const { machine } of debugged) machine.debug.hit = undefined;
  return debugged.flatMap(({ machine }) => ramDifferences(plain.machine, machine));
}

let total = 0;

Deno.test({
  name: "random guests do not notice a debugger, and both engines stop at the same instructions",
  ignore: !canTranslate,
  async fn() {
    const options = { ramBytes: RAM_BYTES, vcpus: 1, kernel: MACHINE_HANDLER_CODE, bios: "none" } as const;
    for (let first = FIRST; first <= LAST; first += BATCH) {
      using plain = await guestMachine("interpreter", options);
      using interpreted = await guestMachine("interpreter", options);
      using translated = await guestMachine("dbt", options, { coldVisits: 0, sampleInstructions: 200 });
      for (let seed = first; seed < first + BATCH && seed <= LAST; seed++) {
        const guest = new RandomGuest(seed);
        const found = compare(guest, plain, [interpreted, translated]);
        if (found.length > 0) throw new Error([`seed ${seed} (${guest.kind})`, ...found].join("\n"));
      }
    }
    if (LAST - FIRST >= 100 && total < 1000) throw new Error(`only ${total} stops: the test tests nothing`);
  },
});

/** Runs a program (a0 = a page of data) in both engines, with and without points, and compares all of it. */
async function assertUnnoticed(program: Program, setPoints: (machine: Machine) => void): Promise<string[]> {
  const options = { ramBytes: RAM_BYTES, vcpus: 1, kernel: program.bytes(), bios: "none" } as const;
  using plain = await guestMachine("interpreter", options);
  plain.run(LIMIT_NS);
  const stops: string[][] = [];
  for (const engine of ["interpreter", "dbt"] as const) {
    using debugged = await guestMachine(engine, options, { coldVisits: 0, sampleInstructions: 200 });
    runDebugged(debugged, LIMIT_NS / 2, []); // so that there is code, and TLBs hold something
    setPoints(debugged.machine);
    const list: string[] = [];
    runDebugged(debugged, LIMIT_NS, list);
    stops.push(list);
    const differences = stateDifferences(plain.machine, debugged.machine);
    assertEquals([...differences, ...ramDifferences(plain.machine, debugged.machine)], [], engine);
  }
  assertEquals(stops[1], stops[0]);
  return stops[0];
}

const LIMIT_NS = 20_000;
const A0 = 10, A1 = 11, A2 = 12, A3 = 13;
const translated = { ignore: !canTranslate };

Deno.test("fences forget the translations of watched pages too", translated, async () => {
  const program = new Program(RAM).addressOf(A0, DATA).add("lui", { rd: A2, imm: 4096 })
    .label("loop").add("ld", { rd: A1, rs1: A0 }).add("sd", { rs1: A0, rs2: A1, imm: 8 })
    .add("sfence.vma", { rs1: A0 })
    .add("addi", { rd: A2, rs1: A2, imm: -2 }).branch("bne", { rs1: A2 }, "loop")
    .label("end").branch("jal", {}, "end");
  const stops = await assertUnnoticed(program, ({ debug }) => {
    debug.setWatchpoints([{ kind: "read", address: BigInt(DATA + 256), length: 8 }]);
  });
  assertEquals(stops, []);
});

Deno.test("a breakpoint in what a branch skips stops only where it is not skipped", translated, async () => {
  // The branch and the addition make a hammock, in a block that begins where the indirect jump goes.
  const program = new Program(RAM).addressOf(A0, RAM + 8)
    .add("addi", { rd: A1, rs1: A1, imm: 1 }).add("andi", { rd: A2, rs1: A1, imm: 255 })
    .branch("bne", { rs1: A2 }, "skip").add("addi", { rd: A3, rs1: A3, imm: 1 })
    .label("skip").add("jalr", { rs1: A0 });
  const stops = await assertUnnoticed(program, ({ debug }) => {
    debug.setBreakpoints(new Set([BigInt(RAM + 20)]));
  });
  assertEquals(stops.length, 10);
  assertEquals(new Set(stops.map((stop) => stop.split(" ")[1])), new Set([`${RAM + 20}`]));
});

Deno.test("a loop whose memory is checked beforehand is watched all the same", translated, async () => {
  const program = new Program(RAM).addressOf(A0, DATA)
    .label("page").add("addi", { rd: A1, rs1: A0 }).add("addi", { rd: A2, imm: 500 })
    .label("loop").add("sb", { rs1: A1, rs2: A2 }).add("addi", { rd: A1, rs1: A1, imm: 1 })
    .add("addi", { rd: A2, rs1: A2, imm: -1 }).branch("bne", { rs1: A2 }, "loop")
    .branch("jal", {}, "page");
  const stops = await assertUnnoticed(program, ({ debug }) => {
    debug.setWatchpoints([{ kind: "write", address: BigInt(DATA + 100), length: 4 }]);
  });
  assertEquals(stops.slice(0, 4).map((stop) => Number(stop.split(" ")[1]) - DATA), [100, 101, 102, 103]);
});
