/**
 * The log fixtures in `logs/<arch>/<family>.log`: shortened reports as the kernels of each architecture print
 * them. A section begins with `=== <rules> | <title>`: the faults that it must give, in their order, and the
 * first one's title.
 */
import { join } from "@std/path";
import type { CrashArch } from "../../../harness/faults/rule.ts";
import { CRASH_ARCHES } from "../../../harness/faults/rule.ts";

/** One report. */
export interface LogFixture {
  arch: CrashArch;
  family: string;
  rules: string[];
  title: string;
  log: string;
}

const DIR = join(import.meta.dirname!, "logs");

function sections(arch: CrashArch, file: string): LogFixture[] {
  const text = Deno.readTextFileSync(join(DIR, arch, file));
  return text.split(/^=== /m).slice(1).map((section) => {
    const [heading, ...lines] = section.replace(/\n$/, "").split("\n");
    const [rules, title] = heading.split(" | ");
    return {
      arch,
      family: file.replace(".log", ""),
      rules: rules.split(" + "),
      title,
      log: lines.join("\n"),
    };
  });
}

/** Every fixture. */
export const LOG_FIXTURES: readonly LogFixture[] = CRASH_ARCHES.flatMap((arch) =>
  Array.from(Deno.readDirSync(join(DIR, arch)), ({ name }) => sections(arch, name)).flat()
);
