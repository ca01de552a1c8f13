/**
 * A terminal's text with its colours: what remains of a line when escape sequences are taken out, and where
 * SGR (ECMA-48 §8.3.117; 256 and true colours of ISO 8613-6) changed how it looks. Other sequences are left
 * out: a report shows lines, not a screen.
 */

/** How text looks, as class names and colours of the page. */
export interface TextStyle {
  /** `b`old, `d`im, `i`talic, `u`nderlined, `s`truck out, in`v`erse. */
  readonly flags: string;
  /** A number of the palette (0–255) or `#rrggbb`; undefined for the page's own. */
  readonly foreground?: number | string;
  /** As {@linkcode TextStyle.foreground}. */
  readonly background?: number | string;
}

/** A line's text, and its style from given offsets on. */
export interface StyledLine {
  /** Without escape sequences. */
  readonly text: string;
  /** Offset → style, in order. Text before the first looks as the line before it ended. */
  readonly runs: readonly { readonly at: number; readonly style: TextStyle }[];
}

/** How text looks that no sequence has changed. */
export const PLAIN: TextStyle = { flags: "" };

/**
 * An escape sequence: CSI up to its final byte, a control string up to BEL or ST, or two characters. One that
 * a line cuts off is left out up to the line's end; none is taken to be longer than 4,096 characters.
 */
const SEQUENCE =
  // deno-lint-ignore no-control-regex -- they are what it looks for
  /\x1b(?:\[[\x20-\x3f]{0,4096}[\x40-\x7e]?|[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|[\x20-\x2f]*[\x30-\x7e]?)/g;
/** Style changes taken from one line: beyond, they are noise. */
const MAX_RUNS = 512;

/** Reads lines in order; a style lasts until it is changed. */
export class AnsiReader {
  #style: TextStyle = PLAIN;

  /** Takes a line apart. */
  line(raw: string): StyledLine {
    if (!raw.includes("\x1b")) {
      return { text: raw, runs: this.#style === PLAIN ? [] : [{ at: 0, style: this.#style }] };
    }
    const runs: { at: number; style: TextStyle }[] = [];
    if (this.#style !== PLAIN) runs.push({ at: 0, style: this.#style });
    let text = "";
    let from = 0;
    for (const match of raw.matchAll(SEQUENCE)) {
      text += raw.slice(from, match.index);
      from = match.index + match[0].length;
      const parameters = /^\[([\d;:]*)m$/.exec(match[0].slice(1))?.[1];
      if (parameters === undefined || runs.length >= MAX_RUNS) continue;
      this.#style = afterSgr(this.#style, parameters);
      if (runs.at(-1)?.at === text.length) runs.pop();
      runs.push({ at: text.length, style: this.#style });
    }
    return { text: text + raw.slice(from), runs };
  }
}

const SET: Readonly<Record<number, string>> = { 1: "b", 2: "d", 3: "i", 4: "u", 7: "v", 9: "s" };
const RESET: Readonly<Record<number, string>> = { 22: "bd", 23: "i", 24: "u", 27: "v", 29: "s" };

function afterSgr(style: TextStyle, parameters: string): TextStyle {
  const codes = parameters.split(/[;:]/, 64).map(Number);
  let { flags, foreground, background } = style;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) [flags, foreground, background] = ["", undefined, undefined];
    else if (SET[code]) flags = flags.replace(SET[code], "") + SET[code];
    else if (RESET[code]) flags = flags.replace(new RegExp(`[${RESET[code]}]`, "g"), "");
    else if (code >= 30 && code <= 37) foreground = code - 30;
    else if (code >= 90 && code <= 97) foreground = code - 90 + 8;
    else if (code >= 40 && code <= 47) background = code - 40;
    else if (code >= 100 && code <= 107) background = code - 100 + 8;
    else if (code === 39) foreground = undefined;
    else if (code === 49) background = undefined;
    else if (code === 38 || code === 48) {
      const [colour, used] = extendedColour(codes.slice(i + 1));
      i += used;
      if (code === 38) foreground = colour ?? foreground;
      else background = colour ?? background;
    }
  }
  if (flags === "" && foreground === undefined && background === undefined) return PLAIN;
  return {
    flags,
    ...(foreground !== undefined && { foreground }),
    ...(background !== undefined && { background }),
  };
}

/** `5;n` or `2;r;g;b`: the colour, and how many codes it took. */
function extendedColour([kind, ...rest]: number[]): [number | string | undefined, number] {
  if (kind === 5) return [rest[0] <= 255 ? rest[0] : undefined, 2];
  if (kind !== 2) return [undefined, 1];
  const parts = rest.slice(0, 3);
  if (parts.length < 3 || parts.some((part) => !(part <= 255))) return [undefined, 4];
  return [`#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`, 4];
}
