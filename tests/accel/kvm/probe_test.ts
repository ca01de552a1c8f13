import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  deniedText,
  describeKvm,
  HARDWARE_SPEED,
  obstacleOf,
  probeKvm,
  reluctance,
  whyNoDevice,
} from "../../../accel/kvm/probe.ts";
import { ERRNO } from "../../../accel/kvm/abi/table.ts";
import { KvmError } from "../../../accel/kvm/kvm_error.ts";
import { EngineUnavailableError, kvmObstacle, selectEngine } from "../../../accel/select.ts";
import { kvmTest } from "../../support/kvm.ts";

Deno.test("without a device, the reason is the processor's, the hypervisor's or a module's", () => {
  assertMatch(whyNoDevice("flags\t\t: fpu svm\n"), /load the kernel module kvm_amd/);
  assertMatch(whyNoDevice("flags\t\t: fpu vmx\n"), /load the kernel module kvm_intel/);
  assertMatch(whyNoDevice("flags\t\t: fpu hypervisor\n"), /enable nested virtualisation/);
  assertMatch(whyNoDevice("flags\t\t: fpu\n"), /firmware has switched it off/);
  assertMatch(whyNoDevice(""), /no virtualisation/);
});

Deno.test("without permission, the group that has it is named", () => {
  const groups = "root:x:0:\nkvm:x:104:someone\n";
  assertMatch(
    deniedText({ mode: 0o20660, group: 104 }, groups),
    /group kvm \(mode 660\).*usermod -aG kvm USER/,
  );
  assertMatch(deniedText({ mode: 0o20660, group: 7 }, groups), /group 7 /);
  assertMatch(deniedText({ mode: 0o20600, group: 104 }, groups), /mode 600, group kvm/);
  assertMatch(deniedText(undefined, groups), /may not be opened/);
});

Deno.test("every way in which KVM cannot work is one sentence", () => {
  const errors = [
    ...[ERRNO.ENOENT, ERRNO.EACCES, ERRNO.ENODEV, ERRNO.EMFILE].map((errno) =>
      new KvmError("opening /dev/kvm", errno)
    ),
    new KvmError("KVM_GET_API_VERSION", ERRNO.EINVAL, "It is 11, not 12."),
    new KvmError("KVM_CREATE_VM", ERRNO.ENOMEM),
    new Error("something else."),
  ];
  for (const error of errors) assertMatch(obstacleOf(error), /^\S.*\.$/);
  assertMatch(obstacleOf(errors[4]), /It is 11, not 12/);
});

Deno.test("a KVM that interprets the guest's kernel is told apart from a real one", () => {
  const findings = { obstacle: undefined, module: "kvm_pvm", ring0Speed: 0.4e6, isHardware: false };
  assertMatch(describeKvm(findings), /^software KVM \(kvm_pvm\), 0.4 million/);
  assertMatch(
    describeKvm({ ...findings, module: "kvm_amd", ring0Speed: 2e9, isHardware: true }),
    /^hardware KVM \(kvm_amd\), 2000 million/,
  );
});

Deno.test("a KVM in software is for those who ask for it by name", () => {
  const software = { obstacle: undefined, module: "kvm_pvm", ring0Speed: 0.4e6, isHardware: false };
  assertMatch(
    reluctance(software) ?? "",
    /^x86_64 guests .* is a software KVM \(kvm_pvm\), 0.4 million .* Choose the engine kvm/,
  );
  assertEquals(reluctance({ ...software, ring0Speed: 2e9, isHardware: true }), undefined);
});

kvmTest("the speed of ring 0 was measured", () => {
  const { ring0Speed, isHardware } = probeKvm();
  assert(ring0Speed > 1000);
  assertEquals(isHardware, ring0Speed >= HARDWARE_SPEED);
});

Deno.test("KVM refuses guests of other architectures", async () => {
  await assertRejects(
    () => selectEngine("kvm", { arch: "riscv64" }),
    EngineUnavailableError,
    "KVM executes guests of the host's own architecture, x86_64; for a riscv64 guest choose",
  );
});

Deno.test({
  name: "KVM without the permission for FFI is refused with its name",
  permissions: { ffi: false, read: true },
  async fn() {
    await assertRejects(
      () => selectEngine("kvm", { arch: "x86_64" }),
      EngineUnavailableError,
      "--allow-ffi",
    );
  },
});

kvmTest("a software KVM is never chosen by auto, and says so; asked for, it is there", async () => {
  if (probeKvm().isHardware) {
    assertEquals((await selectEngine("auto", { arch: "x86_64" })).notice, undefined);
  } else {
    await assertRejects(
      () => selectEngine("auto", { arch: "x86_64" }),
      EngineUnavailableError,
      "software KVM",
    );
  }
  assertEquals((await selectEngine("kvm", { arch: "x86_64" })).notice, undefined);
  assertEquals(await kvmObstacle(), undefined);
});
