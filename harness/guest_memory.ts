/** Guest memory as a test sees it, by physical or by virtual address. */
import { PAGE_SIZE } from "../core/memory.ts";
import type { Machine } from "../core/machine.ts";
import { InputError } from "./errors.ts";

/** Through which vCPU's eyes a virtual address is seen. */
export interface VirtualOptions {
  /** The vCPU whose address space is meant. @default 0 */
  readonly cpu?: number;
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

  /** Bytes of RAM. */
  get size(): number {
    return this.#machine.ram.size;
  }

  /** RAM as it is, ascending by address: for those who look for something in all of it. */
  views(): readonly RamView[] {
    this.#assertOpen();
    return [this.#machine.ram];
  }

  /** Copies bytes out of RAM. @throws {InputError} when the span is not wholly in RAM. */
  readPhysical(address: number | bigint, length: number): Uint8Array {
    const at = this.#inRam(address, length);
    return this.#machine.ram.read(at, length);
  }

  /** Copies bytes into RAM; translated code stays coherent. @throws {InputError} as above. */
  writePhysical(address: number | bigint, bytes: Uint8Array): void {
    const at = this.#inRam(address, bytes.length);
    this.#machine.ram.write(at, bytes);
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
    const spans: [number, number, number][] = [];
    this.#eachPage(address, bytes.length, options, (physical, offset, count) => {
      spans.push([this.#inRam(physical, count), offset, count]);
    });
    for (const [physical, offset, count] of spans) {
      this.#machine.ram.write(physical, bytes.subarray(offset, offset + count));
    }
  }

  /** The SHA-256 of all of RAM, in hexadecimal. */
  async sha256(): Promise<string> {
    this.#assertOpen();
    const { createHash } = await import("node:crypto");
    this.#assertOpen();
    return createHash("sha256").update(this.#machine.ram.u8).digest("hex");
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

  #inRam(address: number | bigint, length: number): number {
    this.#assertOpen();
    this.#inLength(length);
    const at = Number(address);
    if (!Number.isInteger(at) || !this.#machine.ram.contains(at, length)) {
      const { base, size } = this.#machine.ram;
      throw new InputError(
        `${length} bytes at physical address 0x${address.toString(16)} are not in RAM, ` +
          `which is 0x${base.toString(16)} to 0x${(base + size - 1).toString(16)}.`,
      );
    }
    return at;
  }

  #inLength(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.size) {
      throw new InputError(`${length} is no number of bytes this guest's memory could hold.`);
    }
  }
}
