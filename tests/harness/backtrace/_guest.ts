/** A vCPU and memory made of a few values. */
import type { VirtualMemory } from "../../../harness/backtrace/backtrace.ts";
import type { RegisterSource } from "../../../harness/backtrace/unwinder.ts";
import { InputError } from "../../../harness/errors.ts";

/** A vCPU that has the registers it is given. */
export class FakeCpu implements RegisterSource {
  readonly index = 0;

  constructor(readonly mode: string, private readonly registers: Readonly<Record<string, bigint>>) {}

  register(name: string): bigint {
    const value = this.registers[name];
    if (value === undefined) throw new InputError(`This vCPU has no register "${name}".`);
    return value;
  }
}

/** Memory of a few spans; the rest is not mapped. */
export class SparseMemory implements VirtualMemory {
  readonly #bytes = new Map<bigint, number>();

  /** Puts bytes, or 64-bit words, at an address. */
  put(address: bigint, contents: Uint8Array | readonly bigint[]): this {
    const bytes = contents instanceof Uint8Array
      ? contents
      : new Uint8Array(BigUint64Array.from(contents, (word) => BigInt.asUintN(64, word)).buffer);
    bytes.forEach((byte, i) => this.#bytes.set(address + BigInt(i), byte));
    return this;
  }

  read(address: bigint, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, i) => {
      const byte = this.#bytes.get(address + BigInt(i));
      if (byte === undefined) throw new InputError("not mapped");
      return byte;
    });
  }
}

/** Memory that is mapped everywhere and holds whatever a function says. */
export class EndlessMemory implements VirtualMemory {
  /** How many times it was read. */
  reads = 0;

  constructor(private readonly word: (address: bigint) => bigint) {}

  read(address: bigint, length: number): Uint8Array {
    this.reads++;
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i + 8 <= length; i += 8) {
      view.setBigUint64(i, BigInt.asUintN(64, this.word(address + BigInt(i))), true);
    }
    return bytes;
  }
}
