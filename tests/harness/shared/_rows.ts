/**
 * The harness's promises hold for every engine and architecture: tests in this folder run once for each row below.
 * What a row cannot promise, it says, and a test that needs it is skipped for it by name.
 */
import { kvmObstacle, translatorObstacle } from "../../../accel/select.ts";
import { kernelPath, type SharedKernelName } from "../../../fixtures/kernels.ts";
import { type Arch, boot, type BootOptions, type EngineChoice, guest, type Vm } from "../../../mod.ts";
import { KVM_NAME } from "../../support/kvm.ts";

/** The words of an architecture and its tiny guests. */
interface ArchFacts {
  /** What the guests call a processor. */
  readonly processor: string;
  /** The mode that the guests run in, in the ISA's words. */
  readonly mode: string;
  /** A register for values. */
  readonly register: string;
  /** Its number as gdb counts them, and the pc's, in hexadecimal. */
  readonly registerNumber: string;
  readonly pcNumber: string;
  /** A system register. */
  readonly systemRegister: string;
  /** Where guests are loaded, and RAM that they leave alone. */
  readonly start: number;
  readonly spare: number;
  /** An address where there is no RAM. */
  readonly noRam: number;
  /** Machine code that waits for an interrupt that cannot come, for ever. */
  readonly waitForNothing: Uint8Array;
}

const ARCHS: Readonly<Record<Arch, ArchFacts>> = {
  riscv64: {
    processor: "hart",
    mode: "machine",
    register: "a0",
    registerNumber: "a",
    pcNumber: "20",
    systemRegister: "mstatus",
    start: 0x8000_0000,
    spare: 0x8010_0000,
    noRam: 0,
    waitForNothing: Uint8Array.of(0x73, 0x00, 0x50, 0x10, 0x6f, 0xf0, 0xdf, 0xff), // wfi; j -4
  },
  x86_64: {
    processor: "cpu",
    mode: "kernel",
    register: "rax",
    registerNumber: "0",
    pcNumber: "10",
    systemRegister: "cr0",
    start: 0x10_0000,
    spare: 0x40_0000,
    noRam: 0xc000_0000,
    waitForNothing: Uint8Array.of(0xfa, 0xf4, 0xeb, 0xfc), // cli; hlt; jmp -4
  },
};

/** An engine with an architecture that it runs. */
export interface Row extends ArchFacts {
  /** For test names. */
  readonly name: string;
  readonly arch: Arch;
  readonly engine: EngineChoice;
  /** Why it cannot run here; undefined when it can. */
  readonly obstacle: string | undefined;
  /**
   * Whether time is counted: to the instruction, the same in every run, with idle time skipped. Else it is real time.
   */
  readonly countsTime: boolean;
}

const translator = await translatorObstacle() && "needs the translator";
const kvm = await kvmObstacle() && "needs KVM";

/** Whether an engine is one to test now. */
export function isWanted({ engine }: Row): boolean {
  return !ONLY || ONLY.includes(engine);
}

/** The engines that somebody wants to see alone: the nested test bed, where others would take minutes. */
const ONLY = Deno.env.get("BOOTWRIGHT_ENGINES")?.split(",");

/** The table. */
export const ROWS: readonly Row[] = [
  { ...row("interpreter", "riscv64"), countsTime: true, obstacle: undefined },
  { ...row("dbt", "riscv64"), countsTime: true, obstacle: translator },
  {
    ...row("kvm", "x86_64"),
    name: `x86_64 under ${kvm ? "kvm" : KVM_NAME}`,
    countsTime: false,
    obstacle: kvm,
  },
];

function row(engine: EngineChoice, arch: Arch) {
  return { ...ARCHS[arch], name: `${arch} under ${engine}`, arch, engine };
}

/** Boots a tiny guest of the row's. */
export type Tiny = (name: SharedKernelName, options?: Partial<BootOptions>) => Promise<Vm>;

/** What a test wants of a row beyond what all have. */
export interface Wishes {
  /** Time is counted. */
  readonly countedTime?: boolean;
}

/** A test of every row. */
export function sharedTest(
  name: string,
  fn: (row: Row, tiny: Tiny) => Promise<void>,
  wishes: Wishes = {},
): void {
  for (const row of ROWS) {
    if (!isWanted(row)) continue;
    const why = row.obstacle ?? (wishes.countedTime && !row.countsTime ? "its time is real" : undefined);
    Deno.test({
      name: `${name} [${row.name}${why ? `: ${why}` : ""}]`,
      ignore: why !== undefined,
      fn: () => fn(row, tinyGuests(row)),
    });
  }
}

function tinyGuests({ arch, engine }: Row): Tiny {
  const path = (name: SharedKernelName) => arch === "riscv64" ? kernelPath(name) : kernelPath(name, "x86_64");
  return (name, options) => boot({ arch, kernel: path(name), memory: "16M", engine, ...options });
}

/** A short time that guests of a row can do something in: real time passes with the host's other work. */
export function aWhile({ countsTime }: Row): ReturnType<typeof guest> {
  return countsTime ? guest("2ms") : guest("60ms");
}

/** How much of what costs time by the character: the nested test bed's emulated processor takes 0.1 ms for each. */
export function amount(ofCharacters: number): number {
  return Deno.env.has("BOOTWRIGHT_KVM_BED") ? ofCharacters / 10 : ofCharacters;
}
