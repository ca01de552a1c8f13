/** Tests that need `/dev/kvm`: skipped by name where there is none, and named after the KVM they ran on. */
import { kvmObstacle } from "../../accel/select.ts";
import { probeKvm } from "../../accel/kvm/probe.ts";
import { kvmSystem } from "../../accel/kvm/system.ts";

const obstacle = await kvmObstacle();

// With the first virtual machine and after the last one the host's kernel patches its own scheduler. In the nested
// test bed the emulator now and then gets that wrong on two processors, and the bed's kernel dies. One that stays
// until the end keeps it from patching.
if (obstacle === undefined && Deno.env.has("BOOTWRIGHT_KVM_BED")) kvmSystem().createVm();

/** Which KVM the tests run on. */
export const KVM_NAME: string = obstacle === undefined
  ? `${probeKvm().isHardware ? "hardware" : "software"} ${probeKvm().module ?? "KVM"}`
  : "no KVM here";

/** Whether KVM can be used here. */
export const hasKvm: boolean = obstacle === undefined;

/** A test of the engine. */
export function kvmTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name: `${name} [${KVM_NAME}]`, ignore: !hasKvm, fn });
}

/** Whether it is the processor's own virtualisation. */
export const hasHardwareKvm: boolean = hasKvm && probeKvm().isHardware;

/** A test of what only the processor's own virtualisation can do. */
export function hardwareKvmTest(name: string, fn: () => void | Promise<void>): void {
  const ignore = !hasHardwareKvm;
  Deno.test({ name: `${name} [${KVM_NAME}${ignore ? "; needs a hardware one" : ""}]`, ignore, fn });
}
