/**
 * Finds out what KVM is here by using it: opens it, makes a virtual machine, lets a vCPU run in ring 0 and times
 * it. A device node proves nothing: a KVM in software (nested, without the processor's help) executes the
 * guest's user mode at full speed and interprets its kernel a thousand times slower.
 */
import { powerOnRegisters, realModeSegment } from "../../core/decoder/x86/registers.ts";
import { PAGE_SIZE } from "../../core/memory.ts";
import { fileMode, installKickHandler, readSmallFile, ThreadTimer } from "../ffi/posix.ts";
import { mappedMemory } from "../ffi/memory.ts";
import { ERRNO } from "./abi/table.ts";
import { KvmError } from "./kvm_error.ts";
import { writeRegisters } from "./registers.ts";
import { KVM_DEVICE, kvmSystem } from "./system.ts";
import { vcpuCpuid } from "./cpuid.ts";
import { KvmVcpu } from "./vcpu.ts";
import { RUN_INTERRUPTED } from "./vcpu_runner.ts";
import { KvmVm } from "./vm.ts";

/** Instructions per second in ring 0 below which a KVM is one in software. Hardware does a billion and more. */
export const HARDWARE_SPEED = 50e6;

/** What was found. */
export interface KvmFindings {
  /** Why KVM cannot be used, as a sentence; undefined when it can. */
  readonly obstacle: string | undefined;
  /** Instructions per second in ring 0; 0 where nothing ran. */
  readonly ring0Speed: number;
  /** Whether the host's processor executes the guest's kernel, too. */
  readonly isHardware: boolean;
  /** The kernel module behind it: "kvm_amd", "kvm_intel", …; undefined where it cannot be told. */
  readonly module: string | undefined;
}

let found: KvmFindings | undefined;

/** Tries KVM once per process; takes some 20 ms. Needs FFI. */
export function probeKvm(): KvmFindings {
  return found ??= tryKvm();
}

/** One line for people: what kind of KVM it is. */
export function describeKvm({ obstacle, ring0Speed, isHardware, module }: KvmFindings): string {
  if (obstacle !== undefined) return obstacle;
  const speed = `${formatMillions(ring0Speed)} million instructions/s in ring 0`;
  const by = module === undefined ? "" : ` (${module})`;
  return isHardware
    ? `hardware KVM${by}, ${speed}`
    : `software KVM${by}, ${speed}: guest kernels run a thousand times slower than on hardware`;
}

/** Why nobody shall get this KVM who has not asked for it by name, as a sentence; undefined where it is welcome. */
export function reluctance(findings: KvmFindings): string | undefined {
  if (findings.isHardware) return undefined;
  return `x86_64 guests run under KVM only for now, and what is here is a ${describeKvm(findings)}. ` +
    "Choose the engine kvm to use it all the same.";
}

function formatMillions(perSecond: number): string {
  const millions = perSecond / 1e6;
  return millions < 10 ? millions.toFixed(1) : millions.toFixed(0);
}

function tryKvm(): KvmFindings {
  const module = ["kvm_intel", "kvm_amd", "kvm_pvm"].find((name) => fileMode(`/sys/module/${name}`));
  try {
    const ring0Speed = timeRing0();
    return { obstacle: undefined, ring0Speed, isHardware: ring0Speed >= HARDWARE_SPEED, module };
  } catch (error) {
    return { obstacle: obstacleOf(error), ring0Speed: 0, isHardware: false, module };
  }
}

/** The sentence for what went wrong. */
export function obstacleOf(error: unknown): string {
  if (!(error instanceof KvmError) || !error.call.startsWith("opening")) {
    const message = error instanceof Error ? error.message : String(error);
    return `KVM is there but does not work: ${message}`;
  }
  switch (error.errno) {
    case ERRNO.ENOENT:
      return `There is no ${KVM_DEVICE}: ${whyNoDevice(readSmallFile("/proc/cpuinfo") ?? "")}`;
    case ERRNO.EACCES:
    case ERRNO.EPERM:
      return deniedText(fileMode(KVM_DEVICE), readSmallFile("/etc/group") ?? "");
    case ERRNO.ENXIO:
    case ERRNO.ENODEV:
      return `${KVM_DEVICE} is there, but no KVM behind it: load the kernel module kvm_amd or kvm_intel.`;
    default:
      return `KVM cannot be used: ${error.message}`;
  }
}

