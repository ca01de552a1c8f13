/**
 * One vCPU of a KVM virtual machine: the memory it shares with the kernel (`kvm_run`) and its registers
 * (`Documentation/virt/kvm/api.rst`, "vcpu ioctls"). What a vCPU's exits ask for is `exits.ts`.
 */
import { closeFile, ioctlBuffer, ioctlNumber, mapShared } from "../ffi/posix.ts";
import { mappedMemory } from "../ffi/memory.ts";
import { type HostPages, PAGE_SIZE } from "../../core/memory.ts";
import { ERRNO, IOCTL, KVM, STRUCTS } from "./abi/table.ts";
import { decodeStruct, encodeStruct, type PlainStruct, type StructName } from "./abi/codec.ts";
import { checked, KvmError } from "./kvm_error.ts";
import { type CpuidEntry, encodeCpuid } from "./system.ts";
import { VcpuRunner } from "./vcpu_runner.ts";
import type { KvmVm } from "./vm.ts";

/** MSRs per call. */
const MSR_BATCH = 64;

/** Structures that are read and written as a whole. */
const STATE_CALLS = {
  kvm_regs: [IOCTL.GET_REGS, IOCTL.SET_REGS, "REGS"],
  kvm_sregs: [IOCTL.GET_SREGS, IOCTL.SET_SREGS, "SREGS"],
  kvm_debugregs: [IOCTL.GET_DEBUGREGS, IOCTL.SET_DEBUGREGS, "DEBUGREGS"],
  kvm_xcrs: [IOCTL.GET_XCRS, IOCTL.SET_XCRS, "XCRS"],
  kvm_lapic_state: [IOCTL.GET_LAPIC, IOCTL.SET_LAPIC, "LAPIC"],
  kvm_vcpu_events: [IOCTL.GET_VCPU_EVENTS, IOCTL.SET_VCPU_EVENTS, "VCPU_EVENTS"],
  kvm_mp_state: [IOCTL.GET_MP_STATE, IOCTL.SET_MP_STATE, "MP_STATE"],
} as const satisfies Partial<Record<StructName, readonly [number, number, string]>>;

/** A structure that {@linkcode KvmVcpu.get} reads. */
export type StateStruct = keyof typeof STATE_CALLS;

/** A vCPU. */
export class KvmVcpu implements Disposable {
  readonly descriptor: number;
  /** Enters the vCPU, from this thread. */
  readonly runner: VcpuRunner;
  /** `kvm_run` and what follows it, in elements of one, four and any number of bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** Host address of `kvm_run`. */
  readonly runAddress: number;
  readonly #map: HostPages;
  readonly #xsaveBytes: number;

  /** @throws {KvmError} when the kernel refuses. */
  constructor(vm: KvmVm, readonly index: number) {
    this.descriptor = checked(ioctlNumber(vm.descriptor, IOCTL.CREATE_VCPU, index), "KVM_CREATE_VCPU");
    try {
      this.#map = mapShared(this.descriptor, vm.system.vcpuMapBytes);
    } catch (error) {
      closeFile(this.descriptor);
      throw error;
    }
    const { buffer, address } = this.#map;
    this.runAddress = address;
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.view = new DataView(buffer);
    this.runner = new VcpuRunner(this.descriptor, this.bytes);
    this.#xsaveBytes = Math.max(vm.system.capability("XSAVE2"), STRUCTS.kvm_xsave.bytes);
  }

  /** Tells the guest what its processor is. Before the first run. */
  setCpuid(entries: readonly CpuidEntry[]): void {
    checked(
      ioctlBuffer(this.descriptor, IOCTL.SET_CPUID2, encodeCpuid(entries)),
      "KVM_SET_CPUID2",
    );
  }

  /** Reads a part of the vCPU's state. */
  get(struct: StateStruct): PlainStruct {
    const [request, , name] = STATE_CALLS[struct];
    const bytes = new Uint8Array(STRUCTS[struct].bytes);
    checked(ioctlBuffer(this.descriptor, request, bytes), `KVM_GET_${name}`);
    return decodeStruct(struct, new DataView(bytes.buffer));
  }

  /** Writes a part of the vCPU's state; fields that are left out become zero. */
  set(struct: StateStruct, value: PlainStruct): void {
    const bytes = new Uint8Array(STRUCTS[struct].bytes);
    encodeStruct(struct, value, new DataView(bytes.buffer));
    this.setBytes(struct, bytes);
  }

  /** Writes a part of the vCPU's state that is laid out already. */
  setBytes(struct: StateStruct, bytes: Uint8Array<ArrayBuffer>): void {
    const [, request, name] = STATE_CALLS[struct];
    checked(ioctlBuffer(this.descriptor, request, bytes), `KVM_SET_${name}`);
  }

