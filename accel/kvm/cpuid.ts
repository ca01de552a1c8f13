/**
 * What a guest's processor says of itself: everything that host and KVM have, with each vCPU's place in the
 * machine, less what a named model leaves out. Bits are those of the processor manuals' CPUID chapters; models
 * are the levels of the x86-64 psABI ("Micro-Architecture Levels"), so that a guest that passes with one passes
 * on every host that has it.
 */
import type { CpuidEntry } from "./system.ts";

/** A CPU model; "host" is all that there is. */
export type CpuModel = "host" | "x86-64" | "x86-64-v2" | "x86-64-v3" | "x86-64-v4";

/** Every {@linkcode CpuModel}, by what they have. */
export const CPU_MODELS: readonly CpuModel[] = ["host", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"];

/** The host's processor has not what was asked for. */
export class CpuModelError extends Error {
  override name = "CpuModelError";
}

type Output = "eax" | "ebx" | "ecx" | "edx";

/** A feature's place, and the first level that has it; 5 is beyond all of them. */
type Feature = readonly [name: string, level: number, leaf: number, output: Output, bit: number];

const BEYOND = 5;

/** Features that programs use by themselves. What the kernel alone uses is the same in all models. */
const FEATURES: readonly Feature[] = [
  ...row(1, 0x1, "edx", { fpu: 0, cx8: 8, cmov: 15, mmx: 23, fxsr: 24, sse: 25, sse2: 26 }),
  ...row(1, 0x80000001, "edx", { syscall: 11 }),
  ...row(2, 0x1, "ecx", { sse3: 0, ssse3: 9, cx16: 13, sse41: 19, sse42: 20, popcnt: 23 }),
  ...row(2, 0x80000001, "ecx", { lahf: 0 }),
  ...row(3, 0x1, "ecx", { fma: 12, movbe: 22, xsave: 26, avx: 28, f16c: 29 }),
  ...row(3, 0x7, "ebx", { bmi1: 3, avx2: 5, bmi2: 8 }),
  ...row(3, 0x80000001, "ecx", { lzcnt: 5 }),
  ...row(4, 0x7, "ebx", { avx512f: 16, avx512dq: 17, avx512cd: 28, avx512bw: 30, avx512vl: 31 }),
  ...row(BEYOND, 0x1, "ecx", { pclmulqdq: 1, aes: 25, rdrand: 30 }),
  ...row(BEYOND, 0x7, "ebx", {
    hle: 4,
    rtm: 11,
    mpx: 14,
    rdseed: 18,
    adx: 19,
    ifma: 21,
    pf: 26,
    er: 27,
    sha: 29,
  }),
  ...row(BEYOND, 0x7, "ecx", { vbmi: 1, waitpkg: 5, vbmi2: 6, gfni: 8, vaes: 9, vpclmulqdq: 10 }),
  ...row(BEYOND, 0x7, "ecx", { vnni: 11, bitalg: 12, vpopcntdq: 14, rdpid: 22, cldemote: 25, movdiri: 27 }),
  ...row(BEYOND, 0x7, "ecx", { movdir64b: 28 }),
  ...row(BEYOND, 0x7, "edx", { vnniw: 2, fmaps: 3, vp2intersect: 8, serialize: 14, amxBf16: 22, fp16: 23 }),
  ...row(BEYOND, 0x7, "edx", { amxTile: 24, amxInt8: 25 }),
  ...row(BEYOND, 0x80000001, "ecx", { sse4a: 6, misalignsse: 7, xop: 11, fma4: 16, tbm: 21 }),
  ...row(BEYOND, 0x80000001, "edx", { mmxext: 22, threeDNowExt: 30, threeDNow: 31 }),
];

function row(level: number, leaf: number, output: Output, bits: Record<string, number>): Feature[] {
  return Object.entries(bits).map(([name, bit]) => [name, level, leaf, output, bit]);
}

/** Components of XCR0 by level: x87 and SSE, then AVX, then AVX-512. */
const XCR0_BY_LEVEL = [3, 3, 3, 7, 0xe7];

/** What one vCPU's table is made for. */
export interface CpuidOptions {
  readonly model: CpuModel;
  /** Number of the vCPU, which is its APIC's as well. */
  readonly vcpu: number;
  /** vCPUs of the machine: cores of one package, one thread each. */
  readonly vcpus: number;
  /** Whether KVM emulates the APIC timer's deadline mode, which its own table does not say. */
  readonly tscDeadline: boolean;
}

/** Tables that were made, by what KVM supports and by {@linkcode CpuidOptions} as text. */
const made = new WeakMap<readonly CpuidEntry[], Map<string, readonly CpuidEntry[]>>();

/**
 * The CPUID table of one vCPU. Each machine needs the same ones: they are made once.
 *
 * @throws {CpuModelError} when there is no such model, or the host lacks features of it.
 */
export function vcpuCpuid(supported: readonly CpuidEntry[], options: CpuidOptions): readonly CpuidEntry[] {
  let tables = made.get(supported);
  if (tables === undefined) made.set(supported, tables = new Map());
  const { model, vcpu, vcpus, tscDeadline } = options;
  const key = `${model} ${vcpu} ${vcpus} ${tscDeadline}`;
  let table = tables.get(key);
  if (table === undefined) tables.set(key, table = makeTable(supported, options));
  return table;
}

function makeTable(supported: readonly CpuidEntry[], options: CpuidOptions): readonly CpuidEntry[] {
  const level = CPU_MODELS.indexOf(options.model);
  if (level < 0) {
    throw new CpuModelError(`There is no CPU model "${options.model}". There is: ${CPU_MODELS.join(", ")}.`);
  }
  const table = supported.map((entry) => ({ ...entry }));
  if (level > 0) restrict(table, options.model, level);
  for (const entry of table) place(entry, options);
  return placedTopology(table, options);
}

/** The vendor's name: "AuthenticAMD", "GenuineIntel", … */
export function cpuVendor(table: readonly CpuidEntry[]): string {
  const entry = table.find((entry) => entry.function === 0);
  const words = new Uint32Array(entry ? [entry.ebx, entry.edx, entry.ecx] : []);
  return new TextDecoder("latin1").decode(words);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Entry = Mutable<CpuidEntry>;

function restrict(table: Entry[], model: CpuModel, level: number): void {
  const missing: string[] = [];
  for (const [name, since, leaf, output, bit] of FEATURES) {
    const entry = table.find((entry) => entry.function === leaf && entry.index === 0);
    const has = entry !== undefined && (entry[output] >>> bit & 1) === 1;
    if (since <= level && !has) missing.push(name);
    if (since > level && entry && has) entry[output] = (entry[output] & ~(1 << bit)) >>> 0;
  }
  if (missing.length > 0) {
    throw new CpuModelError(
      `This host's processor cannot be a "${model}" under KVM: it lacks ${missing.join(", ")}. ` +
        `Choose "host", or a lower level.`,
    );
  }
  for (const entry of table) {
    // Sub-leaf 1 of leaf 7 has nothing but features beyond all levels.
    if (entry.function === 7 && entry.index === 1) Object.assign(entry, { eax: 0, ebx: 0, ecx: 0, edx: 0 });
    if (entry.function === 0xd) restrictXsave(entry, level < 3 ? 0 : XCR0_BY_LEVEL[level]);
  }
}

/** Leaf 0xD: sub-leaf 0 has XCR0's bits, 1 features, the others a component each. */
function restrictXsave(entry: Entry, components: number): void {
  const { index } = entry;
  if (index === 0) {
    entry.eax &= components;
    entry.edx = 0;
    if (components === 0) Object.assign(entry, { ebx: 0, ecx: 0 });
    else if (components === 7) entry.ecx = AVX_AREA_BYTES;
  } else if (index === 1) {
    Object.assign(entry, { eax: components === 0 ? 0 : entry.eax & ~SUPERVISOR_XSAVE, ecx: 0, edx: 0 });
  } else if ((components >>> index & 1) === 0 || index > 31) {
    Object.assign(entry, { eax: 0, ebx: 0, ecx: 0, edx: 0 });
  }
}

/** Bytes of an XSAVE area with AVX. */
const AVX_AREA_BYTES = 832;
const SUPERVISOR_XSAVE = 8;

const HTT = 1 << 28, MONITOR = 1 << 3, OSXSAVE = 1 << 27, TSC_DEADLINE = 1 << 24;
/** Without it no guest looks for the leaves that name KVM, nor uses its clock. KVM leaves it to us. */
const HYPERVISOR = 1 << 31;
const CMP_LEGACY = 1 << 1;
/** Virtualisation for guests' own guests: its state is in no register, so that no saved machine would be complete. */
const VMX = 1 << 5, SVM = 1 << 2;
/** Paravirtual features that need the help of more than KVM: message-signalled interrupts to distant APICs, migration. */
const KVM_NOT_OURS = 1 << 15 | 1 << 17;

/** Bits of an APIC number that tell cores apart. */
function coreBits(vcpus: number): number {
  return Math.ceil(Math.log2(vcpus));
}

/** What depends on the vCPU in one entry. */
function place(entry: Entry, { vcpu, vcpus, tscDeadline }: CpuidOptions): void {
  const many = vcpus > 1;
  switch (entry.function) {
    case 0x1:
      entry.ebx = ((entry.ebx & 0xffff) | vcpu << 24 | (many ? 1 << coreBits(vcpus) : 1) << 16) >>> 0;
      entry.ecx = withBits(entry.ecx & ~(MONITOR | OSXSAVE | VMX) | HYPERVISOR, TSC_DEADLINE, tscDeadline);
      entry.edx = withBits(entry.edx, HTT, many);
      break;
    case 0x4:
    case 0x8000001d: {
      // Caches: the third level is shared by all, the others are each core's own.
      if ((entry.eax & 0x1f) === 0) break;
      const shared = (entry.eax >>> 5 & 7) >= 3 ? vcpus - 1 : 0;
      const cores = entry.function === 4 ? (1 << coreBits(vcpus)) - 1 : 0;
      entry.eax = ((entry.eax & 0x3fff) | shared << 14 | cores << 26) >>> 0;
      break;
    }
    case 0x40000001:
      entry.eax = (entry.eax & ~KVM_NOT_OURS) >>> 0;
      break;
    case 0x80000001:
      entry.ecx = withBits(entry.ecx & ~SVM, CMP_LEGACY, many);
      break;
    case 0x80000008:
      entry.ecx = ((entry.ecx & ~0xf0ff) | vcpus - 1 | coreBits(vcpus) << 12) >>> 0;
      break;
    case 0x8000001e:
      Object.assign(entry, { eax: vcpu, ebx: vcpu, ecx: 0, edx: 0 });
      break;
  }
}

function withBits(word: number, bits: number, set: boolean): number {
  return (set ? word | bits : word & ~bits) >>> 0;
}

const SIGNIFICANT_INDEX = 1;
const SMT_LEVEL = 1 << 8, CORE_LEVEL = 2 << 8;

/** The table with the extended topology leaves made anew: thread, core, and the end of the list. */
function placedTopology(table: readonly Entry[], { vcpu, vcpus }: CpuidOptions): CpuidEntry[] {
  const result = table.filter((entry) => entry.function !== 0xb && entry.function !== 0x1f);
  for (const leaf of [0xb, 0x1f]) {
    if (!table.some((entry) => entry.function === leaf)) continue;
    const levels = [[0, 1, SMT_LEVEL], [coreBits(vcpus), vcpus, CORE_LEVEL], [0, 0, 0]];
    levels.forEach(([eax, ebx, kind], index) =>
      result.push({
        function: leaf,
        index,
        flags: SIGNIFICANT_INDEX,
        eax,
        ebx,
        ecx: index | kind,
        edx: vcpu,
      })
    );
  }
  return result;
}
