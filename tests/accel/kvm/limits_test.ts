import { assertEquals, assertThrows } from "@std/assert";
import { addressBits, checkLimits, KvmLimitError } from "../../../accel/kvm/limits.ts";
import { kvmTest } from "../../support/kvm.ts";
import { kvmSystem } from "../../../accel/kvm/system.ts";
import { BareMachine } from "../../support/x86_machine.ts";

const GIB = 2 ** 30;
const LIMITS = { vcpus: 4, addressBits: 36 };

Deno.test("more vCPUs than KVM allows are refused with both numbers", () => {
  checkLimits(4, GIB, LIMITS);
  assertThrows(() => checkLimits(5, GIB, LIMITS), KvmLimitError, "allows 4 vCPUs, and the machine has 5");
});

Deno.test("memory beyond the processor's physical addresses is refused with both sizes", () => {
  checkLimits(1, 64 * GIB, LIMITS);
  assertThrows(
    () => checkLimits(1, 64 * GIB + 4096, LIMITS),
    KvmLimitError,
    "36 bits of physical address (64 GiB), and the machine's memory reaches to 65 GiB; ask for less.",
  );
});

Deno.test("the address's size is CPUID's; processors that do not tell have the old one", () => {
  const sizes = { function: 0x8000_0008, index: 0, flags: 0, eax: 0x3030, ebx: 0, ecx: 0, edx: 0 };
  assertEquals(addressBits([sizes]), 48);
  assertEquals(addressBits([]), 36);
});

kvmTest("a machine larger than the host's processor can address is refused before it is made", () => {
  const system = kvmSystem();
  const bits = addressBits(system.supportedCpuid);
  assertThrows(
    () => new BareMachine({ code: [0xf4], highRam: { base: 2 ** bits, size: 4096 } }),
    KvmLimitError,
    `${bits} bits of physical address`,
  );
});
