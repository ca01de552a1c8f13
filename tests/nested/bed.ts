/**
 * A computer with hardware virtualisation, for hosts that have none: QEMU emulates an AMD processor with SVM and
 * nested paging, Debian's kernel runs on it with `kvm-amd`, and Deno runs this project in its user space. The
 * initramfs holds Deno, the shared libraries that it needs and the project's files; nothing is installed.
 */
import { join, relative } from "@std/path";
import { charDevice, type CpioEntry, directory, file, symlink, writeCpio } from "../../fixtures/cpio.ts";
import { guestsMeant } from "../../fixtures/architectures.ts";
import { type DebianGuest, debianGuest, guestDir } from "../../fixtures/debian.ts";
import { readModules } from "../../fixtures/modules.ts";

/** The project's root. */
const ROOT = join(import.meta.dirname!, "..", "..");
/** What of the project goes along. */
const FOLDERS = ["accel", "bench", "core", "fixtures", "harness", "tests"];
const FILES = ["deno.json", "deno.lock", "mod.ts"];

/**
 * The bed's kernel. Its clock ticks all the time: an emulated processor now and then misses the interrupt that wakes
 * it, and without a next tick it would sleep for a minute.
 */
const APPEND = "console=ttyS0 quiet panic=-1 mitigations=off nohz=off highres=off";

/** Where things are in there. */
const PROJECT = "project", DENO_DIR = "deno_dir";

/** What is run in there. */
export interface BedOptions {
  readonly guest: DebianGuest;
  /** Arguments of `deno`, with the project as working directory. */
  readonly args: readonly string[];
  /** More files. @default none */
  readonly entries?: readonly CpioEntry[];
  /** Environment variables. @default none */
  readonly env?: Readonly<Record<string, string>>;
}

/** The bed's script: loads KVM, runs Deno, and ends the machine with Deno's exit code. */
function initScript({ args, env = {} }: BedOptions): string {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const variables = Object.entries({ HOME: "/root", DENO_DIR: `/${DENO_DIR}`, NO_COLOR: "1", ...env });
  return `#!/bin/sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
$b mkdir -p /tmp /dev/shm /root
$b mount -t tmpfs tmpfs /tmp
$b mount -t tmpfs tmpfs /dev/shm
$b mkdir /tmp/out
$b ifconfig lo 127.0.0.1 up
while read -r module; do $b insmod "/lib/modules/$module.ko" || echo "no $module"; done </etc/modules
${variables.map(([name, value]) => `export ${name}=${quote(value)}`).join("\n")}
cd /${PROJECT}
# Through a pipe: on a terminal Deno writes lines twice.
{ /bin/deno ${args.map(quote).join(" ")} 2>&1; echo "BED-EXIT $?"; } | $b cat
for file in /tmp/out/*; do
  [ -e "$file" ] && { echo "BED-FILE \${file##*/}"; $b cat "$file"; echo "BED-END"; }
done
$b poweroff -f
`;
}

/** Makes the initramfs. */
export async function bedInitramfs(options: BedOptions): Promise<Uint8Array<ArrayBuffer>> {
  const modules = await readModules(options.guest.modules, ["irqbypass", "ccp", "kvm", "kvm_amd"]);
  const entries: CpioEntry[] = [
    charDevice("dev/console", 5, 1),
    charDevice("dev/null", 1, 3, 0o666),
    file("bin/busybox", await Deno.readFile(options.guest.busybox), 0o755),
    symlink("bin/sh", "busybox"),
    file("init", initScript(options), 0o755),
    file("etc/modules", modules.map(({ name }) => `${name}\n`).join("")),
    ...modules.map(({ name, data }) => file(`lib/modules/${name}.ko`, data)),
    ...await programFiles(Deno.execPath(), "bin/deno"),
    ...await projectFiles(),
    ...await npmPackages(),
    ...await guestFiles(options.guest),
    ...options.entries ?? [],
  ];
  // Programs share libraries.
  const once = [...new Map(entries.map((entry) => [entry.path, entry])).values()];
  return writeCpio([...folders(once), ...once]);
}

/** The folders that files are in, outermost first. */
function folders(entries: readonly CpioEntry[]): CpioEntry[] {
  const paths = new Set<string>(["dev", "proc", "sys", "tmp"]);
  for (const { path } of entries) {
    const parts = path.split("/");
    for (let i = 1; i < parts.length; i++) paths.add(parts.slice(0, i).join("/"));
  }
  return [...paths].sort().map((path) => directory(path));
}

/** A program at its place in there, its shared libraries, and what loads them, as `ldd` lists them. */
export async function programFiles(program: string, path: string): Promise<CpioEntry[]> {
  const { stdout } = await new Deno.Command("ldd", { args: [program], stderr: "null" }).output();
  const paths = [...new TextDecoder().decode(stdout).matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) =>
    path
  );
  return await Promise.all([
    Deno.readFile(program).then((bytes) => file(path, bytes, 0o755)),
    ...paths.map(async (path) => file(path.slice(1), await Deno.readFile(path), 0o755)),
  ]);
}

