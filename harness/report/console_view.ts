/**
 * A console's output as the page shows it: lines with times and colours, of a bounded number and size. Of a
 * large console, the first and the last part; the whole is in console.log.
 */
import { AnsiReader, type TextStyle } from "./ansi.ts";
import type { ReportConsole } from "./report_data.ts";

/** `[ns or null, text]`, or `[ns or null, text, [offset, style, offset, style, …]]`. */
export type ViewLine = [number | null, string] | [number | null, string, number[]];

/** A console for the page. */
export interface ConsoleView {
  /** The line's number. */
  readonly line: number;
  /** Its name. */
  readonly name: string;
  /** Bytes ever printed. */
  readonly bytes: number;
  /** The beginning, or everything. */
  readonly head: readonly ViewLine[];
  /** Bytes left out between head and tail. */
  readonly skipped: number;
  /** The end, where something is left out before it. */
  readonly tail: readonly ViewLine[];
}

/** How text looks, for the page: class names and colours that no class has. */
export interface ViewStyle {
  /** Class names. */
  readonly c: string;
  /** Text colour. */
  readonly f?: string;
  /** Background. */
  readonly b?: string;
}

const FIRST_BYTES = 256 * 1024;
const LAST_BYTES = 768 * 1024;
const FIRST_LINES = 2_000;
const LAST_LINES = 8_000;
/** Characters shown of a line. */
export const MAX_LINE: number = 4_096;
const LINE_FEED = 0x0a;

/** The styles that occur; a line names them by number. */
export class StyleTable {
  /** In the order of their numbers. */
  readonly styles: ViewStyle[] = [];
  readonly #numbers = new Map<string, number>();

  /** The number of a style. Of very many, the last ones look like the first. */
  number(style: TextStyle): number {
    return this.#add(viewStyle(style));
  }

  /** The number of a style that is class names alone. */
  named(classes: string): number {
    return this.#add({ c: classes });
  }

  #add(view: ViewStyle): number {
    const key = JSON.stringify(view);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (this.styles.length === MAX_STYLES) return 0;
    this.styles.push(view);
    this.#numbers.set(key, this.styles.length - 1);
    return this.styles.length - 1;
  }
}

const MAX_STYLES = 4_096;

/** Makes a console fit for the page. */
export function consoleView(console: ReportConsole, styles: StyleTable): ConsoleView {
  const { bytes, droppedBytes = 0 } = console;
  const headEnd = endOfLines(bytes);
  const tailStart = startOfLines(bytes, headEnd);
  const whole = tailStart === headEnd;
  return {
    line: console.line,
    name: console.name,
    bytes: droppedBytes + bytes.length,
    head: lines(console, 0, whole ? bytes.length : headEnd, styles),
    skipped: whole ? 0 : tailStart - headEnd,
    tail: whole ? [] : lines(console, tailStart, bytes.length, styles),
  };
}

/** Offset after the last of the lines to show from the beginning. */
function endOfLines(bytes: Uint8Array): number {
  let end = 0;
  for (let count = 0; count < FIRST_LINES && end < bytes.length; count++) {
    const feed = bytes.indexOf(LINE_FEED, end);
    const next = feed === -1 ? bytes.length : feed + 1;
    if (next > FIRST_BYTES) return end === 0 ? Math.min(next, FIRST_BYTES) : end;
    end = next;
  }
  return end;
}

/** Offset of the first of the lines to show from the end, not before `least`. */
function startOfLines(bytes: Uint8Array, least: number): number {
  let start = bytes.length;
  for (let count = 0; count < LAST_LINES && start > least; count++) {
    const previous = Math.max(least, bytes.lastIndexOf(LINE_FEED, start - 2) + 1);
    if (bytes.length - previous > LAST_BYTES) {
      return start === bytes.length ? Math.max(least, bytes.length - LAST_BYTES) : start;
    }
    start = previous;
  }
  return start;
}

function lines(console: ReportConsole, from: number, to: number, styles: StyleTable): ViewLine[] {
  const { bytes, droppedBytes = 0 } = console;
  const timeAt = timesByOffset(console);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const reader = new AnsiReader();
  const result: ViewLine[] = [];
  for (let at = from; at < to;) {
    const feed = bytes.indexOf(LINE_FEED, at);
    const end = feed === -1 || feed >= to ? to : feed;
    const time = timeAt(droppedBytes + at);
    const raw = decoder.decode(bytes.subarray(at, Math.min(end, at + 4 * MAX_LINE))).replace(/\r+$/, "");
    const { text, runs } = reader.line(raw);
    const shown = text.length > MAX_LINE || end - at > 4 * MAX_LINE
      ? `${text.slice(0, MAX_LINE)}… (${end - at} bytes)`
      : text;
    const changes = runs.flatMap(({ at, style }) => [at, styles.number(style)]);
    const plain: [number | null, string] = [time ?? null, visible(shown)];
    result.push(changes.length > 0 ? [...plain, changes] : plain);
    at = end + 1;
  }
  return result;
}

/** Tells when the byte at an offset came. Offsets must be asked for in ascending order. */
function timesByOffset({ recording }: ReportConsole): (offset: number) => number | undefined {
  let next = 0;
  return (offset) => {
    while (next < recording.length && recording[next].offset <= offset) next++;
    return recording[next - 1]?.atNs;
  };
}

/**
 * Text in which nothing is invisible or turns other text around: control characters as Unicode's pictures of
 * them, other such characters as the replacement character. One character for each.
 */
export function visible(text: string): string {
  // deno-lint-ignore no-control-regex -- they are what it looks for
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}

/** The first 16 colours are the page's, so that they suit dark and light; the others are as they are. */
function viewStyle({ flags, foreground, background }: TextStyle): ViewStyle {
  const classes = [...flags].map((flag) => `t${flag}`);
  let [front, back] = [foreground, background];
  if (flags.includes("v")) [front, back] = [background, foreground];
  const style: { f?: string; b?: string } = {};
  if (typeof front === "number" && front < 16) classes.push(`f${front}`);
  else if (front !== undefined) style.f = colour(front);
  if (typeof back === "number" && back < 16) classes.push(`k${back}`);
  else if (back !== undefined) style.b = colour(back);
  return { c: classes.join(" "), ...style };
}

/** A colour of the 256-colour palette: a cube of 6 steps from 16 on, greys from 232 on. */
function colour(value: number | string): string {
  if (typeof value === "string") return value;
  if (value >= 232) return rgb([8 + 10 * (value - 232), 8 + 10 * (value - 232), 8 + 10 * (value - 232)]);
  const cube = value - 16;
  return rgb(
    [Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((step) => step && 55 + 40 * step),
  );
}

function rgb(parts: number[]): string {
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}
