/**
 * Measures the KVM engine on this host: `deno task bench:kvm`. Where there is something to compare with (a bare
 * C loop on the same KVM, if there is a C compiler) the two take turns in one run, and medians of the pairs are
 * compared.
 */
import { RemoteVcpu } from "../accel/kvm/remote_vcpu.ts";
import { installKickHandler } from "../accel/ffi/posix.ts";
import { mappedMemory } from "../accel/ffi/memory.ts";
import { vcpuCpuid } from "../accel/kvm/cpuid.ts";
import { describeKvm, probeKvm } from "../accel/kvm/probe.ts";
import { writeRegisters } from "../accel/kvm/registers.ts";
import { KvmSystem } from "../accel/kvm/system.ts";
import { SHARED_BYTES, STATUS_RUNNING } from "../accel/kvm/thread_words.ts";
import { KvmVcpu } from "../accel/kvm/vcpu.ts";
import { KvmVm } from "../accel/kvm/vm.ts";
import { kvmObstacle } from "../accel/select.ts";
import { BareMachine, CODE, startRegisters } from "../tests/support/x86_machine.ts";
import { median } from "./statistics.ts";
import { formatFigure, formatTable } from "./table.ts";

const PAIRS = 7, KICKS = 2000, STARTS = 40;
const GUEST_BYTES = 512 << 20;
const SPIN = [0xeb, 0xfe];

interface Figure {
  readonly title: string;
  readonly value: number;
  readonly unit: string;
  readonly must: number;
  readonly aim: number;
}

/** Nanoseconds per port exit of `1: out 0x80, al; jmp 1b` in real mode under the engine. */
function ourExitNs(guest: BareMachine): number {
  const before = guest.engine.statistics().entries;
  const since = performance.now();
  guest.run(200e6);
  return (performance.now() - since) * 1e6 / (guest.engine.statistics().entries - before);
}

/** Builds the C loop; undefined without a compiler. */
async function bareLoop(dir: string): Promise<(() => Promise<number>) | undefined> {
  const source = new URL("./kvm_exit_loop.c", import.meta.url).pathname, binary = `${dir}/loop`;
  try {
    const { success } = await new Deno.Command("gcc", { args: ["-O2", "-o", binary, source] }).output();
    if (!success) return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return async () => Number(new TextDecoder().decode((await new Deno.Command(binary).output()).stdout));
}

async function exitFigure(): Promise<Figure> {
  const dir = await Deno.makeTempDir();
  try {
    const bare = await bareLoop(dir);
    using guest = new BareMachine({ code: [0xe6, 0x80, 0xeb, 0xfc] });
    ourExitNs(guest);
    const ours: number[] = [], ratios: number[] = [];
    for (let i = 0; i < PAIRS; i++) {
      const our = ourExitNs(guest);
      ours.push(our);
      if (bare) ratios.push(our / await bare());
    }
    console.log(`port exit: ${formatFigure(median(ours))} ns under the engine`);
    const title = "port exit round trip over that of a bare C loop";
    return { title, value: median(ratios), unit: "", must: 1.3, aim: 1.05 };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** How long it takes to stop a vCPU that spins in its thread, in µs, sorted. */
function kicks(): number[] {
  using resources = new DisposableStack();
  const system = resources.use(new KvmSystem());
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
  const remote = resources.use(new RemoteVcpu(second, first, new SharedArrayBuffer(SHARED_BYTES)));
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

/** Resident MiB of a process of its own with one machine that runs, without the guest's memory. */
async function residentMib(): Promise<number> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", import.meta.url, "--rss"],
  }).output();
  return Number(new TextDecoder().decode(stdout));
}

function printResidentMib(): void {
  using guest = new BareMachine({ code: [0xe6, 0xe9, ...SPIN], ramBytes: GUEST_BYTES });
  guest.run(100e6);
  const { hostAddress } = guest.machine.ram;
  const smaps = Deno.readTextFileSync("/proc/self/smaps").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = smaps.find((map) => {
    const [from, to] = map.split(" ", 1)[0].split("-").map((word) => parseInt(word, 16));
    return from <= hostAddress && hostAddress < to;
  });
  const guestKib = Number(/^Rss:\s+(\d+)/m.exec(own ?? "")?.[1] ?? 0);
  console.log(Deno.memoryUsage().rss / 2 ** 20 - guestKib / 1024);
}

async function main(): Promise<void> {
  const obstacle = await kvmObstacle();
  if (obstacle !== undefined) {
    console.error(obstacle);
    Deno.exit(3);
  }
  console.log(`Measured on ${describeKvm(probeKvm())}`);
  const exit = await exitFigure();
  const latencies = kicks();
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  const starts = Array.from({ length: STARTS }, startMs);
  const figures: Figure[] = [
    exit,
    { title: "kick latency p50", value: at(0.5), unit: "µs", must: 150, aim: 60 },
    { title: "kick latency p99", value: at(0.99), unit: "µs", must: 5000, aim: 1000 },
    { title: "machine created → first exit, 512 MB", value: median(starts), unit: "ms", must: 10, aim: 2 },
    {
      title: "RSS beyond guest memory, one vCPU",
      value: await residentMib(),
      unit: "MiB",
      must: 90,
      aim: 50,
    },
  ];
  const verdict = ({ value, must, aim }: Figure) =>
    Number.isNaN(value) ? "-" : value <= aim ? "yes, aim too" : value <= must ? "yes" : "NO";
  console.log(formatTable(
    ["figure", "value", "must", "aim", "pass?"],
    figures.map((figure) => [
      figure.title,
      `${formatFigure(figure.value)} ${figure.unit}`.trim(),
      `≤ ${figure.must}`,
      `≤ ${figure.aim}`,
      verdict(figure),
    ]),
  ));
}

if (Deno.args.includes("--rss")) printResidentMib();
else await main();
