/** `/dev/kvm`: what the host's KVM can do (Linux, `Documentation/virt/kvm/api.rst`, "system ioctls"). */
import { closeFile, ioctlBuffer, ioctlNumber, lastErrno, openFile } from "../ffi/posix.ts";
import { CAP, ERRNO, IOCTL, KVM, LIBC, STRUCTS } from "./abi/table.ts";
import { decodeStruct } from "./abi/codec.ts";
import { checked, KvmError } from "./kvm_error.ts";
import { addressBits } from "./limits.ts";

/** Where KVM is. */
export const KVM_DEVICE = "/dev/kvm";

/** One line of a CPUID table. */
export interface CpuidEntry {
  /** EAX at the time of the instruction. */
  readonly function: number;
  /** ECX, where {@linkcode CpuidEntry.flags} says that it counts. */
  readonly index: number;
  readonly flags: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** A capability's name. */
export type Capability = keyof typeof CAP;

/** What every x86 KVM since Linux 4.12 has, and the engine cannot do without. */
const REQUIRED: readonly Capability[] = [
  ...["USER_MEMORY", "IRQCHIP", "PIT2", "PIT_STATE2", "SET_TSS_ADDR", "SET_IDENTITY_MAP_ADDR"] as const,
  ...["EXT_CPUID", "MP_STATE", "VCPU_EVENTS", "DEBUGREGS", "XSAVE", "XCRS", "ADJUST_CLOCK"] as const,
  ...["SET_GUEST_DEBUG", "IMMEDIATE_EXIT"] as const,
];

const MOST_CPUID_ENTRIES = 256;
const MOST_MSRS = 4096;

// What KVM says of itself stays so for as long as this process is there, and is the same for every machine.
let supportedCpuid: readonly CpuidEntry[] | undefined;
let listedMsrs: Uint32Array | undefined;
let vcpuMapBytes: number | undefined;
let bitsOfAddress: number | undefined;
const capabilities = new Map<Capability, number>();

let system: KvmSystem | undefined;

/**
 * KVM, opened when it is first wanted and for as long as this thread of JavaScript is there.
 *
 * @throws {KvmError} when it cannot be opened or is not what the engine needs.
 */
export function kvmSystem(): KvmSystem {
  return system ??= new KvmSystem();
}

/** KVM, opened. */
export class KvmSystem {
  readonly #descriptor: number;

  /** Use {@linkcode kvmSystem}. */
  constructor() {
    const descriptor = openFile(KVM_DEVICE, LIBC.O_RDWR);
    if (descriptor < 0) throw new KvmError(`opening ${KVM_DEVICE}`, -descriptor);
    this.#descriptor = descriptor;
    try {
      this.#check();
    } catch (error) {
      closeFile(descriptor);
      throw error;
    }
  }

