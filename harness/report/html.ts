/**
 * HTML by hand, safely: whatever is put into a template is escaped unless it is HTML already.
 * Data for the page's script goes into a `<script type="application/json">`: there, `<` is all that could end
 * it, and JSON can write it otherwise.
 */

/** Markup that needs no escaping. */
export class Html {
  /** Only for markup of the project's own. */
  constructor(readonly markup: string) {}
}

type Part = string | number | Html | undefined | false | readonly Part[];

/** A template whose values are escaped; arrays are joined, undefined and false are nothing. */
export function html(strings: TemplateStringsArray, ...values: Part[]): Html {
  return new Html(strings.reduce((text, string, i) => text + asMarkup(values[i - 1]) + string));
}

function asMarkup(part: Part): string {
  if (part === undefined || part === false) return "";
  if (part instanceof Html) return part.markup;
  if (typeof part === "object") return part.map(asMarkup).join("");
  return escapeHtml(String(part));
}

/** Text as HTML shows it; NUL and lone surrogates, which HTML cannot hold, as replacement characters. */
export function escapeHtml(text: string): string {
  return text.toWellFormed().replace(/[&<>"'\0]/g, (character) => ESCAPES[character]);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "\0": "\ufffd",
};

/** A value as the contents of a `<script type="application/json">`. */
export function embeddedJson(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll("<", "\\u003c"));
}
