/** Control characters in command-line arguments, written as C and JSON write them. */

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", e: "\x1b", "\\": "\\" };

/** Turns `\n`, `\r`, `\t`, `\e`, `\\` and `\xHH` into what they stand for; everything else stays. */
export function unescapeText(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|([nrte\\]))/g,
    (_, hex, letter) => hex ? String.fromCharCode(parseInt(hex, 16)) : ESCAPES[letter],
  );
}

/** The reverse of {@linkcode unescapeText}. */
export function escapeText(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\\\x00-\x1f\x7f]/g, (c) => {
    const letter = Object.keys(ESCAPES).find((key) => ESCAPES[key] === c);
    return `\\${letter ?? "x" + c.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
