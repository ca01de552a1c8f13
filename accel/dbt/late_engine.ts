/**
 * The translator for guests of which nobody knows yet how long they will run. To load and make it, and to let the
 * host's JavaScript engine get used to it, takes far longer than many a guest of a test does: so the first
 * instructions are interpreted, and only who executes more gets the translator.
 */
import type { SoftwareVcpu } from "../../core/isa.ts";
import type { Machine } from "../../core/machine.ts";
import { LARGE_PAGE_SIZE } from "../../core/memory.ts";
import type { CountingEngine } from "../engine.ts";
import type { DbtEngine } from "./engine.ts";
import { allocateCodeMemory, freeCodeMemory } from "./memory.ts";

/**
 * Instructions before the translator is loaded: to interpret them takes a fraction of the time that its loading does.
 */
const FIRST_INSTRUCTIONS = 100_000;
/** Instructions in each turn of the event loop while it is. */
const INSTRUCTIONS_PER_TURN = 1000;

/** Bytes of code and of its data that will be used soon by whoever has the translator. */
const USED_AT_ONCE = 2 * LARGE_PAGE_SIZE;

/** Interprets at first, then translates. The guest cannot tell. */
export class LateDbtEngine implements CountingEngine {
  readonly name = "dbt";
  readonly deterministic = true;
  /** Taken at once: a host that refuses it shall say so before the guest runs. */
  readonly #memory = allocateCodeMemory();
  #engine: DbtEngine | undefined;
  /** Instructions executed without it. */
  #interpreted = 0;
  #isLoading = false;
  #isDisposed = false;
  #failure: unknown;

  constructor(private readonly machine: Machine) {}

  run(vcpu: SoftwareVcpu, budget: number): void {
    if (this.#engine) return this.#engine.run(vcpu, budget);
    if (this.#failure) throw this.#failure;
    const { clock } = this.machine;
    const before = clock.instructions, left = FIRST_INSTRUCTIONS - before;
    vcpu.interpret(Math.min(budget, left > 0 ? left : INSTRUCTIONS_PER_TURN));
    this.#interpreted += clock.instructions - before;
    if (left > 0) return;
    if (!this.#isLoading) this.#load().catch((error) => this.#failure = error);
    this.machine.requestStop(); // modules are loaded between turns of the event loop
  }

  async #load(): Promise<void> {
    this.#isLoading = true;
    // The host has time to provide what will be used at once.
    for (const { address } of [this.#memory.code, this.#memory.data]) {
      void this.machine.memory.expect?.(address, address + USED_AT_ONCE);
    }
    const { DbtEngine } = await import("./engine.ts");
    if (!this.#isDisposed) this.#engine = new DbtEngine(this.machine, { memory: this.#memory });
  }

  statistics(): Record<string, number> {
    const counters = this.#engine?.statistics();
    return { ...counters, interpreted: this.#interpreted + (counters?.interpreted ?? 0) };
  }

  dispose(): void {
    this.#isDisposed = true;
    if (this.#engine) return this.#engine.dispose();
    freeCodeMemory(this.#memory);
  }
}
