import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { bundle } from "../../bundle.ts";

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
    const run = new Deno.Command(Deno.execPath(), { args: ["run", "--no-prompt", cli, "--version"] });
    const { code, stdout } = await run.output();
    assertEquals(code, 0);
    assertEquals(new TextDecoder().decode(stdout).split(" ")[0], "bootwright");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
