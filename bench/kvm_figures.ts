/** What the KVM bench measures, each figure by itself, on the KVM of this host. */
import { join } from "@std/path";
import { RemoteVcpu } from "../accel/kvm/remote_vcpu.ts";
import { installKickHandler } from "../accel/ffi/posix.ts";
import { FutexWords } from "../accel/ffi/threads.ts";
import { mappedMemory } from "../accel/ffi/memory.ts";
import { vcpuCpuid } from "../accel/kvm/cpuid.ts";
import { writeRegisters } from "../accel/kvm/registers.ts";
import { kvmSystem } from "../accel/kvm/system.ts";
import { STATUS_RUNNING } from "../accel/kvm/thread_words.ts";
import { KvmVcpu } from "../accel/kvm/vcpu.ts";
import { endSpares } from "../accel/kvm/virtual_machine.ts";
import { KvmVm } from "../accel/kvm/vm.ts";
import { BareMachine, CODE, startRegisters } from "../tests/support/x86_machine.ts";
import { bootsToMeasure } from "./kvm_boot.ts";
import { median } from "./statistics.ts";
import { formatFigure } from "./table.ts";

const EXIT_PAIRS = 5, BOOT_PAIRS = 5, KICKS = 2000, STARTS = 40;
const GUEST_BYTES = 512 << 20;
const SPIN = [0xeb, 0xfe];

/** Exits after which the engine's code is compiled as well as it will be, and those that are timed. */
const WARM_UP_EXITS = 150_000, TIMED_EXITS = 40_000;

/** Nanoseconds per port exit of `1: out 0x80, al; jmp 1b` in real mode under the engine. */
function ourExitNs(guest: BareMachine, exits: number): number {
  const entries = () => guest.engine.statistics().entries;
  const before = entries(), since = performance.now();
  while (entries() - before < exits) guest.run(20e6);
  return (performance.now() - since) * 1e6 / (entries() - before);
}

/** The C program's source, and the variable that names it where it was built beforehand. */
export const bareSource: string = new URL("./kvm_bare.c", import.meta.url).pathname;
export const BARE_VARIABLE = "BOOTWRIGHT_KVM_BARE";

/** What the C program measures. */
interface BareTimes {
  readonly exitNs: number;
  readonly startMs: number;
}

/** Runs the C program; undefined where it was not built and there is no compiler. */
async function bareProgram(dir: string): Promise<(() => Promise<BareTimes>) | undefined> {
  const built = Deno.env.get(BARE_VARIABLE), binary = built ?? join(dir, "bare");
  try {
    if (built === undefined) {
      const args = ["-O2", "-o", binary, bareSource];
      const { success } = await new Deno.Command("gcc", { args }).output();
      if (!success) return undefined;
    }
    const run = async () => {
      const { stdout } = await new Deno.Command(binary).output();
      const [exitNs, startMs] = new TextDecoder().decode(stdout).split(" ").map(Number);
      return { exitNs, startMs };
    };
    await run();
    return run;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Our port exit over that of the C program, in pairs; NaN without it. */
export async function exitRatio(report: (text: string) => void): Promise<number> {
  const dir = await Deno.makeTempDir();
  try {
    const bare = await bareProgram(dir);
    using guest = new BareMachine({ code: [0xe6, 0x80, 0xeb, 0xfc] });
    ourExitNs(guest, WARM_UP_EXITS);
    const ours: number[] = [], theirs: BareTimes[] = [], ratios: number[] = [];
    for (let i = 0; i < EXIT_PAIRS; i++) {
      ours.push(ourExitNs(guest, TIMED_EXITS));
      if (!bare) continue;
      theirs.push(await bare());
      ratios.push(ours.at(-1)! / theirs.at(-1)!.exitNs);
    }
    const theirNs = median(theirs.map(({ exitNs }) => exitNs));
    const theirMs = median(theirs.map(({ startMs }) => startMs));
    report(`port exit: ${formatFigure(median(ours))} ns under the engine, ${formatFigure(theirNs)} ns in C`);
    report(`first exit of a machine with 512 MB, its virtual machine new, in C: ${formatFigure(theirMs)} ms`);
    return median(ratios);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Our boot over QEMU's, in pairs; NaN where something is missing. */
export async function bootRatio(report: (text: string) => void): Promise<number> {
  const pair = await bootsToMeasure();
  if (typeof pair === "string") {
    report(`boot: not measured. ${pair}`);
    return NaN;
  }
  const ours: number[] = [], theirs: number[] = [], ratios: number[] = [];
  await pair();
  for (let i = 0; i < BOOT_PAIRS; i++) {
    const times = await pair();
    ours.push(times.ours);
    theirs.push(times.qemu);
    ratios.push(times.ours / times.qemu);
  }
  const seconds = (times: readonly number[]) => times.map((ms) => formatFigure(ms / 1e3)).join(", ");
  report(`boot: ${seconds(ours)} s ours, ${seconds(theirs)} s QEMU's`);
  return median(ratios);
}

/** How long it takes to stop a vCPU that spins in its thread, in µs, sorted. */
export function kicks(): number[] {
  using resources = new DisposableStack();
  const system = kvmSystem();
  const ram = mappedMemory.allocate(1 << 20);
  resources.defer(() => ram.free());
  new Uint8Array(ram.buffer).set(SPIN, CODE);
  const vm = resources.use(new KvmVm(system));
  vm.mapMemory({ hostAddress: ram.address }, [{ base: 0, size: 1 << 20, offset: 0 }]);
  const [first, second] = [0, 1].map((vcpu) => {
    const made = resources.use(new KvmVcpu(vm, vcpu));
    made.setCpuid(vcpuCpuid(system.supportedCpuid, { model: "host", vcpu, vcpus: 2, tscDeadline: false }));
    writeRegisters(made, { ...startRegisters("real", vcpu), activity: "running" });
    return made;
  });
  installKickHandler();
  const remote = resources.use(new RemoteVcpu(second, first, resources.use(new FutexWords())));
  remote.awaitStart();
  const times: number[] = [];
  for (let i = 0; i < KICKS; i++) {
    remote.resume();
    while (remote.status !== STATUS_RUNNING);
    const inKernel = performance.now() + 0.2;
    while (performance.now() < inKernel);
    const since = performance.now();
    remote.hold();
    remote.awaitHold(() => {});
    times.push((performance.now() - since) * 1e3);
  }
  return times.sort((a, b) => a - b);
}

/** From nothing to the first exit of a machine with 512 MB, in ms. */
function startMs(): number {
  const since = performance.now();
  using guest = new BareMachine({ code: [0xe6, 0xe9, ...SPIN], ramBytes: GUEST_BYTES });
  let ms = NaN;
  guest.onPrint = () => {
    ms = performance.now() - since;
    guest.machine.requestStop();
  };
  guest.run();
  return ms;
}

/** The middle of many starts, one after the other: each begins with the virtual machine of the one before. */
export function medianStartMs(report: (text: string) => void): number {
  const withNew = Array.from({ length: STARTS }, () => {
    endSpares();
    return startMs();
  });
  report(`first exit of a machine with 512 MB, its virtual machine new: ${formatFigure(median(withNew))} ms`);
  return median(Array.from({ length: STARTS }, startMs));
}
