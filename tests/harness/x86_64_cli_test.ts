/** The command line with x86_64 machines: what runs, and the exit codes of what cannot. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { CPU_MODELS, vcpuCpuid } from "../../accel/kvm/cpuid.ts";
import { kvmSystem } from "../../accel/kvm/system.ts";
import { kernelPath } from "../../fixtures/kernels.ts";
import { kvmTest } from "../support/kvm.ts";
import { noise } from "../core/boot/images.ts";
import { buildBzImage } from "../core/boot/x86/images.ts";

const CLI = join(import.meta.dirname!, "..", "..", "harness", "cli.ts");
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-ffi", "--allow-sys=systemMemoryInfo"];
/** The nested test bed has no network, and of the npm packages only those that are imported. */
const OFFLINE = Deno.env.has("BOOTWRIGHT_KVM_BED") ? ["--no-lock", "--cached-only"] : [];
const PC = ["--arch", "x86_64", "--engine", "kvm", "--memory", "16M"];

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...OFFLINE, ...PERMISSIONS, CLI, "run", ...args],
  });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

kvmTest("the command line runs a PC's guests", async () => {
  const hello = await run(...PC, "--kernel", kernelPath("hello", "x86_64"));
  assertEquals([hello.code, hello.stdout], [0, "Hello from x86_64\n"]);
  const real = await run(...PC, "--kernel", kernelPath("real", "x86_64"), "--cpu-mode", "real");
  assertEquals([real.code, real.stdout], [1, "Hello from real mode\n"]);
  assertStringIncludes(real.stderr, "the guest ended with code 16");
  assertStringIncludes(real.stderr, "--cpu-mode real");
});

/** Writes an image and gives its path. */
async function image(bytes: Uint8Array): Promise<string> {
  const path = await Deno.makeTempFile({ prefix: "bootwright-" });
  await Deno.writeFile(path, bytes);
  return path;
}

/** A CPU model that this host has not; none where it has all. */
function lackingModels(): string[] {
  const system = kvmSystem();
  return CPU_MODELS.filter((model) => {
    try {
      vcpuCpuid(system.supportedCpuid, { model, vcpu: 0, vcpus: 1, tscDeadline: false });
      return false;
    } catch {
      return true;
    }
  }).slice(0, 1);
}

kvmTest("bad input is exit code 2 and a sentence, what the host lacks is 3", async () => {
  const hello = kernelPath("hello", "x86_64");
  const narrow = await image(buildBzImage({ payload: noise(100), xloadflags: 0 }));
  const lacking = lackingModels();
  const unknown = await image(buildBzImage({ payload: noise(100) }));
  const cases: readonly (readonly [number, string, readonly string[]])[] = [
    [2, "32-bit x86 kernel", [...PC, "--kernel", narrow]],
    [2, "compressed by an unknown method", [...PC, "--kernel", unknown]],
    [2, "riscv64, and this machine is x86_64", [...PC, "--kernel", kernelPath("hello")]],
    [2, "Did you mean long?", [...PC, "--kernel", hello, "--cpu-mode", "lon"]],
    [2, "leave cpuMode out", [...PC, "--kernel", hello, "--cpu-mode", "long"]],
    [2, "There is no cpuModel", [...PC, "--kernel", hello, "--cpu-model", "pentium"]],
    [2, "here it is called x86_64", ["--arch", "amd64", "--kernel", hello]],
    [2, "1 to 8 vCPUs", [...PC, "--kernel", hello, "--cpus", "16"]],
    [3, "x86_64 guests run under KVM only", ["--arch", "x86_64", "--engine", "dbt", "--kernel", hello]],
    ...lacking.map((model) => [3, "it lacks", [...PC, "--kernel", hello, "--cpu-model", model]] as const),
  ];
  try {
    for (const [code, message, args] of cases) {
      const ended = await run(...args);
      assertEquals(ended.code, code, ended.stderr);
      assertStringIncludes(ended.stderr, message);
      assertEquals(ended.stderr.trim().split("\n").length, 1, ended.stderr);
    }
  } finally {
    for (const path of [narrow, unknown]) await Deno.remove(path);
  }
});
