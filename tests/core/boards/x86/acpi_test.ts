import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { acpiTables } from "../../../../core/boards/x86/acpi.ts";
import { ACPI_TABLES } from "../../../../core/boards/x86/address_map.ts";
import { hasTool } from "../../../fixtures/_tools.ts";

/** The tables as a guest finds them, by signature. */
function findTables(vcpus: number): Map<string, Uint8Array> {
  const image = acpiTables(vcpus);
  const view = new DataView(image.buffer);
  const tables = new Map<string, Uint8Array>();
  const table = (address: number) => {
    const at = address - ACPI_TABLES;
    const bytes = image.slice(at, at + view.getUint32(at + 4, true));
    tables.set(new TextDecoder().decode(bytes.subarray(0, 4)), bytes);
    return at;
  };
  const xsdt = table(Number(view.getBigUint64(24, true)));
  for (let at = xsdt + 36; at < xsdt + view.getUint32(xsdt + 4, true); at += 8) {
    table(Number(view.getBigUint64(at, true)));
  }
  const fadt = tables.get("FACP")!;
  const pointers = new DataView(fadt.buffer);
  table(pointers.getUint32(36, true));
  table(Number(pointers.getBigUint64(140, true)));
  return tables;
}

Deno.test("a guest that follows the pointers finds every table, whole", () => {
  for (const vcpus of [1, 8]) {
    const tables = findTables(vcpus);
    assertEquals([...tables.keys()], ["XSDT", "FACP", "APIC", "FACS", "DSDT"]);
    for (const [name, bytes] of tables) {
      if (name !== "FACS") assertEquals(bytes.reduce((sum, byte) => sum + byte & 0xff, 0), 0, name);
    }
  }
});

Deno.test("the tables stay clear of the first megabyte's end", () => {
  assert(ACPI_TABLES + acpiTables(8).length < 0x10_0000);
  assertEquals(new TextDecoder().decode(acpiTables(1).subarray(0, 8)), "RSD PTR ");
});

/** What ACPICA's disassembler makes of a table. */
async function disassemble(name: string, bytes: Uint8Array): Promise<string> {
  const dir = await Deno.makeTempDir();
  try {
    const path = join(dir, `${name}.aml`);
    await Deno.writeFile(path, bytes);
    const { code, stderr, stdout } = await new Deno.Command("iasl", { args: ["-d", path] }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assertEquals(code, 0, said);
    assertEquals(
      /error|warning|invalid|incorrect/i.exec(said.replaceAll(/^.*0 (Errors|Warnings).*$/gm, "")),
      null,
      said,
    );
    return await Deno.readTextFile(join(dir, `${name}.dsl`));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const ignore = !hasTool("iasl");
const suffix = ignore ? " (needs acpica-tools)" : "";

Deno.test({
  name: `iasl reads every table without complaint, and what it reads compiles again${suffix}`,
  ignore,
  async fn() {
    for (const [name, bytes] of findTables(4)) {
      const source = await disassemble(name, bytes);
      if (name !== "DSDT") {
        assertEquals(source.includes("Invalid"), false, source);
        continue;
      }
      for (
        const part of [
          "Name (\\_S5, Package (0x04)",
          "Device (COM1)",
          'EisaId ("PNP0501")',
          "IRQNoFlags ()\n                    {4}",
          "Device (KBD)",
          'Name (_HID, "QEMU0001")',
        ]
      ) assertStringIncludes(source, part);
      const dir = await Deno.makeTempDir();
      const path = join(dir, "DSDT.dsl");
      await Deno.writeTextFile(path, source);
      const { code, stdout } = await new Deno.Command("iasl", {
        args: ["-oa", "-p", join(dir, "again"), path],
      })
        .output();
      assertEquals(code, 0, new TextDecoder().decode(stdout));
      assertStringIncludes(new TextDecoder().decode(stdout), " 0 Errors, 0 Warnings");
      const again = await Deno.readFile(join(dir, "again.aml"));
      assertEquals(again.subarray(36), bytes.subarray(36), "the same, but for the header");
      await Deno.remove(dir, { recursive: true });
    }
  },
});
