/** `deno task test:kvm`: runs tests in the nested test bed (`bed.ts`). Arguments go to `deno test` in there. */
import { debianGuest } from "../../fixtures/debian.ts";
import { runBed } from "./bed.ts";

const guest = debianGuest("x86_64");
if (guest === undefined) {
  console.error("The test bed needs Debian's kernel: deno task fixtures --arch x86_64");
  Deno.exit(3);
}
const since = performance.now();
const wanted = Deno.args.length > 0 ? Deno.args : ["tests/accel/kvm"];
const { code } = await runBed({
  guest,
  args: ["test", "--allow-all", "--no-check", "--cached-only", "--no-lock", ...wanted],
  env: { BOOTWRIGHT_KVM_MACHINES: "100" },
  timeoutMs: 600_000,
  onText: (text) => Deno.stdout.writeSync(new TextEncoder().encode(text)),
});
console.log(`\nThe test bed took ${((performance.now() - since) / 1e3).toFixed(0)} s.`);
Deno.exit(code ?? 124);
