import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CPU_MODELS,
  type CpuidOptions,
  CpuModelError,
  cpuVendor,
  vcpuCpuid,
} from "../../../accel/kvm/cpuid.ts";
import type { CpuidEntry } from "../../../accel/kvm/system.ts";

const ONES = 0xffff_ffff;

function entry(leaf: number, index = 0, outputs: Partial<CpuidEntry> = {}): CpuidEntry {
  return { function: leaf, index, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0, ...outputs };
}

/** A host that has everything. */
const RICH: readonly CpuidEntry[] = [
  entry(0, 0, { eax: 0x1f, ebx: 0x68747541, ecx: 0x444d4163, edx: 0x69746e65 }),
  entry(1, 0, { eax: 0x800f12, ebx: 0xdead_0800, ecx: ONES, edx: ONES }),
  entry(4, 0, { eax: 0x121 }),
  entry(4, 3, { eax: 0x163 }),
  entry(7, 0, { eax: 1, ebx: ONES, ecx: ONES, edx: ONES }),
  entry(7, 1, { eax: ONES }),
  entry(0xb),
  entry(0xd, 0, { eax: 0xe7, ebx: 0x980, ecx: 0x980 }),
  entry(0xd, 1, { eax: 0xf }),
  entry(0xd, 2, { eax: 256, ebx: 576 }),
  entry(0xd, 5, { eax: 64, ebx: 832 }),
  entry(0x1f),
  entry(0x40000001, 0, { eax: ONES }),
  entry(0x80000001, 0, { ecx: ONES, edx: ONES }),
  entry(0x80000008, 0, { ecx: ONES }),
  entry(0x8000001e, 0),
];
const PLAIN: CpuidOptions = { model: "host", vcpu: 0, vcpus: 1, tscDeadline: true };

function leaf(table: readonly CpuidEntry[], number: number, index = 0): CpuidEntry {
  return table.find((entry) => entry.function === number && entry.index === index)!;
}

Deno.test("each vCPU has its own APIC number, and all know of one package", () => {
  for (const vcpu of [0, 5]) {
    const table = vcpuCpuid(RICH, { ...PLAIN, vcpu, vcpus: 6 });
    assertEquals(leaf(table, 1).ebx, (vcpu << 24 | 8 << 16 | 0x0800) >>> 0);
    assertEquals(leaf(table, 0xb, 1), entry(0xb, 1, { flags: 1, eax: 3, ebx: 6, ecx: 0x201, edx: vcpu }));
    assertEquals(leaf(table, 0x1f, 0).edx, vcpu);
    assertEquals(leaf(table, 0x8000001e).eax, vcpu);
    assertEquals(leaf(table, 0x80000008).ecx & 0xf0ff, 3 << 12 | 5);
    // The third-level cache is everybody's, the first level each core's.
    assertEquals(leaf(table, 4, 3).eax >>> 14 & 0xfff, 5);
    assertEquals(leaf(table, 4, 0).eax >>> 14 & 0xfff, 0);
  }
});

Deno.test("a guest is told that it is one, so that it looks for KVM", () => {
  const poor = vcpuCpuid([entry(1)], PLAIN);
  assertEquals(leaf(poor, 1).ecx >>> 31, 1);
});

Deno.test("what the hardware decides while it runs, and what KVM cannot do, is not in the table", () => {
  const one = leaf(vcpuCpuid(RICH, { ...PLAIN, tscDeadline: false }), 1);
  assertEquals(one.ecx & (1 << 3 | 1 << 24 | 1 << 27), 0);
  assertEquals(one.edx & 1 << 28, 0);
  assert((leaf(vcpuCpuid(RICH, PLAIN), 1).ecx & 1 << 24) !== 0);
});

Deno.test("guests have no guests of their own, under any model", () => {
  for (const model of CPU_MODELS) {
    const table = vcpuCpuid(RICH, { ...PLAIN, model });
    assertEquals([leaf(table, 1).ecx & 1 << 5, leaf(table, 0x80000001).ecx & 1 << 2], [0, 0], model);
  }
});

Deno.test("a model has the features of its level and none beyond, and its XSAVE components", () => {
  const v3 = vcpuCpuid(RICH, { ...PLAIN, model: "x86-64-v3" });
  assertEquals(leaf(v3, 7).ebx & 1 << 5, 1 << 5); // AVX2
  assertEquals(leaf(v3, 7).ebx & 1 << 16, 0); // AVX-512F
  assertEquals(leaf(v3, 1).ecx & 1 << 25, 0); // AES
  assertEquals(leaf(v3, 7, 1).eax, 0);
  assertEquals(leaf(v3, 0xd).eax, 7);
  assertEquals(leaf(v3, 0xd, 2).eax, 256);
  assertEquals(leaf(v3, 0xd, 5).eax, 0);
  const v2 = vcpuCpuid(RICH, { ...PLAIN, model: "x86-64-v2" });
  assertEquals(leaf(v2, 1).ecx & 1 << 26, 0); // XSAVE
  assertEquals(leaf(v2, 0xd), entry(0xd));
  assertEquals(leaf(v2, 1).ecx & 1 << 20, 1 << 20); // SSE4.2
  const v4 = vcpuCpuid(RICH, { ...PLAIN, model: "x86-64-v4" });
  assertEquals([leaf(v4, 0xd).eax, leaf(v4, 0xd, 5).eax], [0xe7, 64]);
});

Deno.test("a level never has less than the one below", () => {
  const features = CPU_MODELS.slice(1).map((model) => {
    const table = vcpuCpuid(RICH, { ...PLAIN, model });
    return [leaf(table, 1).ecx, leaf(table, 7).ebx, leaf(table, 0x80000001).ecx];
  });
  for (let i = 1; i < features.length; i++) {
    features[i].forEach((word, j) => assertEquals(word & features[i - 1][j], features[i - 1][j] | 0));
  }
});

Deno.test("a model that the host lacks is refused with what is missing", () => {
  const poor = RICH.map((entry) => entry.function === 7 ? { ...entry, ebx: 0 } : entry);
  assertThrows(
    () => vcpuCpuid(poor, { ...PLAIN, model: "x86-64-v3" }),
    CpuModelError,
    'cannot be a "x86-64-v3" under KVM: it lacks bmi1, avx2, bmi2.',
  );
  vcpuCpuid(poor, { ...PLAIN, model: "x86-64-v2" });
});

Deno.test("the vendor is what CPUID says", () => {
  assertEquals(cpuVendor(RICH), "AuthenticAMD");
  assertEquals(cpuVendor([]), "");
});