  #check(): void {
    const version = checked(ioctlNumber(this.#descriptor, IOCTL.GET_API_VERSION, 0), "KVM_GET_API_VERSION");
    if (version !== KVM.API_VERSION) {
      throw new KvmError("KVM_GET_API_VERSION", ERRNO.EINVAL, `It is ${version}, not ${KVM.API_VERSION}.`);
    }
    const missing = REQUIRED.filter((name) => this.capability(name) === 0);
    if (missing.length > 0) {
      const names = missing.map((name) => `KVM_CAP_${name}`).join(", ");
      throw new KvmError("KVM_CHECK_EXTENSION", ERRNO.EOPNOTSUPP, `This KVM lacks ${names}.`);
    }
  }

  /** What KVM says of a capability; 0 where it has none. */
  capability(name: Capability): number {
    let value = capabilities.get(name);
    if (value === undefined) {
      value = Math.max(0, ioctlNumber(this.#descriptor, IOCTL.CHECK_EXTENSION, CAP[name]));
      capabilities.set(name, value);
    }
    return value;
  }

  /** Makes a virtual machine without anything in it; gives its descriptor. */
  createVm(): number {
    for (let tries = 0;; tries++) {
      const vm = ioctlNumber(this.#descriptor, IOCTL.CREATE_VM, 0);
      // A signal may interrupt it.
      if (vm < 0 && lastErrno() === ERRNO.EINTR && tries < 100) continue;
      return checked(vm, "KVM_CREATE_VM");
    }
  }

  /** Bytes of the memory that is shared with each vCPU. */
  get vcpuMapBytes(): number {
    return vcpuMapBytes ??= checked(
      ioctlNumber(this.#descriptor, IOCTL.GET_VCPU_MMAP_SIZE, 0),
      "KVM_GET_VCPU_MMAP_SIZE",
    );
  }

  /** Most vCPUs a machine can have. */
  get maxVcpus(): number {
    return this.capability("MAX_VCPUS") || this.capability("NR_VCPUS");
  }

  /** Bits of a guest-physical address. */
  get addressBits(): number {
    return bitsOfAddress ??= addressBits(this.supportedCpuid);
  }

  /** The CPUID table of a vCPU that has everything that host and KVM can give. */
  get supportedCpuid(): readonly CpuidEntry[] {
    return supportedCpuid ??= this.#readCpuid();
  }

  #readCpuid(): readonly CpuidEntry[] {
    const { bytes: header } = STRUCTS.kvm_cpuid2, { bytes: size } = STRUCTS.kvm_cpuid_entry2;
    const table = new Uint8Array(header + MOST_CPUID_ENTRIES * size);
    const view = new DataView(table.buffer);
    view.setUint32(0, MOST_CPUID_ENTRIES, true);
    checked(ioctlBuffer(this.#descriptor, IOCTL.GET_SUPPORTED_CPUID, table), "KVM_GET_SUPPORTED_CPUID");
    const count = Math.min(view.getUint32(0, true), MOST_CPUID_ENTRIES);
    return Array.from(
      { length: count },
      (_, i) => decodeStruct("kvm_cpuid_entry2", view, header + i * size) as unknown as CpuidEntry,
    );
  }

  /** The numbers of the MSRs that make up a vCPU's state. */
  get msrs(): Uint32Array {
    return listedMsrs ??= this.#readMsrs();
  }

  #readMsrs(): Uint32Array {
    const list = new Uint8Array(STRUCTS.kvm_msr_list.bytes + 4 * MOST_MSRS);
    const words = new Uint32Array(list.buffer);
    words[0] = MOST_MSRS;
    checked(ioctlBuffer(this.#descriptor, IOCTL.GET_MSR_INDEX_LIST, list), "KVM_GET_MSR_INDEX_LIST");
    return words.slice(1, 1 + Math.min(words[0], MOST_MSRS));
  }
}

const encodedCpuid = new WeakMap<readonly CpuidEntry[], Uint8Array<ArrayBuffer>>();

/** A CPUID table as KVM takes it, which does not change it. Each machine's vCPUs have one: it is made once. */
export function encodeCpuid(entries: readonly CpuidEntry[]): Uint8Array<ArrayBuffer> {
  let bytes = encodedCpuid.get(entries);
  if (bytes === undefined) encodedCpuid.set(entries, bytes = cpuidBytes(entries));
  return bytes;
}

function cpuidBytes(entries: readonly CpuidEntry[]): Uint8Array<ArrayBuffer> {
  const { bytes: header } = STRUCTS.kvm_cpuid2, { bytes: size, fields } = STRUCTS.kvm_cpuid_entry2;
  const words = new Uint32Array((header + entries.length * size) / 4);
  words[0] = entries.length;
  let at = header / 4;
  for (const entry of entries) {
    words[at + fields.function[0] / 4] = entry.function;
    words[at + fields.index[0] / 4] = entry.index;
    words[at + fields.flags[0] / 4] = entry.flags;
    words[at + fields.eax[0] / 4] = entry.eax;
    words[at + fields.ebx[0] / 4] = entry.ebx;
    words[at + fields.ecx[0] / 4] = entry.ecx;
    words[at + fields.edx[0] / 4] = entry.edx;
    at += size / 4;
  }
  return new Uint8Array(words.buffer);
}
