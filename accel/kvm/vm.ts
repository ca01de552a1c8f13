/**
 * One KVM virtual machine: memory, the interrupt controllers and the timer that the kernel emulates, and their
 * state (`Documentation/virt/kvm/api.rst`, "vm ioctls"). Its vCPUs are `vcpu.ts`.
 */
import { pointer } from "../ffi/libc.ts";
import { closeFile, ioctl, ioctlBuffer, ioctlNumber } from "../ffi/posix.ts";
import { mappedMemory } from "../ffi/memory.ts";
import type { GuestRam, HostPages } from "../../core/memory.ts";
import { PAGE_SIZE } from "../../core/memory.ts";
import { IOCTL, KVM, STRUCTS } from "./abi/table.ts";
import { decodeStruct, encodeStruct, type PlainStruct, type StructName } from "./abi/codec.ts";
import type { ClockReading } from "./guest_clocks.ts";
import { checked } from "./kvm_error.ts";
import type { KvmSystem } from "./system.ts";

/**
 * Four pages that VMX on processors without unrestricted guests takes for itself. They lie below the firmware's
 * place at the end of the first 4 GiB, where no board has RAM or devices.
 */
const IDENTITY_MAP_ADDRESS = 0xfffb_c000;
const TSS_ADDRESS = IDENTITY_MAP_ADDRESS + PAGE_SIZE;

// Arguments that are the same for every machine.
const IDENTITY_MAP = new Uint8Array(BigUint64Array.of(BigInt(IDENTITY_MAP_ADDRESS)).buffer);
const PIT_CONFIG = new Uint8Array(STRUCTS.kvm_pit_config.bytes);
encodeStruct("kvm_pit_config", { flags: KVM.PIT_SPEAKER_DUMMY }, new DataView(PIT_CONFIG.buffer));

/** A piece of guest-physical memory. */
export interface MemorySpan {
  /** Guest-physical address. */
  readonly base: number;
  /** Bytes. */
  readonly size: number;
  /** Where it is in RAM's bytes. */
  readonly offset: number;
}

/** The interrupt controllers in the kernel, by KVM's numbers. */
const CHIPS: readonly { readonly id: number; readonly struct: StructName }[] = [
  { id: KVM.IRQCHIP_PIC_MASTER, struct: "kvm_pic_state" },
  { id: KVM.IRQCHIP_PIC_SLAVE, struct: "kvm_pic_state" },
  { id: KVM.IRQCHIP_IOAPIC, struct: "kvm_ioapic_state" },
];

/** What the kernel emulates beside the vCPUs. */
export interface ChipState {
  /** `kvm_pic_state` of both PICs. */
  readonly pics: readonly [PlainStruct, PlainStruct];
  /** `kvm_ioapic_state`. */
  readonly ioapic: PlainStruct;
  /** `kvm_pit_state2`. */
  readonly pit: PlainStruct;
}

const CLOCK = STRUCTS.kvm_clock_data;

/** A virtual machine. */
export class KvmVm implements Disposable {
  readonly descriptor: number;
  readonly #scratch: HostPages;
  readonly #line: Uint32Array;
  readonly #linePointer: Deno.PointerValue;
  readonly #highLines = new Set<number>();
  #memorySlots = 0;

  /** @throws {KvmError} when the kernel refuses. */
  constructor(readonly system: KvmSystem) {
    this.descriptor = system.createVm();
    this.#scratch = mappedMemory.allocate(PAGE_SIZE);
    this.#line = new Uint32Array(this.#scratch.buffer, 0, 2);
    this.#linePointer = pointer(this.#scratch.address);
    try {
      this.#number(IOCTL.SET_TSS_ADDR, TSS_ADDRESS, "KVM_SET_TSS_ADDR");
      this.#struct(IOCTL.SET_IDENTITY_MAP_ADDR, IDENTITY_MAP, "KVM_SET_IDENTITY_MAP_ADDR");
      this.#number(IOCTL.CREATE_IRQCHIP, 0, "KVM_CREATE_IRQCHIP");
      this.#struct(IOCTL.CREATE_PIT2, PIT_CONFIG, "KVM_CREATE_PIT2");
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Lets the guest see RAM's bytes at the given places. RAM must come from memory with an address. */
  mapMemory(ram: Pick<GuestRam, "hostAddress">, spans: readonly MemorySpan[]): void {
    if (ram.hostAddress === 0) throw new TypeError("KVM needs guest memory that has an address");
    for (const { base, size, offset } of spans) {
      this.#setSlot(this.#memorySlots++, base, size, ram.hostAddress + offset);
    }
  }

  /** @param size Bytes; 0 takes the memory away. */
  #setSlot(slot: number, base: number, size: number, hostAddress: number): void {
    const { bytes, fields } = STRUCTS.kvm_userspace_memory_region;
    const region = new DataView(new ArrayBuffer(bytes));
    region.setUint32(fields.slot[0], slot, true);
    region.setBigUint64(fields.guest_phys_addr[0], BigInt(base), true);
    region.setBigUint64(fields.memory_size[0], BigInt(size), true);
    region.setBigUint64(fields.userspace_addr[0], BigInt(hostAddress), true);
    this.#struct(
      IOCTL.SET_USER_MEMORY_REGION,
      new Uint8Array(region.buffer),
      "KVM_SET_USER_MEMORY_REGION",
    );
  }

