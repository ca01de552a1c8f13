/**
 * Finds the first character of a stream that completes a match of any of several patterns, in constant time
 * per character. A lazily built deterministic automaton (`pattern_nfa.ts`) says where a match could end;
 * there, and only there, the real RegExp looks at the text. So a wait stops on the very byte that completed
 * the match, and a flood of output costs little.
 *
 * A match is taken as soon as there is one: `/\d+/` matches "4" of "42" when the 4 arrives. Write what comes
 * after (`/\d+\n/`) where more is wanted.
 */
import { InputError } from "../errors.ts";
import { OTHER, parsePattern, PatternNfa, SYMBOLS } from "./pattern_nfa.ts";

/** What a wait may look for. Regular expressions are always multi-line: `^` and `$` are a line's ends. */
export type Pattern = string | RegExp;

/** A match, in terms of the text that {@linkcode StreamMatcher.confirm} was given. */
export interface PatternMatch {
  /** Which pattern. */
  readonly pattern: number;
  /** Where it begins and ends in the text. */
  readonly start: number;
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

/** Matches one stream against patterns, from its beginning. */
export class StreamMatcher {
  /** Characters before the end of the stream that {@linkcode StreamMatcher.confirm} wants to see. */
  readonly window: number;
  readonly #expressions: RegExp[];
  readonly #nfa = new PatternNfa();
  readonly #states = new Map<string, DfaState>();
  readonly #everywhere: boolean;
  #state: DfaState;

  /** @throws {InputError} for a pattern that matches the empty string: it would match before anything happens. */
  constructor(patterns: readonly Pattern[]) {
    if (patterns.length === 0) throw new InputError("There is no pattern to wait for.");
    this.#expressions = patterns.map(toExpression);
    let everywhere = false;
    let exact = true;
    for (const expression of this.#expressions) {
      const tree = parsePattern(expression);
      if (!tree || !this.#nfa.add(tree)) everywhere = true;
      exact &&= tree?.exact ?? false;
    }
    this.#everywhere = everywhere;
    this.window = exact && !everywhere ? MATCH_WINDOW : SMALL_WINDOW;
    this.#state = this.#intern(this.#nfa.step([], -1));
  }

  /** Takes the next UTF-16 unit. Returns whether a match may end with it. */
  feed(unit: number): boolean {
    const symbol = unit < 128 ? unit : OTHER;
    const next = this.#state.next[symbol] ?? this.#transition(symbol);
    this.#state = next;
    return next.accepts || this.#everywhere;
  }

  /**
   * Looks for a match in `text`, which ends where the stream has got to, that begins at `from` or later.
   * What comes before `from` is context for `^` and lookbehind.
   */
  confirm(text: string, from: number): PatternMatch | undefined {
    for (let pattern = 0; pattern < this.#expressions.length; pattern++) {
      const expression = this.#expressions[pattern];
      expression.lastIndex = from;
      const match = expression.exec(text);
      if (match) return { pattern, start: match.index, end: expression.lastIndex, match };
    }
    return undefined;
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

function toExpression(pattern: Pattern): RegExp {
  if (typeof pattern !== "string" && !(pattern instanceof RegExp)) {
    throw new InputError(`A pattern is a string or a RegExp, not ${JSON.stringify(pattern)}.`);
  }
  const expression = typeof pattern === "string"
    ? new RegExp(patternSource(pattern), "gm")
    : new RegExp(pattern.source, `gm${pattern.flags.replace(/[gmy]/g, "")}`);
  if (expression.test("")) {
    throw new InputError(`${describePattern(pattern)} matches the empty string, so it would match at once.`);
  }
  return expression;
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
