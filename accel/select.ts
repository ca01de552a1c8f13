/**
 * Chooses what executes the guest: KVM for guests of the host's own architecture where the hardware has it, else
 * the translator where this host can run its code, else the interpreter, which needs nothing. Translator and
 * interpreter give the same guest behaviour; they differ in speed.
 */
import type { Machine } from "../core/machine.ts";
import { type HostMemory, PAGE_SIZE, plainMemory } from "../core/memory.ts";
import type { Engine } from "./engine.ts";
import type { CpuModel } from "./kvm/cpuid.ts";

/** What may be asked for. */
export type EngineChoice = "auto" | "dbt" | "interpreter" | "kvm";

/** Every {@linkcode EngineChoice}. */
export const ENGINE_CHOICES: readonly EngineChoice[] = ["auto", "kvm", "dbt", "interpreter"];

/** An engine that can be used here. */
export interface EngineSelection {
  /** Where the machine's memory must come from. */
  readonly memory: HostMemory;
  /** One sentence when "auto" had to settle for a slower engine: why, and what would help. */
  readonly notice: string | undefined;
  /** Binds the engine to a machine made with {@linkcode EngineSelection.memory}. */
  create(machine: Machine): Engine;
}

/** The engine that was asked for cannot run on this host. */
export class EngineUnavailableError extends Error {
  override name = "EngineUnavailableError";
}

/** The guests that KVM can execute, and that nothing else can yet. */
const KVM_ARCH = "x86_64";

/** What the engine is for. */
export interface EngineUse {
  /** The guest's architecture, as `boot` names it. @default "riscv64" */
  readonly arch?: string;
  /** What processor an x86-64 guest sees under KVM. @default "host" */
  readonly cpuModel?: CpuModel;
}

/**
 * Finds an engine.
 *
 * @throws {EngineUnavailableError} when the engine that was asked for cannot run here, or none can.
 */
export async function selectEngine(choice: EngineChoice, use: EngineUse = {}): Promise<EngineSelection> {
  const { arch = "riscv64" } = use;
  if (arch === KVM_ARCH || choice === "kvm") return await selectKvm(choice, arch, use.cpuModel);
  if (choice === "interpreter") return await interpreter(undefined);
  const obstacle = await translatorObstacle();
  if (obstacle === undefined) return choice === "dbt" ? await translator() : await lateTranslator();
  if (choice === "dbt") throw new EngineUnavailableError(obstacle);
  return await interpreter(`${obstacle} Using the interpreter, which is slower and gives the same results.`);
}

async function selectKvm(
  choice: EngineChoice,
  arch: string,
  cpuModel: CpuModel | undefined,
): Promise<EngineSelection> {
  if (arch !== KVM_ARCH) {
    throw new EngineUnavailableError(
      `KVM executes guests of the host's own architecture, ${KVM_ARCH}; for a ${arch} guest choose the engine ` +
        "dbt or interpreter.",
    );
  }
  if (choice === "dbt" || choice === "interpreter") {
    throw new EngineUnavailableError(`${arch} guests run under KVM only for now; choose the engine kvm.`);
  }
  const obstacle = await kvmObstacle();
  if (obstacle !== undefined) throw new EngineUnavailableError(obstacle);
  const { probeKvm, reluctance } = await import("./kvm/probe.ts");
  const reason = choice === "auto" ? reluctance(probeKvm()) : undefined;
  if (reason !== undefined) throw new EngineUnavailableError(reason);
  const [{ mappedMemory }, { KvmEngine }] = await Promise.all([
    import("./ffi/memory.ts"),
    import("./kvm/engine.ts"),
  ]);
  const create = (machine: Machine) => {
    try {
      return new KvmEngine(machine, { cpuModel });
    } catch (cause) {
      // What the kernel refuses, the processor lacks or a permission forbids: all are the host's.
      throw new EngineUnavailableError(cause instanceof Error ? cause.message : String(cause), { cause });
    }
  };
  return { memory: mappedMemory, notice: undefined, create };
}

/** Why KVM cannot run here, as a sentence; undefined when it can, however slowly. */
export async function kvmObstacle(): Promise<string | undefined> {
  const { os, arch } = Deno.build;
  if (os !== "linux" || arch !== "x86_64") {
    return `KVM is used on x86-64 Linux, and this host is ${arch} ${os}.`;
  }
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return "KVM needs --allow-ffi, which was not granted.";
  }
  return (await import("./kvm/probe.ts")).probeKvm().obstacle;
}

/** What KVM is here, in a line for people. */
export async function kvmSummary(): Promise<string> {
  const obstacle = await kvmObstacle();
  if (obstacle !== undefined) return obstacle;
  const { probeKvm, describeKvm } = await import("./kvm/probe.ts");
  const findings = probeKvm();
  return `works: ${describeKvm(findings)}${findings.isHardware ? "" : '; never chosen by "auto"'}`;
}

/** Why the translator cannot run here, as a sentence; undefined when it can. */
export async function translatorObstacle(): Promise<string | undefined> {
  const { os, arch } = Deno.build;
  if (os !== "linux" || arch !== "x86_64") {
    return `The translator makes code for x86-64 Linux, and this host is ${arch} ${os}.`;
  }
  // Asked for, not requested: nobody wants a prompt in the middle of a test.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return "The translator needs --allow-ffi, which was not granted.";
  }
  try {
    const { allocateCode } = await import("./ffi/memory.ts");
    allocateCode(PAGE_SIZE).free();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function translator(): Promise<EngineSelection> {
  const { DbtEngine } = await import("./dbt/engine.ts");
  return await translatorBy((machine) => new DbtEngine(machine));
}

/** The translator, for which the interpreter stands in at first. */
async function lateTranslator(): Promise<EngineSelection> {
  const { LateDbtEngine } = await import("./dbt/late_engine.ts");
  return await translatorBy((machine) => new LateDbtEngine(machine));
}

async function translatorBy(create: EngineSelection["create"]): Promise<EngineSelection> {
  const { sharedMemory } = await import("./ffi/memory.ts");
  // Small guests never want it.
  const expect = async (from: number, to: number) =>
    (await import("./ffi/page_taker.ts")).takeLargePages(from, to);
  return { memory: { ...sharedMemory, expect }, notice: undefined, create };
}

async function interpreter(notice: string | undefined): Promise<EngineSelection> {
  const { InterpreterEngine } = await import("./interpreter/engine.ts");
  return { memory: plainMemory, notice, create: () => new InterpreterEngine() };
}
