/** Writes docs/crash-rules.md from the table of crash rules: `deno run --allow-write docs/crash_rules.ts`. */
import { join } from "@std/path";
import { CRASH_ARCHES, type CrashRule } from "../harness/faults/rule.ts";
import { CRASH_RULES } from "../harness/faults/rules.ts";

const INTRODUCTION = `<!-- deno-fmt-ignore-file -->
<!-- Made by \`deno run --allow-write docs/crash_rules.ts\` from the tables in harness/faults/rules/. -->

# Crash rules

Every wait watches the console for these. \`faults.expect\` and \`faults.policy\` take a rule's name or its
family's.

| class     | what it does                                                            |
| --------- | ----------------------------------------------------------------------- |
| \`fatal\`   | ends the wait under way, as soon as the report is whole                 |
| \`collect\` | lets the wait go on, and fails it at its end if it would have succeeded |
| \`note\`    | fails nothing; the record is in \`faults.all\`                          |
| \`ignore\`  | (by policy only) leaves no record                                       |

A line counts as the kernel's when it begins with printk's prefix (\`[   12.345678] \`), or is preceded on its
line by what a user program left unfinished. Once ten such lines have come, a line without the prefix is
somebody else's: quoting a panic is harmless. Before, and on a kernel without printk times, a line counts
that begins with a rule's words. Records that are repeated (\`dmesg\`, a log file) are known by their times.
Rules marked "any program" are for lines without a prefix too.
`;

/** The page. */
export function crashRulesPage(rules: readonly CrashRule[] = CRASH_RULES): string {
  const families = Map.groupBy(rules, ({ family }) => family);
  const sections = Array.from(families, ([name, rows]) => `\n## ${name}\n${rows.map(ruleSection).join("")}`);
  return INTRODUCTION + sections.join("");
}

function ruleSection(rule: CrashRule): string {
  const { id, summary, arches, source, example, lookalikes, except } = rule;
  const facts = [
    `\`${rule.class}\``,
    ...(arches.length < CRASH_ARCHES.length ? [`${arches.join(", ")} only`] : []),
    ...(source === "console" ? ["any program"] : []),
  ];
  const harmless = [
    ...except.map(({ expression, why }) => `- ${code(expression.source)}: ${why}`),
    ...lookalikes.map(({ line, why }) => `- ${code(line)}: ${why}`),
  ];
  return `
### ${id}

${summary} (${facts.join("; ")})

${code(example)}

Not this:

${harmless.join("\n")}
`;
}

/** Text as Markdown shows it verbatim. */
function code(text: string): string {
  const fence = text.includes("`") ? "``" : "`";
  return `${fence}${text.trim()}${fence}`;
}

if (import.meta.main) {
  Deno.writeTextFileSync(join(import.meta.dirname!, "crash-rules.md"), crashRulesPage());
}
