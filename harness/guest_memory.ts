/** Guest memory as a test sees it, by physical or by virtual address. */
import { type GuestRam, PAGE_SIZE } from "../core/memory.ts";
import type { Machine } from "../core/machine.ts";
import { InputError } from "./errors.ts";

/** Through which vCPU's eyes a virtual address is seen. */
export interface VirtualOptions {
  /** The vCPU whose address space is meant. @default 0 */
  readonly cpu?: number;
}

/** A span of RAM. */
export interface RamSpan {
  /** Guest-physical address of its first byte. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
}

/** An address in RAM. */
interface Place {
  readonly ram: GuestRam;
  readonly at: number;
}

/** A span of RAM itself, not copied: to be read only, and only until the machine moves or is closed. */
export interface RamView {
  /** Guest-physical address of its first byte. */
  readonly base: number;
  /** The bytes. */
  readonly u8: Uint8Array;
  /** The same as 32-bit words, in host order. */
  readonly i32: Int32Array;
  /** The same at any alignment. */
  readonly view: DataView;
}

/** The memory of a machine that stands still. */
export class GuestMemory {
  readonly #machine: Machine;
  readonly #assertOpen: () => void;

  /** Made with the machine. */
  constructor(machine: Machine, assertOpen: () => void) {
    this.#machine = machine;
    this.#assertOpen = assertOpen;
  }

  /** Guest-physical address of the first byte of RAM. */
  get base(): number {
    return this.#machine.ram.base;
  }

  /** Bytes of RAM, wherever it lies. */
  get size(): number {
    return this.#machine.rams.reduce((sum, { size }) => sum + size, 0);
  }

  /** Where RAM lies: guest-physical addresses and bytes, ascending. */
  get spans(): readonly RamSpan[] {
    return this.#machine.rams.map(({ base, size }) => ({ base, size }));
  }

  /** RAM as it is, ascending by address: for those who look for something in all of it. */
  views(): readonly RamView[] {
    this.#assertOpen();
    return this.#machine.rams;
  }

  /** Copies bytes out of RAM. @throws {InputError} when the span is not wholly in RAM. */
  readPhysical(address: number | bigint, length: number): Uint8Array {
    const { ram, at } = this.#inRam(address, length);
    return ram.read(at, length);
  }

  /** Copies bytes into RAM; translated code stays coherent. @throws {InputError} as above. */
  writePhysical(address: number | bigint, bytes: Uint8Array): void {
    const { ram, at } = this.#inRam(address, bytes.length);
    ram.write(at, bytes);
  }

  /**
   * Reads by virtual address, with the page tables a vCPU uses now. Changes nothing the guest can see.
   *
   * @throws {InputError} where nothing, or no RAM, is mapped.
   */
  read(address: number | bigint, length: number, options: VirtualOptions = {}): Uint8Array {
    this.#inLength(length);
    const result = new Uint8Array(length);
    this.#eachPage(address, length, options, (physical, offset, count) => {
      result.set(this.readPhysical(physical, count), offset);
    });
    return result;
  }

  /**
   * Writes by virtual address, whatever the guest's own permissions there; all or nothing.
   *
   * @throws {InputError} as {@linkcode GuestMemory.read} does.
   */
  write(address: number | bigint, bytes: Uint8Array, options: VirtualOptions = {}): void {
    const pieces: { place: Place; piece: Uint8Array }[] = [];
    this.#eachPage(address, bytes.length, options, (physical, offset, count) => {
      pieces.push({ place: this.#inRam(physical, count), piece: bytes.subarray(offset, offset + count) });
    });
    for (const { place: { ram, at }, piece } of pieces) ram.write(at, piece);
  }

  /** The SHA-256 of all of RAM, in hexadecimal. */
  async sha256(): Promise<string> {
    this.#assertOpen();
    const { createHash } = await import("node:crypto");
    this.#assertOpen();
    const hash = createHash("sha256");
    for (const { u8 } of this.#machine.rams) hash.update(u8);
    return hash.digest("hex");
  }

  #eachPage(
    address: number | bigint,
    length: number,
    options: VirtualOptions,
    visit: (physical: number, offset: number, count: number) => void,
  ): void {
    this.#assertOpen();
    const vcpu = this.#machine.vcpus[options.cpu ?? 0];
    if (!vcpu) throw new InputError(`There is no vCPU ${options.cpu}.`);
    for (let offset = 0; offset < length;) {
      const virtual = BigInt.asUintN(64, BigInt(address) + BigInt(offset));
      const count = Math.min(length - offset, PAGE_SIZE - Number(virtual % BigInt(PAGE_SIZE)));
      const physical = vcpu.translateAddress(virtual);
      if (physical === undefined) {
        throw new InputError(
          `Virtual address 0x${virtual.toString(16)} is not mapped on vCPU ${vcpu.index}.`,
        );
      }
      visit(physical, offset, count);
      offset += count;
    }
  }

  #inRam(address: number | bigint, length: number): Place {
    this.#assertOpen();
    this.#inLength(length);
    const at = Number(address);
    const ram = Number.isInteger(at) ? this.#machine.ramAt(at, length) : undefined;
    if (!ram) {
      const hex = (n: number | bigint) => `0x${n.toString(16)}`;
      const spans = this.spans.map(({ base, size }) => `${hex(base)} to ${hex(base + size - 1)}`);
      throw new InputError(
        `${length} bytes at physical address ${hex(address)} are not in RAM, which is ${
          spans.join(" and ")
        }.`,
      );
    }
    return { ram, at };
  }

  #inLength(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.size) {
      throw new InputError(`${length} is no number of bytes this guest's memory could hold.`);
    }
  }
}
