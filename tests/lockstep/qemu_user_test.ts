/**
 * Random user-mode streams under both engines and under `qemu-riscv64`: all integer and FP rows, all rounding
 * modes, flags. BOOTWRIGHT_SEEDS=FIRST-LAST runs other streams than usual.
 */
import { assertEquals } from "@std/assert";
import { canTranslate, guestMachine, hasCommand } from "../support/guest_machines.ts";
import { CoverageCounter } from "../support/coverage.ts";
import { seedRange } from "../support/seeds.ts";
import { shrink } from "../support/shrink.ts";
import { BASE, END, OUTPUT, USER_ROWS, UserProgram, UserStream } from "../support/user_streams.ts";

const QEMU = "qemu-riscv64";
const CPU = "rv64,zba=true,zbb=true,zbs=true,zihintpause=true";
const [FIRST, LAST] = seedRange(1, 480);
/** Streams in one program. */
const BATCH = 60;

type EngineName = "dbt" | "interpreter";

interface Difference {
  readonly stream: UserStream;
  readonly message: string;
}

async function underQemu(elf: Uint8Array): Promise<Uint8Array> {
  const file = await Deno.makeTempFile({ suffix: ".elf" });
  try {
    await Deno.writeFile(file, elf, { mode: 0o755 });
    const { code, signal, stdout } = await new Deno.Command(QEMU, { args: ["-cpu", CPU, file] }).output();
    assertEquals({ code, signal }, { code: 0, signal: null }, `${QEMU} ran the program to its end`);
    return stdout;
  } finally {
    await Deno.remove(file);
  }
}

async function underEngine(engine: EngineName, program: UserProgram): Promise<Uint8Array> {
  const options = { ramBytes: 2 ** 20, vcpus: 1, kernel: program.elf(), bios: "none" } as const;
  using guest = await guestMachine(engine, options, { coldVisits: 0, sampleInstructions: 1000 });
  const { machine } = guest;
  const [hart] = machine.vcpus;
  hart.setRegister("mstatus", 3n << 13n); // FPU on
  hart.setRegister("mtvec", BigInt(END));
  assertEquals(hart.register("pc"), BigInt(BASE));
  guest.run(machine.clock.nowNs + 1e8);
  assertEquals(machine.exit?.kind, "hang", "the program came to its end");
  return machine.ram.read(OUTPUT, program.outputBytes);
}

/** The first difference between QEMU's outcome and an engine's; undefined when there is none. */
async function difference(engine: EngineName, program: UserProgram): Promise<Difference | undefined> {
  const wanted = await underQemu(program.elf());
  const found = await underEngine(engine, program);
  assertEquals(found.length, wanted.length);
  const value = (bytes: Uint8Array, at: number) => "0x" + bytes.slice(at, at + 8).toReversed().toHex();
  for (const stream of program.streams) {
    for (const { from, to } of program.spans(program.streams.indexOf(stream))) {
      for (let at = from; at < to; at += 8) {
        const [ours, theirs] = [value(found, at), value(wanted, at)];
        if (ours === theirs) continue;
        return { stream, message: `${program.describe(at)}: ${ours} under ${engine}, ${theirs} under QEMU` };
      }
    }
  }
  return undefined;
}

/** A difference with as little of its stream as shows it. */
async function report(engine: EngineName, { stream, message }: Difference): Promise<string> {
  const smaller = await shrink(
    stream,
    // Without some of its instructions a stream may crash: that shows nothing.
    () => difference(engine, new UserProgram([stream])).catch(() => undefined),
  );
  return [`seed ${stream.seed}: ${smaller?.message ?? message}`, ...stream.listing()].join("\n");
}

for (const engine of ["interpreter", "dbt"] as const) {
  Deno.test({
    name: `${engine}: user-mode streams do what they do under ${QEMU}`,
    ignore: !canTranslate || !hasCommand(QEMU),
    async fn(t) {
      using coverage = new CoverageCounter();
      for (let first = FIRST; first <= LAST; first += BATCH) {
        const count = Math.min(BATCH, LAST - first + 1);
        const program = new UserProgram(Array.from({ length: count }, (_, i) => new UserStream(first + i)));
        const found = await difference(engine, program);
        if (found) throw new Error(await report(engine, found));
      }
      if (engine !== "interpreter" || LAST - FIRST < 400) return;
      await t.step("every instruction of user mode was executed", () => {
        const missed = USER_ROWS.filter((row) => coverage.executed(row) === 0);
        assertEquals(missed.map(([name]) => name), []);
      });
    },
  });
}
