/** The thread of a vCPU, where there need be no KVM: what it does when KVM_RUN fails, and that it ends. */
import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../../accel/kvm/abi/table.ts";
import { RemoteVcpu } from "../../../accel/kvm/remote_vcpu.ts";
import { ATTENTION, STATUS_FAILED, STATUS_HOLDING } from "../../../accel/kvm/thread_words.ts";
import type { KvmVcpu } from "../../../accel/kvm/vcpu.ts";
import { VcpuRunner } from "../../../accel/kvm/vcpu_runner.ts";
import { PAGE_SIZE } from "../../../core/memory.ts";
import { mappedMemory } from "../../../accel/ffi/memory.ts";
import { installKickHandler } from "../../../accel/ffi/posix.ts";
import { FutexWords } from "../../../accel/ffi/threads.ts";
import { canTranslate } from "../../support/guest_machines.ts";

const NO_DESCRIPTOR = -1;
const MACHINES = 50;

/** A vCPU that is none, in its thread. */
function started(resources: DisposableStack) {
  installKickHandler();
  const pages = mappedMemory.allocate(PAGE_SIZE);
  resources.defer(() => pages.free());
  const run = { runAddress: pages.address };
  const runner = new VcpuRunner(NO_DESCRIPTOR, new Uint8Array(pages.buffer));
  const shared = resources.use(new FutexWords());
  const vcpu = { index: 1, descriptor: NO_DESCRIPTOR, runner, ...run } as unknown as KvmVcpu;
  const remote = resources.use(new RemoteVcpu(vcpu, run, shared));
  remote.awaitStart();
  return { remote, shared };
}

const threads = () => [...Deno.readDirSync("/proc/self/task")].length;

Deno.test({
  name: "a vCPU's thread holds until it is told to run, and tells why it cannot",
  ignore: !canTranslate,
  fn() {
    using resources = new DisposableStack();
    const { remote, shared } = started(resources);
    assertEquals([remote.status, shared.words[ATTENTION]], [STATUS_HOLDING, 0]);
    remote.resume();
    const deadline = performance.now() + 10_000;
    while (remote.status !== STATUS_FAILED && performance.now() < deadline);
    assertEquals([remote.status, remote.errno], [STATUS_FAILED, ERRNO.EBADF]);
  },
});

Deno.test({
  name: "threads of vCPUs are gone when they were ended, whether they hold or have failed",
  ignore: !canTranslate,
  fn() {
    const before = threads();
    for (let i = 0; i < MACHINES; i++) {
      using resources = new DisposableStack();
      const { remote } = started(resources);
      if (i % 2) remote.resume();
    }
    // Deno itself starts a thread now and then, or ends one.
    const after = threads();
    assert(after < before + MACHINES / 2, `${before} threads became ${after}`);
  },
});
