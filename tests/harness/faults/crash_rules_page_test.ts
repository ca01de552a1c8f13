import { assertEquals, assertStringIncludes } from "@std/assert";
import { crashRulesPage } from "../../../docs/crash_rules.ts";
import { CRASH_RULES } from "../../../harness/faults/rules.ts";

Deno.test("docs/crash-rules.md is what the rules give", () => {
  const page = Deno.readTextFileSync(new URL("../../../docs/crash-rules.md", import.meta.url));
  assertEquals(page, crashRulesPage(), "run: deno run --allow-write docs/crash_rules.ts");
  for (const { id } of CRASH_RULES) assertStringIncludes(page, `### ${id}\n`);
});
