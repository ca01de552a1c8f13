/**
 * Runs every example of README.md and docs/: `ts` blocks as tests, `sh` lines as commands, `gdb` blocks as what is said
 * to gdb while the command before them waits for it, and of `yaml` blocks the commands that run Deno. A `ts` block
 * whose first line is a comment with a file's name is that file for them.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { debianGuest } from "../fixtures/debian.ts";
import { kernelsDir } from "../fixtures/kernels.ts";
import { hasKvm } from "./support/kvm.ts";
import { hasCommand } from "./support/guest_machines.ts";

const ROOT = join(import.meta.dirname!, "..");
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-ffi", "--allow-sys=systemMemoryInfo"];
const GDB = "gdb-multiarch";
/** What examples with gdb are granted besides. */
const GDB_PERMISSIONS = ["--allow-net=127.0.0.1", `--allow-run=${GDB}`];
const hasGdb = hasCommand(GDB);
const debian = debianGuest("riscv64");

interface Example {
  name: string;
  language: string;
  code: string;
}

const pages = ["README.md", ...Array.from(Deno.readDirSync(join(ROOT, "docs")), ({ name }) => `docs/${name}`)]
  .filter((name) => name.endsWith(".md")).sort();
const examples = pages.flatMap((page) => examplesOf(page));

function examplesOf(page: string): Example[] {
  const text = Deno.readTextFileSync(join(ROOT, page));
  return Array.from(text.matchAll(/^```(\w+)\n([^]*?)^```$/gm), ([, language, code], i) => {
    const title = /Deno\.test\("([^"]+)"/.exec(code)?.[1] ?? `${language} example ${i + 1}`;
    return { name: `${page}: ${title}`, language, code };
  });
}

/** Makes a folder with the files that the examples name, and the examples themselves; returns it. */
function exampleFolder(): string {
  const folder = Deno.makeTempDirSync({ prefix: "bootwright-docs-" });
  for (const { name } of Deno.readDirSync(kernelsDir("riscv64"))) {
    if (name.endsWith(".elf")) Deno.copyFileSync(join(kernelsDir("riscv64"), name), join(folder, name));
  }
  Deno.symlinkSync(kernelsDir("x86_64"), join(folder, "x86_64"));
  if (debian) {
    Deno.symlinkSync(debian.kernel, join(folder, "Image"));
    Deno.symlinkSync(debian.initrd, join(folder, "rootfs.cpio"));
  }
  examples.forEach(({ language, code }, i) => {
    if (language !== "ts") return;
    const source = code.replaceAll("@bootwright/bootwright", join(ROOT, "mod.ts"));
    Deno.writeTextFileSync(join(folder, `${i}_test.ts`), source);
    const name = /^\/\/ (\w+\.ts)\n/.exec(code)?.[1];
    if (name) Deno.writeTextFileSync(join(folder, name), source);
  });
  return folder;
}

async function deno(args: string[], cwd: string): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, `${args.join(" ")}\n${text(stdout)}\n${text(stderr)}`);
}

/** Runs a command line that waits for gdb, and gdb with a script. Both must succeed. */
async function debugged(args: string[], script: string, cwd: string): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", ...PERMISSIONS, ...GDB_PERMISSIONS, join(ROOT, "harness/cli.ts"), ...args],
    cwd,
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const stderr = command.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let text = "", where: string | undefined;
  while (!where) {
    const { value, done } = await stderr.read();
    if (done) throw new Error(text);
    where = /target remote (\S+:\d+)\n/.exec(text += value)?.[1];
  }
  const path = join(cwd, "script.gdb");
  Deno.writeTextFileSync(path, script.replaceAll(":1234", where));
  const gdb = await new Deno.Command(GDB, { args: ["-nx", "-batch", "-x", path], cwd }).output();
  for (let chunk; !(chunk = await stderr.read()).done;) text += chunk.value;
  assertEquals(
    [gdb.code, (await command.status).code],
    [0, 0],
    `${text}\n${new TextDecoder().decode(gdb.stderr)}`,
  );
}

/** The words of a command line, quotes undone, continued lines joined. */
function commands(code: string): string[][] {
  const lines = code.replaceAll("\\\n", " ").split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) =>
    Array.from(line.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, word]) => quoted ?? word)
  );
}

Deno.test("every page has examples, and their languages are known", () => {
  assert(examples.length > 8);
  for (const { name, language } of examples) assert(["ts", "sh", "gdb", "yaml"].includes(language), name);
});

const CONFIG = ["--config", join(ROOT, "deno.json")];
let folder: string;
Deno.test.beforeAll(() => void (folder = exampleFolder()));
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

Deno.test("the examples type-check", async () => {
  await deno(["check", ...CONFIG, "."], folder);
});

examples.forEach(({ name, language, code }, i) => {
  if (language === "gdb") return;
  const needsLinux = code.includes(`"Image"`) || code.includes(" Image");
  const needsKvm = code.includes(`"x86_64"`);
  const needsGdb = code.includes("gdb");
  const missing = needsLinux && !debian
    ? 'needs "deno task fixtures"'
    : needsKvm && !hasKvm
    ? "needs KVM"
    : needsGdb && !hasGdb
    ? `needs ${GDB}`
    : undefined;
  const permissions = needsGdb ? [...PERMISSIONS, ...GDB_PERMISSIONS] : PERMISSIONS;
  Deno.test({
    name: missing ? `${name} (${missing})` : name,
    ignore: missing !== undefined,
    fn: async () => {
      if (language === "ts") {
        await deno(["test", "--no-check", ...CONFIG, ...permissions, `${i}_test.ts`], folder);
        return;
      }
      if (language === "yaml") {
        const lines = Array.from(code.matchAll(/- (?:run: )?npx --yes deno@[\d.]+ test (.*)$/gm));
        assert(lines.length > 0, "there is no command in it");
        for (const [, args] of lines) {
          await deno(["test", "--no-check", ...CONFIG, ...commands(args)[0]], folder);
        }
        return;
      }
      for (const [program, ...args] of commands(code)) {
        assertEquals(program, "bootwright");
        if (args.includes("--gdb")) {
          await debugged(args.with(args.indexOf("--gdb") + 1, "0"), examples[i + 1].code, folder);
        } else await deno(["run", ...PERMISSIONS, join(ROOT, "harness/cli.ts"), ...args], folder);
      }
    },
  });
});
