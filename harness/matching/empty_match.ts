/**
 * Whether a regular expression can match no character at all: `a*`, but also what only looks around, as `\b` and
 * `(?=login)` do. A wait for such a one would be over without anything having come, time and again.
 */

/** Whether `source` can match the empty string in some place of some text. */
export function canMatchEmpty(source: string, flags: string): boolean {
  return new RegExp(withoutAssertions(source, flags.includes("v")), flags).test("");
}

/** The expression with assertions that hold everywhere; what a look-around looks for is optional then. */
function withoutAssertions(source: string, nestsClasses: boolean): string {
  let result = "";
  let classes = 0;
  /** Of each group that is open: what its end becomes. */
  const ends: string[] = [];
  for (const [token] of source.matchAll(/\\[^]|\(\?<?[=!]|[^]/g)) {
    if (classes > 0) {
      if (token === "]") classes--;
      else if (token === "[" && nestsClasses) classes++;
      result += token;
    } else if (/^(?:\^|\$|\\[bB])$/.test(token)) {
      result += "(?:)";
    } else if (token.length > 2) {
      result += "(?:";
      ends.push("|)");
    } else if (token === ")") {
      result += ends.pop() ?? ")";
    } else {
      if (token === "(") ends.push(")");
      if (token === "[") classes++;
      result += token;
    }
  }
  return result;
}
