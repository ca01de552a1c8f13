/** Titles: a rule's template, filled in and freed of what changes from run to run. */

import { plainName } from "./stack.ts";

/** Characters of a captured text in a title. */
const MAX_FIELD = 120;

/** Addresses become ADDR and free-standing numbers NUM, so that one bug has one title. */
export function normalise(text: string): string {
  return plainName(text.slice(0, 4 * MAX_FIELD))
    .replace(/\b0x[0-9a-f]+\b|\b[0-9a-f]{8,16}\b/gi, "ADDR")
    .replace(/\b\d+\b/g, "NUM")
    .replace(/\s+/g, " ")
    .replace(/ ?\]---$/, "")
    .trim()
    .slice(0, MAX_FIELD);
}

/**
 * Fills a template: `$1` is a capture, `@` the function at fault; a part in braces goes when a placeholder in
 * it is empty. In braces, `|` separates what is tried in turn.
 */
export function fillTitle(template: string, captures: readonly (string | undefined)[], at?: string): string {
  return template.replace(/\{([^}]*)\}|\$(\d)|@/g, (placeholder, optional?: string, digit?: string) => {
    if (optional !== undefined) {
      return optional.split("|").map((part) => fillOptional(part, captures, at)).find((text) =>
        text !== ""
      ) ?? "";
    }
    return placeholder === "@" ? at ?? "" : normalise(captures[Number(digit)] ?? "");
  });
}

function fillOptional(part: string, captures: readonly (string | undefined)[], at?: string): string {
  let empty = false;
  const text = part.replace(/\$(\d)|@/g, (placeholder, digit?: string) => {
    const value = placeholder === "@" ? at : captures[Number(digit)];
    empty ||= !value;
    return normalise(value ?? "");
  });
  return empty ? "" : text;
}
