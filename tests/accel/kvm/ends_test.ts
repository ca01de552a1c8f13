/** However a machine ends, nothing of it stays: no descriptor, no thread, no mapping, no vCPU that runs on. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { CpuModelError } from "../../../accel/kvm/cpuid.ts";
import { hasKvm, KVM_NAME, kvmTest } from "../../support/kvm.ts";
import { BareMachine, startRegisters } from "../../support/x86_machine.ts";

const MACHINES = 1000;

/** What this process holds, as Linux counts it. */
function holdings() {
  const descriptors = [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`/proc/self/fd/${name}`)];
    } catch {
      return []; // the folder's own
    }
  });
  const maps = Deno.readTextFileSync("/proc/self/maps").trim().split("\n");
  return {
    descriptors: descriptors.length,
    threads: [...Deno.readDirSync("/proc/self/task")].length,
    mappings: maps.length,
    /** Descriptors of KVM, its machines and vCPUs, and the memory that is shared with vCPUs. */
    kvm: [...descriptors, ...maps].filter((line) => line.includes("kvm")).length,
  };
}

/**
 * Whether nothing of many machines is left. Deno itself starts a thread now and then and gives its memory back as
 * it likes, far fewer than there were machines.
 */
function assertNothingLeft(before: ReturnType<typeof holdings>, after: ReturnType<typeof holdings>): void {
  const text = JSON.stringify({ before, after });
  assertEquals(after.kvm, before.kvm, text);
  assert(after.descriptors <= before.descriptors + 8, text);
  assert(after.threads <= before.threads + 4, text);
  assert(after.mappings <= before.mappings + MACHINES / 2, text);
}

/** out 0xe9, al; 1: jmp 1b */
const CODE = [0xe6, 0xe9, 0xeb, 0xfe];

function firstExit(guest: BareMachine): void {
  guest.onPrint = () => guest.machine.requestStop();
  guest.run();
  assertEquals(guest.printed.length, 1);
}

kvmTest(`${MACHINES.toLocaleString("en")} machines leave no descriptor, thread or mapping`, async () => {
  const one = () => {
    using guest = new BareMachine({ code: CODE });
    firstExit(guest);
  };
  for (let i = 0; i < 20; i++) one();
  const before = holdings();
  for (let i = 0; i < MACHINES; i++) {
    one();
    // As in a test suite: the event loop turns between machines.
    if (i % 10 === 0) await new Promise((resolve) => setTimeout(resolve));
  }
  assertNothingLeft(before, holdings());
});

kvmTest("machines with several vCPUs take their threads with them", () => {
  const one = () => {
    using guest = new BareMachine({ code: CODE, vcpus: 3 });
    firstExit(guest);
  };
  // From the second on, a machine leaves its virtual machine to the next.
  for (let i = 0; i < 3; i++) one();
  const before = holdings();
  for (let i = 0; i < MACHINES / 10; i++) one();
  assertNothingLeft(before, holdings());
});

kvmTest("a machine that cannot be made leaves nothing", () => {
  const before = holdings();
  for (let i = 0; i < 20; i++) {
    assertThrows(
      () => new BareMachine({ code: CODE, cpuModel: "not a model" as never, vcpus: 2 }),
      CpuModelError,
    );
  }
  assertEquals(holdings().kvm, before.kvm);
});

kvmTest("an exception while the guest runs ends the machine with its scope", () => {
  const before = holdings();
  assertThrows(
    () => {
      using guest = new BareMachine({ code: CODE, vcpus: 2 });
      guest.vcpus[1].holder.powerOn({ ...startRegisters("real", 1), activity: "running" });
      guest.onPrint = () => {
        throw new Error("a device's mistake");
      };
      guest.run();
    },
    Error,
    "a device's mistake",
  );
  assertEquals(holdings().kvm, before.kvm);
});

/** A program of its own with a machine of two vCPUs that spin; prints "spinning" and goes on until it is ended. */
async function spinning(program: string): Promise<Deno.ChildProcess & { text(): string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-check", new URL(`./_${program}.ts`, import.meta.url).href],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  const rest = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
    }
  })();
  return Object.assign(child, { text: () => text, rest });
}

/** A test of a whole process: its pipes are not the test's to count. */
function processTest(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: `${name} [${KVM_NAME}]`,
    ignore: !hasKvm,
    sanitizeOps: false,
    sanitizeResources: false,
    fn,
  });
}

processTest("Ctrl-C ends a process whose vCPUs spin", async () => {
  const child = await spinning("spinning_machine");
  assertEquals(child.text(), "spinning\n");
  const since = performance.now();
  child.kill("SIGINT");
  const { signal } = await child.status;
  assertEquals(signal, "SIGINT");
  assert(performance.now() - since < 2000);
});

processTest("a terminated worker's vCPUs run no more", async () => {
  const child = await spinning("terminated_worker");
  const { code } = await child.status;
  assertEquals([child.text(), code], ["spinning\nended\n", 0]);
});

processTest(
  "a test that is over its time fails, and its machine's vCPUs do not keep the process",
  async () => {
    const program = new URL("./_timed_out.ts", import.meta.url).pathname;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--allow-all", "--no-check", program],
      env: { NO_COLOR: "1" },
      signal: AbortSignal.timeout(120_000),
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(code, 1, text);
    assertStringIncludes(text, "timed out");
    assertStringIncludes(text, "0 passed | 1 failed");
  },
);
