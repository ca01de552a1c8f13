/** BTF and memory made by hand, for tests. */
import { type VirtualMemory } from "../../../../harness/kernel/btf/typed_value.ts";
import { KernelInsightError } from "../../../../harness/kernel/kernel_insight_error.ts";

/** Builds a BTF section type by type. */
export class BtfBuilder {
  readonly #types: number[] = [];
  #strings = "\0";
  #count = 0;

  /** Adds a type of a kind; returns its number. */
  add(
    kind: number,
    name: string,
    sizeOrType: number,
    words: readonly number[] = [],
    vlen = 0,
    flag = 0,
  ): number {
    this.#types.push(this.string(name), (kind << 24 | vlen | flag << 31) >>> 0, sizeOrType, ...words);
    return ++this.#count;
  }

  /** A string's offset. */
  string(text: string): number {
    if (text === "") return 0;
    const at = this.#strings.length;
    this.#strings += `${text}\0`;
    return at;
  }

  /** The section. */
  bytes(): Uint8Array<ArrayBuffer> {
    const types = new Uint8Array(Uint32Array.from(this.#types).buffer);
    const strings = new TextEncoder().encode(this.#strings);
    const header = new DataView(new ArrayBuffer(24));
    header.setUint16(0, 0xeb9f, true);
    header.setUint8(2, 1);
    header.setUint32(4, 24, true);
    header.setUint32(12, types.length, true);
    header.setUint32(16, types.length, true);
    header.setUint32(20, strings.length, true);
    return Uint8Array.from([...new Uint8Array(header.buffer), ...types, ...strings]);
  }
}

/** Memory that has just these bytes at an address. */
export function memoryAt(base: bigint, bytes: Uint8Array): VirtualMemory {
  return {
    read(address, length) {
      const offset = Number(address - base);
      if (offset < 0 || offset + length > bytes.length) {
        throw new KernelInsightError(`Nothing is mapped at 0x${address.toString(16)}.`);
      }
      return bytes.slice(offset, offset + length);
    },
  };
}
