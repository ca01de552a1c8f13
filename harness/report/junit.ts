/**
 * JUnit's XML, as CI systems read it: one suite, its cases, and what the console printed last. What a guest
 * printed may hold characters that XML 1.0 (§2.2) cannot; they become replacement characters.
 */

/** How a case ended: well, not at all, the guest's fault (`failure`) or somebody else's (`error`). */
export type JunitOutcome =
  | { readonly kind: "passed" }
  | { readonly kind: "skipped"; readonly message: string }
  | {
    readonly kind: "failure" | "error";
    /** One sentence. */
    readonly message: string;
    /** Whose fault it is. */
    readonly type: string;
    /** Everything that is known. */
    readonly text: string;
  };

/** One case. */
export interface JunitCase {
  /** What it shows. */
  readonly name: string;
  /** Time it took, in ns of guest time. */
  readonly durationNs: number;
  /** How it ended. */
  readonly outcome: JunitOutcome;
}

/** One suite. */
export interface JunitSuite {
  /** What ran. */
  readonly name: string;
  /** In order. */
  readonly cases: readonly JunitCase[];
  /** What is known of the machine. */
  readonly properties: Readonly<Record<string, string>>;
  /** What the console printed; of much, the end is kept. */
  readonly output: string;
}

/** Characters of the console's output kept. */
const MAX_OUTPUT = 65_536;

/** The XML of a suite. `time` attributes are seconds of guest time. */
export function junitXml({ name, cases, properties, output }: JunitSuite): string {
  const count = (kind: JunitOutcome["kind"]) => cases.filter(({ outcome }) => outcome.kind === kind).length;
  const totals = attributes({
    name,
    tests: cases.length,
    failures: count("failure"),
    errors: count("error"),
    skipped: count("skipped"),
    time: seconds(cases.reduce((sum, { durationNs }) => sum + durationNs, 0)),
  });
  const lines = [
    `<?xml version="1.0" encoding="UTF-8"?>`,
    `<testsuites>`,
    `  <testsuite${totals}>`,
    `    <properties>`,
    ...Object.entries(properties).map(([name, value]) => `      <property${attributes({ name, value })}/>`),
    `    </properties>`,
    ...cases.map((one) => testcase(name, one)),
    `    <system-out>${escapeXml(output.slice(-MAX_OUTPUT))}</system-out>`,
    `  </testsuite>`,
    `</testsuites>`,
  ];
  return lines.join("\n") + "\n";
}

function testcase(suite: string, { name, durationNs, outcome }: JunitCase): string {
  const head = `    <testcase${attributes({ name, classname: suite, time: seconds(durationNs) })}`;
  if (outcome.kind === "passed") return `${head}/>`;
  if (outcome.kind === "skipped") {
    return `${head}><skipped${attributes({ message: outcome.message })}/></testcase>`;
  }
  const { kind, message, type, text } = outcome;
  return `${head}><${kind}${attributes({ message, type })}>${escapeXml(text)}</${kind}></testcase>`;
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values).map(([name, value]) => ` ${name}="${escapeXml(String(value), true)}"`).join(
    "",
  );
}

function seconds(ns: number): string {
  return (ns / 1e9).toFixed(6);
}

/** Text that XML can hold, in an element or an attribute. */
export function escapeXml(text: string, attribute = false): string {
  const escaped = text.toWellFormed()
    // deno-lint-ignore no-control-regex -- they are what it looks for
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "\ufffd")
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\r", "&#13;");
  if (!attribute) return escaped;
  return escaped.replaceAll('"', "&quot;").replaceAll("\n", "&#10;").replaceAll("\t", "&#9;");
}
