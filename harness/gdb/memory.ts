/**
 * Guest memory as gdb sees it: by virtual address through a vCPU's page tables, or by physical address. It reads
 * and writes RAM only: reading a device would change the guest.
 */
import type { Vcpu } from "../../core/isa.ts";
import type { Machine } from "../../core/machine.ts";
import { type GuestRam, PAGE_SIZE } from "../../core/memory.ts";

/** Where a span of guest memory lies. */
interface Span {
  readonly ram: GuestRam;
  readonly physical: number;
  /** Bytes before it. */
  readonly offset: number;
  readonly length: number;
}

/** The memory of one machine. */
export class DebugMemory {
  /** Whether addresses are physical. */
  physical = false;

  constructor(private readonly machine: Machine) {}

  /** Up to `length` bytes from an address: fewer where what follows is no RAM, and none where it is none itself. */
  read(vcpu: Vcpu, address: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let end = 0;
    for (const span of this.#spans(vcpu, address, length)) {
      bytes.set(span.ram.read(span.physical, span.length), span.offset);
      end = span.offset + span.length;
    }
    return bytes.subarray(0, end);
  }

  /** Writes whatever the guest's permissions; all or nothing. False when not all of it is RAM. */
  write(vcpu: Vcpu, address: bigint, bytes: Uint8Array): boolean {
    const spans = [...this.#spans(vcpu, address, bytes.length)];
    if (spans.reduce((sum, { length }) => sum + length, 0) < bytes.length) return false;
    for (const { ram, physical, offset, length } of spans) {
      ram.write(physical, bytes.subarray(offset, offset + length));
    }
    return true;
  }

  /** The pages' spans, up to the first that is no RAM. */
  *#spans(vcpu: Vcpu, address: bigint, length: number): Generator<Span> {
    for (let offset = 0; offset < length;) {
      const at = BigInt.asUintN(64, address + BigInt(offset));
      const count = Math.min(length - offset, PAGE_SIZE - Number(at % BigInt(PAGE_SIZE)));
      const physical = this.physical ? Number(at) : vcpu.translateAddress(at);
      const ram = physical === undefined ? undefined : this.machine.ramAt(physical, count);
      if (physical === undefined || !ram) return;
      yield { ram, physical, offset, length: count };
      offset += count;
    }
  }
}
