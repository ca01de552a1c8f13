/** A named place in a guest's kernel, with what memory holds there now. */
import type { GuestSymbol } from "../symbols/symbol_table.ts";
import { InputError } from "../errors.ts";

/** What a symbol's bytes are read from. */
export interface SymbolMemory {
  /** Copies bytes. @throws {KernelInsightError} where nothing is mapped. */
  read(address: bigint, length: number): Uint8Array;
  /** An unsigned number. */
  value(address: bigint, size: number): bigint;
  /** The text up to a NUL. */
  text(address: bigint, limit?: number): string;
}

/** Sizes that a number can have. */
const NUMBER_SIZES = [1, 2, 4, 8];

/** A variable or function of the guest's kernel. */
export class KernelSymbol {
  /** As the source spells it. */
  readonly name: string;
  /** Virtual address. */
  readonly address: bigint;
  /** Bytes up to the next symbol, which may be a few more than the variable has. */
  readonly size: number;
  /** `nm`'s letter: T and t for code, D, B and R for data. */
  readonly type: string;
  readonly #memory: () => SymbolMemory;

  /** Made by {@linkcode Kernel.symbol}. */
  constructor({ name, address, size, type }: GuestSymbol, memory: () => SymbolMemory) {
    this.name = name;
    this.address = address;
    this.size = size;
    this.type = type;
    this.#memory = memory;
  }

  /**
   * What it holds now.
   *
   * @param length Bytes. @default the symbol's size
   * @throws {KernelInsightError} where nothing is mapped.
   */
  bytes(length: number = this.size): Uint8Array {
    return this.#memory().read(this.address, length);
  }

  /** It as an array of characters: the text up to its NUL. @throws {KernelInsightError} as above. */
  text(): string {
    return this.#memory().text(this.address, this.size || undefined);
  }

  /**
   * It as an unsigned number; a pointer is one of 8 bytes.
   *
   * @param size Bytes: 1, 2, 4 or 8. @default the symbol's size where it is one of these, else 8
   * @throws {KernelInsightError} as above.
   */
  value(size: number = NUMBER_SIZES.includes(this.size) ? this.size : 8): bigint {
    if (!NUMBER_SIZES.includes(size)) throw new InputError(`A number has 1, 2, 4 or 8 bytes, not ${size}.`);
    return this.#memory().value(this.address, size);
  }
}
