/**
 * Finds the first match of any of several patterns in a stream, in constant time per character. A lazily built
 * deterministic automaton (`pattern_nfa.ts`) says where a match could end; there, and only there, the real
 * RegExp looks at the text. So a wait stops on the very byte that completed the match, and a flood of output
 * costs little.
 *
 * A match is complete as soon as the next character could not make it longer. `/login: $/` is complete with
 * its blank. `/BOOT-OK (\w+)/` is complete with the first character after the word, since each further letter
 * could belong to it; until then it is *open*, and whoever feeds the stream may {@linkcode StreamMatcher.settle}
 * for what there is when nothing more comes.
 */
import { InputError } from "../errors.ts";
import { canMatchEmpty } from "./empty_match.ts";
import { PatternNfa } from "./pattern_nfa.ts";
import { OTHER, parsePattern, SYMBOLS } from "./pattern_tree.ts";

/** What a wait may look for. Regular expressions are always multi-line: `^` and `$` are a line's ends. */
export type Pattern = string | RegExp;

/** A match. Offsets count from the beginning of the stream. */
export interface PatternMatch {
  /** Which pattern. */
  readonly pattern: number;
  /** Offset of its first character. */
  readonly start: number;
  /** Offset after its last one. */
  readonly end: number;
  /** The RegExp's own result. */
  readonly match: RegExpExecArray;
}

const MAX_STATES = 1024;
/** Longest match, in characters. */
export const MATCH_WINDOW = 65536;
/** Longest match of patterns that have no exact automaton (lookaround, back-references, `\b`). */
export const SMALL_WINDOW = 4096;

interface DfaState {
  readonly nodes: readonly number[];
  readonly accepts: boolean;
  readonly next: (DfaState | undefined)[];
}

/** One pattern, ready to be asked. */
interface Expression {
  readonly anywhere: RegExp;
  /** The same, at one place only. */
  readonly here: RegExp;
  /** Where its automaton begins; undefined where it has none. */
  readonly start: number | undefined;
}

/** Matches one stream against patterns, from its beginning. */
export class StreamMatcher {
  /** Characters before the end of the stream that {@linkcode StreamMatcher.search} wants to see. */
  readonly window: number;
  /** A match that the next character might make longer, or undo. */
  open: PatternMatch | undefined;
  readonly #expressions: Expression[];
  readonly #nfa = new PatternNfa();
  readonly #states = new Map<string, DfaState>();
  readonly #everywhere: boolean;
  #state: DfaState;
  /** Where in its automaton the open match is; undefined where it has none. */
  #nodes: readonly number[] | undefined;

