/**
 * `deno task bench:kvm [--here]`: measures the KVM engine, on this host where it has a hardware KVM, else in the
 * nested test bed. What is compared takes turns in one run, and medians of the pairs are compared.
 *
 * Ends with 0 when every figure was measured and is within its limit, 1 when one is not, 3 when one could not be
 * measured.
 */
import { describeKvm, probeKvm } from "../accel/kvm/probe.ts";
import { kvmObstacle } from "../accel/select.ts";
import { debianGuest } from "../fixtures/debian.ts";
import { hasCommand } from "../tests/support/guest_machines.ts";
import { bootRatio, exitRatio, kicks, medianStartMs } from "./kvm_figures.ts";
import { formatFigure, formatTable } from "./table.ts";

const RESIDENT_PROGRAM = new URL("./kvm_resident.ts", import.meta.url).href;

interface Figure {
  readonly title: string;
  readonly value: number;
  readonly unit: string;
  readonly must: number;
  readonly aim: number;
}

async function measure(): Promise<number> {
  console.log(`Measured on ${describeKvm(probeKvm())}`);
  const report = (text: string) => console.log(text);
  const exit = await exitRatio(report);
  const latencies = kicks();
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  const start = medianStartMs(report);
  const resident = await inProcessOfItsOwn();
  const boot = await bootRatio(report);
  const figures: Figure[] = [
    { title: "boot of Debian's kernel over QEMU's (microvm)", value: boot, unit: "", must: 1.3, aim: 0.8 },
    { title: "port exit round trip over that of a bare C loop", value: exit, unit: "", must: 1.3, aim: 1.05 },
    { title: "kick latency p50", value: at(0.5), unit: "µs", must: 150, aim: 60 },
    { title: "kick latency p99", value: at(0.99), unit: "µs", must: 5000, aim: 1000 },
    { title: "machine created → first exit, 512 MB", value: start, unit: "ms", must: 10, aim: 2 },
    { title: "RSS beyond guest memory, one vCPU", value: resident, unit: "MiB", must: 90, aim: 50 },
  ];
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
  const verdicts = figures.map(verdict);
  return verdicts.includes("NO") ? 1 : verdicts.includes("not measured") ? 3 : 0;
}

function verdict({ value, must, aim }: Figure): string {
  if (Number.isNaN(value)) return "not measured";
  return value <= aim ? "yes, aim too" : value <= must ? "yes" : "NO";
}

/** Resident MiB of a fresh process. */
async function inProcessOfItsOwn(): Promise<number> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", "--cached-only", RESIDENT_PROGRAM],
    stderr: "inherit",
  }).output();
  return Number(new TextDecoder().decode(stdout).trim() || "NaN");
}

async function main(): Promise<number> {
  const obstacle = await kvmObstacle();
  if (obstacle === undefined && (probeKvm().isHardware || Deno.args.includes("--here"))) {
    return await measure();
  }
  const here = obstacle ?? `What is here is a ${describeKvm(probeKvm())}.`;
  const guest = debianGuest("x86_64");
  const missing = guest === undefined
    ? "Debian's kernel (deno task fixtures --arch x86_64)"
    : hasCommand("qemu-system-x86_64")
    ? undefined
    : "qemu-system-x86_64";
  if (guest === undefined || missing !== undefined || Deno.args.includes("--here")) {
    console.error(`${here} The nested test bed needs ${missing ?? "that --here is left out"}.`);
    return 3;
  }
  console.log(`${here} Measuring in the nested test bed.`);
  return await (await import("./kvm_bed.ts")).benchInBed(guest);
}

Deno.exit(await main());
