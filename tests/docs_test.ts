/** Runs every example of README.md and docs/: `ts` blocks as tests, `sh` lines as commands. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { debianGuest } from "../fixtures/debian.ts";
import { KERNELS_DIR } from "../fixtures/kernels.ts";

const ROOT = join(import.meta.dirname!, "..");
const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-ffi", "--allow-sys=systemMemoryInfo"];
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
  for (const { name } of Deno.readDirSync(KERNELS_DIR)) {
    if (name.endsWith(".elf")) Deno.copyFileSync(join(KERNELS_DIR, name), join(folder, name));
  }
  if (debian) {
    Deno.symlinkSync(debian.kernel, join(folder, "Image"));
    Deno.symlinkSync(debian.initrd, join(folder, "rootfs.cpio"));
  }
  examples.forEach(({ language, code }, i) => {
    if (language !== "ts") return;
    const source = code.replaceAll("@bootwright/bootwright", join(ROOT, "mod.ts"));
    Deno.writeTextFileSync(join(folder, `${i}_test.ts`), source);
  });
  return folder;
}

async function deno(args: string[], cwd: string): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(code, 0, `${args.join(" ")}\n${text(stdout)}\n${text(stderr)}`);
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
  for (const { name, language } of examples) assert(["ts", "sh"].includes(language), name);
});

const CONFIG = ["--config", join(ROOT, "deno.json")];
let folder: string;
Deno.test.beforeAll(() => void (folder = exampleFolder()));
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

Deno.test("the examples type-check", async () => {
  await deno(["check", ...CONFIG, "."], folder);
});

examples.forEach(({ name, language, code }, i) => {
  const needsLinux = code.includes(`"Image"`) || code.includes(" Image");
  Deno.test({
    name: needsLinux && !debian ? `${name} (needs "deno task fixtures")` : name,
    ignore: needsLinux && !debian,
    fn: async () => {
      if (language === "ts") {
        await deno(["test", "--no-check", ...CONFIG, ...PERMISSIONS, `${i}_test.ts`], folder);
        return;
      }
      for (const [program, ...args] of commands(code)) {
        assertEquals(program, "bootwright");
        await deno(["run", ...PERMISSIONS, join(ROOT, "harness/cli.ts"), ...args], folder);
      }
    },
  });
});