  /** Takes all memory away, lowers all lines, and gives the chips a state. No vCPU may run. */
  clear(chips: ChipState): void {
    while (this.#memorySlots > 0) this.#setSlot(--this.#memorySlots, 0, 0, 0);
    for (const line of this.#highLines) this.setLine(line, false);
    this.restoreChips(chips);
  }

  /** Drives an input pin of PICs and I/O APIC, by its global system interrupt. */
  setLine(gsi: number, level: boolean): void {
    if (level) this.#highLines.add(gsi);
    else this.#highLines.delete(gsi);
    this.#line[0] = gsi;
    this.#line[1] = level ? 1 : 0;
    checked(ioctl(this.descriptor, IOCTL.IRQ_LINE, this.#linePointer), "KVM_IRQ_LINE");
  }

  /** Reads the chips' state. No vCPU may run. */
  saveChips(): ChipState {
    const [master, slave, ioapic] = CHIPS.map(({ id, struct }) => {
      const chip = new Uint8Array(STRUCTS.kvm_irqchip.bytes);
      const view = new DataView(chip.buffer);
      encodeStruct("kvm_irqchip", { chip_id: id }, view);
      this.#struct(IOCTL.GET_IRQCHIP, chip, "KVM_GET_IRQCHIP");
      return decodeStruct(struct, view, STRUCTS.kvm_irqchip.fields["chip.dummy"][0]);
    });
    const pit = new Uint8Array(STRUCTS.kvm_pit_state2.bytes);
    this.#struct(IOCTL.GET_PIT2, pit, "KVM_GET_PIT2");
    return { pics: [master, slave], ioapic, pit: decodeStruct("kvm_pit_state2", new DataView(pit.buffer)) };
  }

  /** Writes the chips' state. No vCPU may run. */
  restoreChips(state: ChipState): void {
    const pit = new Uint8Array(STRUCTS.kvm_pit_state2.bytes);
    encodeStruct("kvm_pit_state2", state.pit, new DataView(pit.buffer));
    this.#struct(IOCTL.SET_PIT2, pit, "KVM_SET_PIT2");
    const values = [...state.pics, state.ioapic];
    CHIPS.forEach(({ id, struct }, i) => {
      const chip = new Uint8Array(STRUCTS.kvm_irqchip.bytes);
      const view = new DataView(chip.buffer);
      encodeStruct("kvm_irqchip", { chip_id: id }, view);
      encodeStruct(struct, values[i], view, STRUCTS.kvm_irqchip.fields["chip.dummy"][0]);
      this.#struct(IOCTL.SET_IRQCHIP, chip, "KVM_SET_IRQCHIP");
    });
  }

  /** Reads the guest's paravirtual clock. */
  readClock(): ClockReading {
    const bytes = new Uint8Array(CLOCK.bytes);
    const sinceMs = performance.now();
    this.#struct(IOCTL.GET_CLOCK, bytes, "KVM_GET_CLOCK");
    const hostMs = (sinceMs + performance.now()) / 2;
    const view = new DataView(bytes.buffer);
    const saysTsc = (view.getUint32(CLOCK.fields.flags[0], true) & KVM.CLOCK_HOST_TSC) !== 0;
    return {
      clockNs: view.getBigUint64(CLOCK.fields.clock[0], true),
      hostTsc: saysTsc ? view.getBigUint64(CLOCK.fields.host_tsc[0], true) : undefined,
      hostMs,
    };
  }

  /** Lets the guest's paravirtual clock go on from a time in ns. */
  setClock(ns: bigint): void {
    const bytes = new Uint8Array(CLOCK.bytes);
    new DataView(bytes.buffer).setBigUint64(CLOCK.fields.clock[0], ns, true);
    this.#struct(IOCTL.SET_CLOCK, bytes, "KVM_SET_CLOCK");
  }

  #number(request: number, argument: number, call: string): number {
    return checked(ioctlNumber(this.descriptor, request, argument), call);
  }

  #struct(request: number, bytes: Uint8Array<ArrayBuffer>, call: string): void {
    checked(ioctlBuffer(this.descriptor, request, bytes), call);
  }

  [Symbol.dispose](): void {
    closeFile(this.descriptor);
    this.#scratch.free();
  }
}
