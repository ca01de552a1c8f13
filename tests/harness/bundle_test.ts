import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { bundle } from "../../bundle.ts";

const HELLO = join(import.meta.dirname!, "../../fixtures/kernels/riscv64/hello.elf");

/** What a bundle must be for it to start quickly. */
Deno.test("the bundled command line works, is ASCII and imports nothing that Deno would have to load first", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { outputs } = await bundle(folder);
    const imports = Object.values(outputs).flatMap((output) => output.imports);
    assertEquals(imports.filter(({ kind, external }) => kind === "import-statement" && external), []);
    for await (const { name, isFile } of Deno.readDir(join(folder, "parts"))) {
      if (!isFile) continue;
      const text = await Deno.readTextFile(join(folder, "parts", name));
      // deno-lint-ignore no-control-regex
      assertEquals(text.match(/.{0,40}[^\x00-\x7f]/g), null, name);
    }
    const cli = join(folder, "bootwright.js");
    assertEquals((await knownTo(cli)).filter((name) => name.startsWith("npm:")), []);
    const run = new Deno.Command(Deno.execPath(), { args: ["run", "--no-prompt", cli, "--version"] });
    const { code, stdout } = await run.output();
    assertEquals(code, 0);
    assertEquals(new TextDecoder().decode(stdout).split(" ")[0], "bootwright");

    const kernel = join(folder, "hello.lz4");
    await Deno.writeFile(kernel, asLz4(await Deno.readFile(HELLO)));
    const args = ["run", "--no-prompt", "--allow-read", cli, "run", "--arch", "riscv64", "--kernel", kernel];
    const hello = await new Deno.Command(Deno.execPath(), { args }).output();
    assertEquals(new TextDecoder().decode(hello.stdout), "Hello from riscv64\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What Deno finds, in a program and in what that imports, to load before it runs. */
async function knownTo(program: string): Promise<string[]> {
  const info = new Deno.Command(Deno.execPath(), { args: ["info", "--json", program], stderr: "null" });
  const { modules } = JSON.parse(new TextDecoder().decode((await info.output()).stdout)) as {
    modules: { specifier: string }[];
  };
  return modules.map(({ specifier }) => specifier);
}

/** Bytes in lz4's legacy format, as one block of literals. */
function asLz4(bytes: Uint8Array): Uint8Array {
  const more = bytes.length - 15; // than the token counts
  const lengths = [...new Array(Math.floor(more / 255)).fill(255), more % 255];
  const block = [0xf0, ...lengths, ...bytes];
  return new Uint8Array([...littleEndian(0x184c2102), ...littleEndian(block.length), ...block]);
}

function littleEndian(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => value >>> shift & 255);
}
