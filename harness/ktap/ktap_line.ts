/**
 * One line of a test suite's output, understood by itself: KTAP versions 1 and 2 (kernel documentation,
 * dev-tools/ktap.rst) and TAP 12 to 14. Everything else is "other": suites share their console with the
 * kernel's messages.
 */

/** A directive after a result's `#`. */
export type KtapDirective = "SKIP" | "TODO" | "XFAIL" | "TIMEOUT" | "ERROR";

/** What a line says. `indent` is how many columns its text begins after its document's margin. */
export type KtapLine =
  | { readonly kind: "version"; readonly indent: number; readonly kernel: boolean; readonly version: number }
  | { readonly kind: "plan"; readonly indent: number; readonly count: number; readonly skip?: string }
  | KtapResultLine
  | { readonly kind: "subtest"; readonly indent: number; readonly name: string }
  | { readonly kind: "diagnostic"; readonly indent: number; readonly text: string }
  | { readonly kind: "block"; readonly indent: number }
  | { readonly kind: "bailOut"; readonly indent: number; readonly reason: string }
  | { readonly kind: "other"; readonly indent: number; readonly text: string };

/** `ok 1 name # SKIP reason`. */
export interface KtapResultLine {
  readonly kind: "result";
  readonly indent: number;
  readonly ok: boolean;
  readonly number?: number;
  readonly name: string;
  readonly directive?: KtapDirective;
  /** What follows the directive, or the `#` where there is none. */
  readonly reason?: string;
}

/** Longest line looked at; of a longer one, the beginning. */
const MAX_LINE = 8192;

/** printk's own prefix: syslog level, time, caller (CONFIG_PRINTK_CALLER). */
const PRINTK = /^(?:<\d{1,3}>)?\[ {0,8}(\d{1,10})\.(\d{6})\](?:\[ {0,8}[TC]\d{1,10}\])? ?/;
/** A kernel message that ran into a line which userland had not finished. */
const MESSAGE_INSIDE = /\[ {0,8}\d{1,10}\.\d{6}\](?:\[ {0,8}[TC]\d{1,10}\])? .*$/;

/** A line without printk's prefix, and the time that told. */
export function withoutPrintkPrefix(line: string): { text: string; timeNs?: number } {
  const text = line.length > MAX_LINE ? line.slice(0, MAX_LINE) : line;
  const prefix = PRINTK.exec(text);
  if (!prefix) return { text };
  return {
    text: text.slice(prefix[0].length),
    timeNs: Number(prefix[1]) * 1e9 + Number(prefix[2]) * 1e3,
  };
}

/** Understands a line that has no printk prefix (any more). */
export function classify(line: string): KtapLine {
  const text = line.trimStart();
  const indent = line.length - text.length;
  const version = /^(K?)TAP version (\d{1,4})\s*$/.exec(text);
  if (version) return { kind: "version", indent, kernel: version[1] !== "", version: Number(version[2]) };
  const plan = /^1\.\.(\d{1,9})(?:\s+#\s*(.*))?\s*$/.exec(text);
  if (plan) {
    const skip = plan[2] === undefined ? undefined : /^skip\S*\s*(.*)$/i.exec(plan[2])?.[1];
    return { kind: "plan", indent, count: Number(plan[1]), ...(skip !== undefined && { skip }) };
  }
  const result = /^(not )?ok(?=\s|$)(?:\s+(\d{1,9})(?!\S))?(.*)$/.exec(text);
  if (result) return resultLine(indent, result[1] === undefined, result[2], result[3]);
  const subtest = /^#\s*Subtest: (.*)$/.exec(text);
  if (subtest) return { kind: "subtest", indent, name: subtest[1].trim() };
  if (text.startsWith("#")) return { kind: "diagnostic", indent, text: text.replace(/^# ?/, "").trimEnd() };
  if (/^---\s*$/.test(text)) return { kind: "block", indent };
  const bailOut = /^Bail out!\s*(.*)$/i.exec(text);
  if (bailOut) return { kind: "bailOut", indent, reason: bailOut[1].trim() };
  return { kind: "other", indent, text: line };
}

function resultLine(indent: number, ok: boolean, number: string | undefined, rest: string): KtapLine {
  const whole = rest.replace(MESSAGE_INSIDE, "").trim();
  const hash = directiveStart(whole);
  let name = plain(whole.slice(0, hash).trim().replace(/^-\s+/, ""));
  const comment = whole.slice(hash + 1).trim();
  const given = /^(SKIP|TODO|XFAIL|TIMEOUT|ERROR)(?:\w*:?)(?:\s+(.*))?$/i.exec(comment);
  const directive = given?.[1].toUpperCase() as KtapDirective | undefined;
  let reason = given ? given[2] ?? "" : comment;
  // kselftest.h writes the name after the directive: `ok 3 # SKIP name`.
  if (name === "" && directive) [name, reason] = [reason, ""];
  return {
    kind: "result",
    indent,
    ok,
    ...(number !== undefined && { number: Number(number) }),
    name,
    ...(directive && { directive }),
    ...(reason !== "" && { reason }),
  };
}

/** Where the `#` is that begins a directive: at the start or after a blank, and not escaped (TAP 14). */
function directiveStart(text: string): number {
  for (let at = text.indexOf("#"); at !== -1; at = text.indexOf("#", at + 1)) {
    if (at === 0 || /\s/.test(text[at - 1])) return at;
  }
  return text.length;
}

/** A description with TAP 14's escapes undone. */
function plain(description: string): string {
  return description.replace(/\\([\\#])/g, "$1");
}
