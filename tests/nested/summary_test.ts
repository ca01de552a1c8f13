import { assertEquals } from "@std/assert";
import { kvmSummary } from "./summary.ts";

Deno.test("a report's tests are counted by the KVM in their names", () => {
  const junit = `<testsuite>
    <testcase name="a guest prints [hardware kvm_amd]" classname="./a.ts" time="0.1">
    </testcase>
    <testcase name="exits are values [x86_64 under hardware kvm_amd]" time="0.1"></testcase>
    <testcase name="it fails [hardware kvm_amd]" time="0.1"><failure message="no"/></testcase>
    <testcase name="arithmetic" time="0.1">
    </testcase>
    <testcase name="the counter [software kvm_pvm; needs a hardware one]" time="0">
      <skipped/>
    </testcase>
  </testsuite>`;
  assertEquals(kvmSummary(junit), "Tests by KVM: 3 on hardware kvm_amd, 1 without KVM, 1 skipped.");
});
