/** Machines that run the same guest under each engine. */
import { DbtEngine, type DbtOptions } from "../../accel/dbt/engine.ts";
import type { Engine } from "../../accel/engine.ts";
import { sharedMemory } from "../../accel/ffi/memory.ts";
import { InterpreterEngine } from "../../accel/interpreter/engine.ts";
import type { Board } from "../../core/boards/board.ts";
import { createVirtRiscv64, type VirtRiscv64Options } from "../../core/boards/virt_riscv64.ts";
import type { Machine } from "../../core/machine.ts";
import type { DebianGuest } from "../../fixtures/debian.ts";

/** Whether the translator can run here; tests that need it are ignored elsewhere. */
export const canTranslate: boolean = Deno.build.os === "linux" && Deno.build.arch === "x86_64";

/** Whether a program can be run by its name. */
export function hasCommand(name: string): boolean {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A board with its engine and what it printed. */
export class GuestMachine implements Disposable {
  readonly machine: Machine;
  /** Console bytes so far. */
  readonly console: number[] = [];
  #text = "";

  constructor(readonly board: Board, readonly engine: Engine) {
    this.machine = board.machine;
    board.serial[0].onTransmit = (byte) => {
      this.console.push(byte);
    };
  }

  /** The console as text. */
  get text(): string {
    if (this.#text.length !== this.console.length) {
      this.#text = new TextDecoder("latin1").decode(new Uint8Array(this.console));
    }
    return this.#text;
  }

  /** Runs until guest time `limitNs`, or `hostDeadlineMs`. */
  run(limitNs: number, hostDeadlineMs?: number): void {
    this.machine.run(this.engine, limitNs, hostDeadlineMs);
  }

  /** SHA-256 of RAM. */
  async ramDigest(): Promise<string> {
    const { ram } = this.machine;
    return hexDigest(await crypto.subtle.digest("SHA-256", ram.u8 as Uint8Array<ArrayBuffer>));
  }

  /** What is compared between runs: exit, counts, console and RAM. */
  async outcome(): Promise<Outcome> {
    const { clock, exit } = this.machine;
    const bytes = new Uint8Array(this.console);
    return {
      exit: exit?.kind,
      instructions: clock.instructions,
      idleNs: clock.idleNs,
      consoleSha256: hexDigest(await crypto.subtle.digest("SHA-256", bytes)),
      ramSha256: await this.ramDigest(),
    };
  }

  [Symbol.dispose](): void {
    this.engine.dispose();
    this.machine.dispose();
  }
}

/** How a run ended, to the bit. */
export interface Outcome {
  readonly exit: string | undefined;
  readonly instructions: number;
  readonly idleNs: number;
  readonly consoleSha256: string;
  readonly ramSha256: string;
}

/** Makes a board under the given engine. RAM has an address under both. */
export async function guestMachine(
  engine: "dbt" | "interpreter",
  options: Omit<VirtRiscv64Options, "memory">,
  dbt?: DbtOptions,
): Promise<GuestMachine> {
  const board = await createVirtRiscv64({ ...options, memory: sharedMemory });
  return new GuestMachine(
    board,
    engine === "dbt" ? new DbtEngine(board.machine, dbt) : new InterpreterEngine(),
  );
}

/** Debian's kernel, which boots to BOOT-OK and powers off. */
export async function debianMachine(
  engine: "dbt" | "interpreter",
  guest: DebianGuest,
  vcpus = 1,
  dbt?: DbtOptions,
): Promise<GuestMachine> {
  const options = {
    ramBytes: 256 * 2 ** 20,
    vcpus,
    kernel: await Deno.readFile(guest.kernel),
    initrd: await Deno.readFile(guest.initrd),
    append: "console=ttyS0 halt",
  };
  return await guestMachine(engine, options, dbt);
}

function hexDigest(digest: ArrayBuffer): string {
  return new Uint8Array(digest).toHex();
}