/** Why there is no device, by what the processor says. */
export function whyNoDevice(cpuinfo: string): string {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1].split(" ") ?? [];
  const module = flags.includes("svm") ? "kvm_amd" : flags.includes("vmx") ? "kvm_intel" : undefined;
  if (module) {
    return `the processor has what it needs, so load the kernel module ${module}, or pass the device into ` +
      "this container.";
  }
  return flags.includes("hypervisor")
    ? "this host is a virtual machine whose hypervisor keeps virtualisation to itself; enable nested " +
      "virtualisation there, or choose a host that has it."
    : "the processor has no virtualisation, or the firmware has switched it off.";
}

/** Who may open the device. */
export function deniedText(file: { mode: number; group: number } | undefined, groups: string): string {
  if (!file) return `${KVM_DEVICE} may not be opened by this user.`;
  const name = groups.split("\n").map((line) => line.split(":")).find(([, , id]) => id === `${file.group}`)
    ?.[0];
  const permissions = (file.mode & 0o777).toString(8);
  const group = name ?? `${file.group}`;
  return (file.mode & 0o060) === 0o060
    ? `${KVM_DEVICE} may be opened by the group ${group} (mode ${permissions}), which this user is not in: ` +
      `add the user to it ("usermod -aG ${group} USER") and log in again.`
    : `${KVM_DEVICE} may not be opened by this user (mode ${permissions}, group ${group}).`;
}

const WARM_UP_NS = 2e6, MEASURED_NS = 5e6;
/** Tries before hardware is given up: the host may do something else in the middle of one. */
const TRIES = 6;
const CODE = 0x1000, PAGE_TABLES = 0x2000, RAM_BYTES = 8 * PAGE_SIZE;

/** Counts what a loop in 64-bit mode does in some milliseconds: `1: inc rax; jmp 1b`. The best of some tries. */
function timeRing0(): number {
  using resources = new DisposableStack();
  const system = kvmSystem();
  const ram = mappedMemory.allocate(RAM_BYTES);
  resources.defer(() => ram.free());
  const vm = resources.use(new KvmVm(system));
  vm.mapMemory({ hostAddress: ram.address }, [{ base: 0, size: RAM_BYTES, offset: 0 }]);
  const vcpu = resources.use(new KvmVcpu(vm, 0));
  vcpu.setCpuid(
    vcpuCpuid(system.supportedCpuid, { model: "host", vcpu: 0, vcpus: 1, tscDeadline: false }),
  );
  new Uint8Array(ram.buffer).set([0x48, 0xff, 0xc0, 0xeb, 0xfb], CODE);
  const entries = new BigUint64Array(ram.buffer);
  // One gigabyte, mapped onto itself by one page of each level but the last.
  entries[PAGE_TABLES / 8] = BigInt(PAGE_TABLES + PAGE_SIZE) | PRESENT_WRITABLE;
  entries[PAGE_TABLES / 8 + 512] = BigInt(PAGE_TABLES + 2 * PAGE_SIZE) | PRESENT_WRITABLE;
  entries[PAGE_TABLES / 8 + 1024] = PRESENT_WRITABLE | LARGE_PAGE;
  const flat = { ...realModeSegment(8), limit: 0xffff_ffff, g: 1 };
  const registers = powerOnRegisters(0);
  writeRegisters(vcpu, {
    ...registers,
    ...{ cs: { ...flat, type: 11, l: 1 }, ds: flat, es: flat, ss: flat, fs: flat, gs: flat },
    ...{ cr0: 0x8000_0011n, cr3: BigInt(PAGE_TABLES), cr4: 0x20n, efer: 0x500n, rip: BigInt(CODE) },
  });
  installKickHandler();
  const timer = resources.use(new ThreadTimer());
  const runFor = (ns: number) => {
    timer.arm(ns);
    const since = performance.now();
    const result = vcpu.runner.run();
    timer.disarm();
    if (result !== RUN_INTERRUPTED) {
      throw new Error(`a loop of two instructions left KVM_RUN (${result}, errno ${vcpu.runner.errno}).`);
    }
    return (performance.now() - since) / 1e3;
  };
  runFor(WARM_UP_NS);
  let best = 0;
  for (let i = 0; i < TRIES && best < HARDWARE_SPEED; i++) {
    const before = vcpu.get("kvm_regs").rax as bigint;
    const seconds = runFor(MEASURED_NS);
    best = Math.max(best, 2 * Number((vcpu.get("kvm_regs").rax as bigint) - before) / seconds);
  }
  return best;
}

const PRESENT_WRITABLE = 3n, LARGE_PAGE = 0x80n;