async function projectFiles(): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  const add = async (path: string) =>
    void entries.push(file(`${PROJECT}/${relative(ROOT, path)}`, await Deno.readFile(path)));
  const walk = async (folder: string) => {
    for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (isDirectory) await walk(path);
      else if (isFile) await add(path);
    }
  };
  for (const folder of FOLDERS) await walk(join(ROOT, folder));
  for (const name of FILES) await add(join(ROOT, name));
  return entries;
}

/** Lists of modules, and those modules that tests load into guests, however a release packs them. */
const MODULE_FILES = [
  "modules.builtin",
  "modules.order",
  ...["kernel/drivers/acpi/button.ko", "kernel/drivers/acpi/button.ko.xz"],
].map((name) => `modules/${name}`);

/** The real guests of an architecture, where `debianGuest` finds them in there. */
async function guestFiles({ arch }: DebianGuest): Promise<CpioEntry[]> {
  const names = ["manifest.json", "kernel", "initrd.cpio", "busybox", ...MODULE_FILES];
  const guests = guestsMeant(arch).filter((guest) => debianGuest(guest) !== undefined);
  const files = guests.flatMap((guest) =>
    names.map((name) => fileIfAny(`${PROJECT}/.cache/fixtures/${guest}/${name}`, join(guestDir(guest), name)))
  );
  return (await Promise.all(files)).flat();
}

async function fileIfAny(path: string, source: string): Promise<CpioEntry[]> {
  try {
    return [file(path, await Deno.readFile(source))];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The npm packages that the project imports, as Deno has them in its cache. */
async function npmPackages(): Promise<CpioEntry[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout)) as { npmCache: string };
  const { imports } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))) as {
    imports: Record<string, string>;
  };
  const names = new Set(
    Object.values(imports).map((target) => /^npm:((?:@[^/]+\/)?[^@/]+)/.exec(target)![1]),
  );
  // A bundler is not run in there, and is large.
  names.delete("esbuild");
  const entries: CpioEntry[] = [];
  const walk = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (isDirectory) await walk(path);
      else entries.push(file(`${DENO_DIR}/npm/${relative(npmCache, path)}`, await Deno.readFile(path)));
    }
  };
  for await (const registry of Deno.readDir(npmCache)) {
    const folder = join(npmCache, registry.name);
    for await (const { name } of Deno.readDir(folder)) if (names.has(name)) await walk(join(folder, name));
  }
  return entries;
}

/** How a run in the bed ended. */
export interface BedResult {
  /** Deno's exit code; undefined when it never came to an end. */
  readonly code: number | undefined;
  /** Everything that the bed's console showed. */
  readonly text: string;
  /** What was left in `/tmp/out`, by name. Text only. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * Whether a processor of the bed is stuck in its kernel, as that says on the console. No program can bring that about;
 * QEMU, which emulates the bed's processors, can: now and then an interrupt that one sends to another is lost.
 */
export function isStuck(text: string): boolean {
  return text.includes("watchdog: BUG: soft lockup");
}

/** How the bed is run. */
export interface RunOptions extends BedOptions {
  readonly timeoutMs: number;
  /** Whether it is ended when a processor is stuck: see {@linkcode isStuck}. */
  readonly endsWhenStuck?: boolean;
  /** Hears its console as it comes. */
  readonly onText?: (text: string) => void;
}

/** Runs the bed under QEMU. */
export async function runBed(options: RunOptions): Promise<BedResult> {
  const dir = await Deno.makeTempDir();
  try {
    const initrd = join(dir, "initrd.cpio");
    await Deno.writeFile(initrd, await bedInitramfs(options));
    const child = new Deno.Command("qemu-system-x86_64", {
      args: [
        ...["-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm,+npt", "-smp", "2", "-m", "3G"],
        ...["-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio"],
        ...["-kernel", options.guest.kernel, "-initrd", initrd],
        ...["-append", APPEND],
      ],
      ...{ stdin: "null", stdout: "piped", stderr: "null" },
    }).spawn();
    const watchdog = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
    let text = "", isEnded = false;
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (!text.includes("BED-EXIT")) options.onText?.(chunk);
      if (isEnded || !options.endsWhenStuck || !isStuck(text)) continue;
      isEnded = true;
      child.kill("SIGKILL");
    }
    await child.status;
    clearTimeout(watchdog);
    text = text.replaceAll("\r", "");
    const code = /^BED-EXIT (\d+)/m.exec(text)?.[1];
    const files = new Map(
      [...text.matchAll(/^BED-FILE (.*)\n([^]*?)\nBED-END$/gm)].map(([, name, contents]) => [name, contents]),
    );
    return { code: code === undefined ? undefined : Number(code), text, files };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
