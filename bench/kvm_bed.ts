/**
 * Runs the KVM bench in the nested test bed (`tests/nested/bed.ts`): with QEMU and the C program beside what the
 * tests need.
 */
import { join } from "@std/path";
import { type CpioEntry, file } from "../fixtures/cpio.ts";
import type { DebianGuest } from "../fixtures/debian.ts";
import { programFiles, runBed } from "../tests/nested/bed.ts";
import { BARE_VARIABLE, bareSource } from "./kvm_figures.ts";

const TIMEOUT_MS = 30 * 60_000;
const BARE = "bin/kvm_bare";
/** What QEMU's `microvm` loads. */
const FIRMWARE = ["bios-microvm.bin", "linuxboot_dma.bin", "kvmvapic.bin"];

/** Runs it; gives the exit code. */
export async function benchInBed(guest: DebianGuest): Promise<number> {
  const { code } = await runBed({
    guest,
    args: ["run", "--allow-all", "--no-check", "--cached-only", "--no-lock", "bench/kvm.ts", "--here"],
    env: { BOOTWRIGHT_KVM_BED: "1", PATH: "/bin:/usr/bin", [BARE_VARIABLE]: `/${BARE}` },
    entries: [...await qemuFiles(), ...await bareFile()],
    timeoutMs: TIMEOUT_MS,
    onText: (text) => Deno.stdout.writeSync(new TextEncoder().encode(text)),
  });
  return code ?? 124;
}

async function output(program: string, ...args: string[]): Promise<string> {
  return new TextDecoder().decode((await new Deno.Command(program, { args }).output()).stdout);
}

async function qemuFiles(): Promise<CpioEntry[]> {
  const program = (await output("sh", "-c", "command -v qemu-system-x86_64")).trim();
  const folders = (await output(program, "-L", "help")).trim().split("\n");
  const firmware = FIRMWARE.map(async (name) => {
    for (const folder of folders) {
      try {
        return [file(`${folders[0].slice(1)}/${name}`, await Deno.readFile(join(folder, name)))];
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return [];
  });
  return [...await programFiles(program, "bin/qemu-system-x86_64"), ...(await Promise.all(firmware)).flat()];
}

/** The C program without libraries; nothing where there is no compiler. */
async function bareFile(): Promise<CpioEntry[]> {
  const dir = await Deno.makeTempDir();
  try {
    const binary = join(dir, "bare");
    const args = ["-O2", "-static", "-o", binary, bareSource];
    const { success } = await new Deno.Command("gcc", { args }).output();
    return success ? [file(BARE, await Deno.readFile(binary), 0o755)] : [];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
