/**
 * Chooses what executes the guest: the translator where this host can run its code, else the interpreter,
 * which needs nothing. Both give the same guest behaviour; they differ in speed.
 */
import type { Machine } from "../core/machine.ts";
import { type HostMemory, PAGE_SIZE, plainMemory } from "../core/memory.ts";
import type { Engine } from "./engine.ts";

/** What may be asked for. */
export type EngineChoice = "auto" | "dbt" | "interpreter";

/** Every {@linkcode EngineChoice}. */
export const ENGINE_CHOICES: readonly EngineChoice[] = ["auto", "dbt", "interpreter"];

/** An engine that can be used here. */
export interface EngineSelection {
  /** Where the machine's memory must come from. */
  readonly memory: HostMemory;
  /** One sentence when "auto" had to settle for the interpreter: why, and what would help. */
  readonly notice: string | undefined;
  /** Binds the engine to a machine made with {@linkcode EngineSelection.memory}. */
  create(machine: Machine): Engine;
}

/** The engine that was asked for cannot run on this host. */
export class EngineUnavailableError extends Error {
  override name = "EngineUnavailableError";
}

/**
 * Finds an engine.
 *
 * @throws {EngineUnavailableError} when "dbt" was asked for and cannot run here.
 */
export async function selectEngine(choice: EngineChoice): Promise<EngineSelection> {
  if (choice === "interpreter") return await interpreter(undefined);
  const obstacle = await translatorObstacle();
  if (obstacle === undefined) return await translator();
  if (choice === "dbt") throw new EngineUnavailableError(obstacle);
  return await interpreter(`${obstacle} Using the interpreter, which is slower and gives the same results.`);
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
  const [{ mappedMemory }, { DbtEngine }] = await Promise.all([
    import("./ffi/memory.ts"),
    import("./dbt/engine.ts"),
  ]);
  return { memory: mappedMemory, notice: undefined, create: (machine) => new DbtEngine(machine) };
}

async function interpreter(notice: string | undefined): Promise<EngineSelection> {
  const { InterpreterEngine } = await import("./interpreter/engine.ts");
  return { memory: plainMemory, notice, create: () => new InterpreterEngine() };
}