  /** @throws {InputError} for a pattern that can match the empty string: it would match before anything happens. */
  constructor(patterns: readonly Pattern[]) {
    if (patterns.length === 0) throw new InputError("There is no pattern to wait for.");
    let exact = true;
    this.#expressions = patterns.map((pattern) => {
      const [source, flags] = toExpression(pattern);
      const anywhere = new RegExp(source, `${flags}g`);
      const tree = parsePattern(anywhere);
      exact &&= tree?.exact ?? false;
      return { anywhere, here: new RegExp(source, `${flags}y`), start: tree && this.#nfa.add(tree) };
    });
    this.#everywhere = this.#expressions.some(({ start }) => start === undefined);
    this.window = exact && !this.#everywhere ? MATCH_WINDOW : SMALL_WINDOW;
    this.#state = this.#intern(this.#nfa.step([], -1));
  }

  /** Takes the next UTF-16 unit. Returns whether {@linkcode StreamMatcher.search} may find something. */
  feed(unit: number): boolean {
    const symbol = symbolOf(unit);
    const next = this.#state.next[symbol] ?? this.#transition(symbol);
    this.#state = next;
    return next.accepts || this.#everywhere;
  }

  /**
   * Looks for a match in `text`, which ends where the stream is at (offset `end`), that begins at index `from`
   * or later. What comes before is context for `^` and lookbehind. A match that may grow becomes the open one.
   *
   * @returns a complete match.
   */
  search(text: string, from: number, end: number): PatternMatch | undefined {
    for (let pattern = 0; pattern < this.#expressions.length; pattern++) {
      const found = this.#execute(pattern, "anywhere", text, from, end);
      if (!found) continue;
      if (found.end < end) return found;
      const start = text.length - (end - found.start);
      this.#nodes = this.#retrace(pattern, text, start);
      if (!this.#extensible()) return found;
      this.open = found;
      return undefined;
    }
    return undefined;
  }

  /**
   * Sees what the character just fed did to the open match: `text` (ending at offset `end`, as above) holds
   * all of it. It may have grown and stay open; or be complete, and is returned; or be undone.
   */
  extend(text: string, end: number): PatternMatch | undefined {
    const { pattern, start } = this.open!;
    const again = this.#execute(pattern, "here", text, text.length - (end - start), end);
    this.open = undefined;
    if (again?.end !== end) return again;
    this.#nodes &&= this.#nfa.follow(this.#nodes, symbolOf(text.charCodeAt(text.length - 1)));
    if (end - start >= this.window || !this.#extensible()) return again;
    this.open = again;
    return undefined;
  }

  /** Takes the open match as it is, since nothing more came. */
  settle(): PatternMatch | undefined {
    const settled = this.open;
    this.open = undefined;
    return settled;
  }

  #execute(pattern: number, where: "anywhere" | "here", text: string, from: number, end: number) {
    const expression = this.#expressions[pattern][where];
    expression.lastIndex = from;
    const match = expression.exec(text);
    if (!match) return undefined;
    const base = end - text.length;
    return { pattern, start: base + match.index, end: base + expression.lastIndex, match };
  }

  /** Without an automaton, any match might be longer. */
  #extensible(): boolean {
    return this.#nodes === undefined || this.#nfa.extensible(this.#nodes);
  }

  /** Where in the pattern's automaton the match is that goes from `index` to the end of `text`. */
  #retrace(pattern: number, text: string, index: number): readonly number[] | undefined {
    const { start } = this.#expressions[pattern];
    if (start === undefined) return undefined;
    let nodes = this.#nfa.begin(start, index > 0 ? symbolOf(text.charCodeAt(index - 1)) : -1);
    for (let i = index; i < text.length; i++) nodes = this.#nfa.follow(nodes, symbolOf(text.charCodeAt(i)));
    return nodes;
  }

  #transition(symbol: number): DfaState {
    const state = this.#state;
    const nodes = this.#nfa.step(state.nodes, symbol);
    if (this.#states.size >= MAX_STATES) this.#states.clear();
    return state.next[symbol] = this.#intern(nodes);
  }

  #intern(nodes: readonly number[]): DfaState {
    const key = nodes.join();
    let state = this.#states.get(key);
    if (!state) {
      state = { nodes, accepts: this.#nfa.accepts(nodes), next: new Array(SYMBOLS) };
      this.#states.set(key, state);
    }
    return state;
  }
}

function symbolOf(unit: number): number {
  return unit < 128 ? unit : OTHER;
}

function toExpression(pattern: Pattern): [source: string, flags: string] {
  if (typeof pattern !== "string" && !(pattern instanceof RegExp)) {
    throw new InputError(`A pattern is a string or a RegExp, not ${JSON.stringify(pattern)}.`);
  }
  const flags = typeof pattern === "string" ? "m" : `m${pattern.flags.replace(/[gmy]/g, "")}`;
  const source = typeof pattern === "string" ? patternSource(pattern) : pattern.source;
  if (canMatchEmpty(source, flags)) {
    throw new InputError(
      `${
        describePattern(pattern)
      } can match the empty string, so it would match without anything having come.`,
    );
  }
  return [source, flags];
}

/** The pattern as a test author wrote it. */
export function describePattern(pattern: Pattern): string {
  return typeof pattern === "string" ? JSON.stringify(pattern) : String(pattern);
}

/** The pattern as the source of a RegExp without flags. */
export function patternSource(pattern: Pattern): string {
  if (typeof pattern === "string") return pattern.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const modifiers = pattern.flags.replace(/[^is]/g, "");
  return modifiers ? `(?${modifiers}:${pattern.source})` : pattern.source;
}
