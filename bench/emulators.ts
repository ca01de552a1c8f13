/** The two sides: the command lines of Bootwright, as its users run it, and of QEMU, for the same guest. */
import { join } from "@std/path";
import { bundle } from "../bundle.ts";
import type { ArchitectureName } from "../fixtures/architectures.ts";

const ROOT = join(import.meta.dirname ?? "bench", "..");
const BUNDLE = join(ROOT, "dist", "bootwright.js");
/** What the bundle is made from. */
const SOURCES = ["core", "accel", "harness", "bundle.ts", "deno.json"];

/** A guest that both sides can run. */
export interface GuestSpec {
  readonly arch: ArchitectureName;
  readonly kernel: string;
  readonly initrd?: string;
  readonly append?: string;
  /** Texts that ours waits for, one after the other, in place of the power-off. */
  readonly expect?: readonly string[];
}

/** One side. */
export interface Emulator {
  /** As the table's heading has it. */
  readonly name: string;
  command(guest: GuestSpec): string[];
}

const MEMORY = "512M";

/** What our side is allowed. */
export const PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-read",
  "--allow-ffi",
  "--allow-sys=systemMemoryInfo",
];

const QEMU: Readonly<Record<ArchitectureName, readonly string[]>> = {
  riscv64: ["qemu-system-riscv64", "-M", "virt"],
  x86_64: ["qemu-system-x86_64", "-M", "q35"],
};

/** Bootwright's bundled command line, run by this Deno. */
export function bootwright(bundle: string): Emulator {
  return {
    name: "ours",
    command: ({ arch, kernel, initrd, append, expect = [] }) => [
      ...[Deno.execPath(), "run", ...PERMISSIONS, bundle],
      ...["run", "--arch", arch, "--kernel", kernel, "--memory", MEMORY, "--within", "1h"],
      ...(initrd === undefined ? [] : ["--initrd", initrd]),
      ...(append === undefined ? [] : ["--append", append]),
      ...expect.flatMap((text) => ["--expect", text]),
    ],
  };
}

/** QEMU. Bare-metal guests, which have no initrd, get no firmware either. */
export const qemu: Emulator = {
  name: "QEMU",
  command: ({ arch, kernel, initrd, append }) => [
    ...[...QEMU[arch], "-m", MEMORY, "-nographic", "-kernel", kernel],
    ...(initrd === undefined ? ["-bios", "none"] : ["-initrd", initrd]),
    ...(append === undefined ? [] : ["-append", append]),
  ],
};

/** What QEMU for a guest architecture says it is; undefined where there is none. */
export async function qemuVersion(arch: ArchitectureName): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command(QEMU[arch][0], { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).split("\n")[0];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The bundled command line, built when it is missing or older than its sources. */
export async function freshBundle(): Promise<string> {
  const newest = Math.max(...await Promise.all(SOURCES.map((name) => newestMs(join(ROOT, name)))));
  if (newest > await modifiedMs(BUNDLE)) await bundle(join(ROOT, "dist"));
  return BUNDLE;
}

let statistics: Promise<string> | undefined;

/** `boot_statistics.ts` as users run what it measures: bundled like the command line, by which V8 has less to do. */
export function statisticsBundle(): Promise<string> {
  return statistics ??= (async () => {
    const folder = join(ROOT, "dist", "bench");
    await bundle(folder, "bench/boot_statistics.ts", "boot_statistics");
    return join(folder, "boot_statistics.js");
  })();
}

/** When a file, or the newest of a folder's, was last modified. */
async function newestMs(path: string): Promise<number> {
  if (!(await Deno.stat(path)).isDirectory) return await modifiedMs(path);
  let newest = 0;
  for await (const { name } of Deno.readDir(path)) {
    newest = Math.max(newest, await newestMs(join(path, name)));
  }
  return newest;
}

/** 0 for a file there is not. */
async function modifiedMs(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
