/** What KVM on this host allows a machine to have. */
import type { CpuidEntry } from "./system.ts";

/** A machine cannot be what was asked for under KVM. */
export class KvmLimitError extends Error {
  override name = "KvmLimitError";
}

/** What there may be at most. */
export interface KvmLimits {
  /** vCPUs of one machine. */
  readonly vcpus: number;
  /** Bits of a guest-physical address. */
  readonly addressBits: number;
}

/** The limit of processors that do not tell it (AMD's manual, volume 3, "CPUID Fn8000_0008"). */
const OLD_ADDRESS_BITS = 36;

/** Bits of a guest-physical address, by the CPUID table that KVM supports. */
export function addressBits(supported: readonly CpuidEntry[]): number {
  const sizes = supported.find((entry) => entry.function === 0x8000_0008);
  return sizes ? sizes.eax & 0xff : OLD_ADDRESS_BITS;
}

/**
 * Says whether a machine keeps within the limits.
 *
 * @param vcpus How many it has.
 * @param ramEnd The guest-physical address after its last byte of RAM.
 * @throws {KvmLimitError} when it does not.
 */
export function checkLimits(vcpus: number, ramEnd: number, limits: KvmLimits): void {
  if (vcpus > limits.vcpus) {
    throw new KvmLimitError(
      `KVM on this host allows ${limits.vcpus} vCPUs, and the machine has ${vcpus}; ask for fewer.`,
    );
  }
  const { addressBits } = limits;
  if (ramEnd > 2 ** addressBits) {
    throw new KvmLimitError(
      `KVM on this host has ${addressBits} bits of physical address (${
        2 ** (addressBits - 30)
      } GiB), and the ` +
        `machine's memory reaches to ${Math.ceil(ramEnd / 2 ** 30)} GiB; ask for less.`,
    );
  }
}
