/**
 * `deno task test:kvm [--junit-path=FILE] [FILE…]`: runs tests in the nested test bed (`bed.ts`), by default those
 * of the KVM engine and of the harness under it. Ends with 0 (passed), 1 (failed), 3 (something is missing here) or 124 (took too long).
 */
import { debianGuest } from "../../fixtures/debian.ts";
import { hasCommand } from "../support/guest_machines.ts";
import { type BedResult, isStuck, runBed } from "./bed.ts";
import { kvmSummary } from "./summary.ts";

const TIMEOUT_MS = 30 * 60_000;
/** So often is the bed begun anew when it gets stuck. */
const MOST_RUNS = 3;
const DEFAULT_TESTS = [
  ...["tests/accel/kvm", "tests/harness/shared", "tests/harness/x86_64_test.ts"],
  ...["tests/harness/x86_64_debian_test.ts", "tests/harness/x86_64_cli_test.ts"],
];

const guest = debianGuest("x86_64");
if (guest === undefined || !hasCommand("qemu-system-x86_64")) {
  console.error(
    guest
      ? "The test bed needs qemu-system-x86_64."
      : "The test bed needs Debian's kernel: deno task fixtures --arch x86_64",
  );
  Deno.exit(3);
}
const junit = Deno.args.find((arg) => arg.startsWith("--junit-path="))?.slice("--junit-path=".length);
const tests = Deno.args.filter((arg) => !arg.startsWith("--junit-path="));
const since = performance.now();
const args = [
  ...["test", "--allow-all", "--no-check", "--cached-only", "--no-lock", "--junit-path=/tmp/out/junit.xml"],
  ...(tests.length > 0 ? tests : DEFAULT_TESTS),
];

async function run(endsWhenStuck: boolean): Promise<BedResult> {
  return await runBed({
    guest: guest!,
    args,
    env: { BOOTWRIGHT_KVM_BED: "1", BOOTWRIGHT_ENGINES: "kvm" },
    timeoutMs: TIMEOUT_MS,
    endsWhenStuck,
    onText: (text) => Deno.stdout.writeSync(new TextEncoder().encode(text)),
  });
}

let result: BedResult;
for (let runs = 1;; runs++) {
  result = await run(runs < MOST_RUNS);
  if (runs === MOST_RUNS || result.code !== undefined || !isStuck(result.text)) break;
  console.log(
    "\nA processor of the test bed, which QEMU emulates, got stuck in its kernel. The bed begins anew.",
  );
}
const { code, files } = result;
const report = files.get("junit.xml");
if (junit !== undefined && report !== undefined) await Deno.writeTextFile(junit, report);
console.log(`\n${kvmSummary(report ?? "")}`);
console.log(`The test bed took ${((performance.now() - since) / 1e3).toFixed(0)} s.`);
Deno.exit(code ?? 124);