  /** Reads the FPU and all that XCR0 has, in XSAVE's standard form. */
  getXsave(): Uint8Array<ArrayBuffer> {
    const area = new Uint8Array(this.#xsaveBytes);
    const whole = this.#xsaveBytes > STRUCTS.kvm_xsave.bytes;
    checked(
      ioctlBuffer(this.descriptor, whole ? IOCTL.GET_XSAVE2 : IOCTL.GET_XSAVE, area),
      whole ? "KVM_GET_XSAVE2" : "KVM_GET_XSAVE",
    );
    return area;
  }

  /** Writes what {@linkcode KvmVcpu.getXsave} reads; a shorter area is continued with zeros. */
  setXsave(area: Uint8Array): void {
    const padded = new Uint8Array(this.#xsaveBytes);
    if (area.subarray(padded.length).some((byte) => byte !== 0)) {
      throw new KvmError("KVM_SET_XSAVE", ERRNO.E2BIG, "The state has more than this host's processor.");
    }
    padded.set(area.subarray(0, padded.length));
    checked(ioctlBuffer(this.descriptor, IOCTL.SET_XSAVE, padded), "KVM_SET_XSAVE");
  }

  /** Reads MSRs; those that cannot be read are left out. */
  getMsrs(numbers: Iterable<number>): Map<number, bigint> {
    const found = new Map<number, bigint>();
    const wanted = [...numbers];
    for (let from = 0; from < wanted.length;) {
      const batch = wanted.slice(from, from + MSR_BATCH);
      const { bytes, view } = msrTable(batch.map((number) => [number, 0n]));
      const count = checked(ioctlBuffer(this.descriptor, IOCTL.GET_MSRS, bytes), "KVM_GET_MSRS");
      for (let i = 0; i < count; i++) {
        found.set(batch[i], view.getBigUint64(MSR_HEADER + i * MSR_BYTES + MSR_DATA, true));
      }
      // It stops at the first that it cannot read.
      from += count + (count < batch.length ? 1 : 0);
    }
    return found;
  }

  /** Writes MSRs in the given order; gives the numbers of those that the kernel refused. */
  setMsrs(values: Iterable<readonly [number, bigint]>): number[] {
    const refused: number[] = [];
    const wanted = [...values];
    for (let from = 0; from < wanted.length;) {
      const batch = wanted.slice(from, from + MSR_BATCH);
      const { bytes } = msrTable(batch);
      const count = checked(ioctlBuffer(this.descriptor, IOCTL.SET_MSRS, bytes), "KVM_SET_MSRS");
      if (count < batch.length) refused.push(batch[count][0]);
      from += count + (count < batch.length ? 1 : 0);
    }
    return refused;
  }

  /**
   * Says who has the debug registers and the trap flag, until told otherwise.
   *
   * @param control KVM's GUESTDBG bits; 0 leaves them to the guest.
   * @param registers DR0 to DR3 and DR7 of whoever debugs the guest.
   */
  setGuestDebug(
    control: number,
    [dr0 = 0n, dr1 = 0n, dr2 = 0n, dr3 = 0n, dr7 = 0n]: readonly bigint[],
  ): void {
    const bytes = new Uint8Array(STRUCTS.kvm_guest_debug.bytes);
    const debugreg = [dr0, dr1, dr2, dr3, 0n, 0n, 0n, dr7];
    encodeStruct("kvm_guest_debug", { control, arch: { debugreg } }, new DataView(bytes.buffer));
    checked(ioctlBuffer(this.descriptor, IOCTL.SET_GUEST_DEBUG, bytes), "KVM_SET_GUEST_DEBUG");
  }

  /** Thousands of TSC ticks per second of the guest; 0 where KVM does not say. */
  get tscKhz(): number {
    return Math.max(0, ioctlNumber(this.descriptor, IOCTL.GET_TSC_KHZ, 0));
  }

  /** What KVM adds to the host's time-stamp counter; undefined where it does not say (before Linux 5.16). */
  get tscOffset(): bigint | undefined {
    using value = new PlacedWord();
    return this.#tscOffset(IOCTL.GET_DEVICE_ATTR, value) < 0 ? undefined : value.word;
  }

  set tscOffset(offset: bigint) {
    using value = new PlacedWord();
    value.word = BigInt.asUintN(64, offset);
    checked(this.#tscOffset(IOCTL.SET_DEVICE_ATTR, value), "KVM_SET_DEVICE_ATTR");
  }

  #tscOffset(request: number, { address }: PlacedWord): number {
    const attribute = new Uint8Array(STRUCTS.kvm_device_attr.bytes);
    encodeStruct("kvm_device_attr", {
      flags: 0,
      group: KVM.VCPU_TSC_CTRL,
      attr: BigInt(KVM.VCPU_TSC_OFFSET),
      addr: BigInt(address),
    }, new DataView(attribute.buffer));
    return ioctlBuffer(this.descriptor, request, attribute);
  }

  /** Tells the guest's clock that the machine stood still, so that its watchdogs forgive the gap. */
  excuseGap(): void {
    ioctlNumber(this.descriptor, IOCTL.KVMCLOCK_CTRL, 0); // EINVAL where the guest does not use the clock
  }

  [Symbol.dispose](): void {
    this.#map.free();
    closeFile(this.descriptor);
  }
}

/** Eight bytes with an address. */
class PlacedWord implements Disposable {
  readonly #pages = mappedMemory.allocate(PAGE_SIZE);
  readonly #words = new BigUint64Array(this.#pages.buffer, 0, 1);

  get address(): number {
    return this.#pages.address;
  }

  get word(): bigint {
    return this.#words[0];
  }

  set word(value: bigint) {
    this.#words[0] = value;
  }

  [Symbol.dispose](): void {
    this.#pages.free();
  }
}

const MSR_HEADER = STRUCTS.kvm_msrs.bytes;
const MSR_BYTES = STRUCTS.kvm_msr_entry.bytes;
const MSR_DATA = STRUCTS.kvm_msr_entry.fields.data[0];

function msrTable(values: readonly (readonly [number, bigint])[]) {
  const bytes = new Uint8Array(MSR_HEADER + values.length * MSR_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, values.length, true);
  values.forEach(([index, data], i) =>
    encodeStruct("kvm_msr_entry", { index, data }, view, MSR_HEADER + i * MSR_BYTES)
  );
  return { bytes, view };
}
