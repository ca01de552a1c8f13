import { assert, assertEquals } from "@std/assert";
import { CRASH_RULES } from "../../../harness/faults/rules.ts";
import { splitLine } from "../../../harness/faults/printk.ts";
import { Scanner } from "../../../harness/faults/scanner.ts";
import { LOG_FIXTURES } from "./_logs.ts";
import { Watch } from "./_watch.ts";

const textual = CRASH_RULES.filter(({ family }) => family !== "machine");
const all = new Scanner(CRASH_RULES);
const byAnybody = new Scanner(CRASH_RULES.filter(({ source }) => source === "console"));

/** The rule that a line of a kernel that prints times falls under. */
function ruleOf(line: string): string | undefined {
  const [part] = splitLine(line);
  return (part.timeS === undefined ? byAnybody : all).scan(part.message)?.rule.id;
}

Deno.test("rules have names of their own, and more than 40 are there", () => {
  assert(textual.length > 40);
  assertEquals(new Set(CRASH_RULES.map(({ id }) => id)).size, CRASH_RULES.length);
  const ids = new Set(CRASH_RULES.map(({ id }) => id));
  const families = new Set(CRASH_RULES.map(({ family }) => family));
  // A name that is both must mean the rule's own family, or expect() would be ambiguous.
  for (const { id, family } of CRASH_RULES) if (families.has(id)) assertEquals(id, family);
  for (const { id, partOf } of CRASH_RULES) {
    for (const other of partOf) assert(ids.has(other), `${id}: ${other}`);
  }
});

Deno.test("every rule has a report for every architecture it is for, and none for another", () => {
  const missing = textual.flatMap(({ id, arches }) =>
    arches.filter((arch) => !LOG_FIXTURES.some((log) => log.arch === arch && log.rules.includes(id)))
      .map((arch) => `${id} on ${arch}`)
  );
  assertEquals(missing, []);
  for (const { arch, rules } of LOG_FIXTURES) {
    for (const id of rules) {
      const rule = CRASH_RULES.find((other) => other.id === id);
      assert(rule?.arches.includes(arch), `${id} on ${arch}`);
    }
  }
});

Deno.test("every rule names what looks like it and is harmless, and why", () => {
  for (const { id, lookalikes, except } of CRASH_RULES) {
    assert(lookalikes.length > 0, id);
    for (const { line, why } of lookalikes) assert(line.length > 0 && why.length > 5, id);
    for (const { why } of except) assert(why.length > 5, id);
  }
});

for (const rule of textual) {
  Deno.test(`${rule.id}: its example is taken for it; what looks like it or quotes it is not`, () => {
    const [part] = splitLine(rule.example);
    const { message } = part;
    assertEquals(all.scan(message)?.rule.id, rule.id);
    const { begins, holds } = rule;
    assert(begins.some((text) => message.startsWith(text)) || (holds && message.includes(holds)));
    assertEquals(part.timeS === undefined, !rule.example.startsWith("["));
    assertEquals(rule.expression.flags, "", "expressions must not keep state");
    assert(rule.expression.source.startsWith("^"), "expressions must be anchored");

    for (const { line } of rule.lookalikes) assertEquals(ruleOf(line), undefined, line);
    if (rule.source === "kernel") assertEquals(ruleOf(message), undefined);
    assertEquals(ruleOf(`~ # echo "${message}"`), undefined);
    assertEquals(ruleOf(`[   20.000000] quoted: ${message}`), undefined);
  });
}

for (const [name, fixtures] of Map.groupBy(LOG_FIXTURES, ({ arch, family }) => `${arch}: ${family}`)) {
  Deno.test(`${name} are reported, whole and by their titles`, () => {
    for (const { rules, title, log } of fixtures) {
      const watch = new Watch().boot().print(log);
      watch.faults.settle();
      assertEquals(watch.faults.all.map(({ rule }) => rule).sort(), [...rules].sort(), title);
      const crash = watch.faults.all.find(({ rule }) => rule === rules[0])!;
      assertEquals(crash.title, title);
      assertEquals(crash.corrupted, false, crash.report);
      if (/Call [Tt]race:/.test(crash.report)) assert(crash.frames.length > 2, "frames are read");
      if (crash.class === "fatal") assertWhole(crash.report, log, rules[0]);
    }
  });
}

Deno.test("a report that dmesg, its end or a log file shows again is one fault", () => {
  for (const { rules, title, log } of LOG_FIXTURES) {
    const prefixed = log.split("\n").filter((line) => splitLine(line)[0].timeS !== undefined);
    if (rules.length === 0 || prefixed.length === 0) continue;
    const watch = new Watch().boot().print(log);
    watch.faults.settle();
    const before = watch.faults.all.map(({ rule }) => rule);
    // The whole, its end, and with the prefixes of a file that syslogd writes.
    for (const from of [0, 1, 2, prefixed.length >> 1, prefixed.length - 1]) {
      for (const by of ["", "Nov 29 03:07:01 host kernel: "]) {
        watch.print(["~ # dmesg", ...prefixed.slice(from).map((line) => `${by}${line}`), "~ # "].join("\n"));
        watch.silence().faults.settle();
        assertEquals(watch.faults.all.map(({ rule }) => rule), before, `${title}, from line ${from} ${by}`);
      }
    }
  }
});

/** All from the heading on, and nothing before it but the line that frames it. */
function assertWhole(report: string, log: string, rule: string): void {
  const lines = log.split("\n");
  const first = lines.indexOf(report.split("\n")[0]);
  const heading = lines.findIndex((line) => all.scan(splitLine(line)[0].message)?.rule.id === rule);
  assert(first >= 0 && first <= heading && heading - first <= 1, report);
  assertEquals(report, lines.slice(first).map((line) => `${line}\n`).join(""));
}
