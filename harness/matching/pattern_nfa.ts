/**
 * A regular expression as a nondeterministic automaton, for one purpose: to say in constant time per
 * character whether a match *could* end here. The real RegExp then confirms, so that the automaton may
 * accept too much but never too little.
 *
 * Input symbols are 0..127 for ASCII and {@linkcode OTHER} for every other UTF-16 unit. What cannot be told
 * without context is widened: a back-reference is "anything", a lookbehind is "nothing". Lookaheads and
 * nested classes are refused ({@linkcode parsePattern} returns undefined): they may decide a match only after
 * its end, so such patterns are tested on every character instead.
 *
 * Syntax: ECMAScript 2025, section 22.2.1 (Patterns).
 */

/** The symbol of every unit outside of ASCII. */
export const OTHER = 128;
/** Number of input symbols. */
export const SYMBOLS = 129;

const MAX_NODES = 4000;
const ANY = new Uint8Array(SYMBOLS).fill(1);

type Tree =
  | { readonly kind: "empty" }
  | { readonly kind: "set"; readonly set: Uint8Array }
  | { readonly kind: "lineStart" }
  | { readonly kind: "sequence"; readonly parts: readonly Tree[] }
  | { readonly kind: "either"; readonly options: readonly Tree[] }
  | {
    readonly kind: "repeat";
    readonly body: Tree;
    readonly min: number;
    readonly max: number;
    readonly lazy: boolean;
  };

/** A parsed pattern. */
export interface PatternTree {
  readonly tree: Tree;
  /** False where the automaton accepts much more than the pattern does. */
  readonly exact: boolean;
}

/** Thrown inside of this file for syntax the automaton has no equivalent of. */
class Unsupported extends Error {}

/** Parses a RegExp that the engine accepted; undefined where it has no automaton. */
export function parsePattern(pattern: RegExp): PatternTree | undefined {
  if (pattern.flags.includes("v")) return undefined;
  try {
    return new Parser(pattern).parse();
  } catch (error) {
    if (error instanceof Unsupported) return undefined;
    throw error;
  }
}

function setOf(...ranges: (readonly [number, number])[]): Uint8Array {
  const set = new Uint8Array(SYMBOLS);
  for (const [from, to] of ranges) {
    for (let c = from; c <= Math.min(to, 127); c++) set[c] = 1;
    if (to > 127) set[OTHER] = 1;
  }
  return set;
}

/** The complement; {@linkcode OTHER} stands for many characters, so it is in every complement. */
function complement(set: Uint8Array): Uint8Array {
  const result = set.map((bit) => 1 - bit);
  result[OTHER] = 1;
  return result;
}

const DIGIT = setOf([48, 57]);
const WORD = setOf([48, 57], [65, 90], [95, 95], [97, 122]);
const SPACE = setOf([9, 13], [32, 32], [128, 128]);
const CLASSES: Record<string, Uint8Array> = {
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};
const NOT_NEWLINE = complement(setOf([10, 10], [13, 13]));
const CONTROL_ESCAPES: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13 };

class Parser {
  #at = 0;
  #exact = true;
  #looksPast = false;
  readonly #source: string;
  readonly #unicode: boolean;
  #ignoreCase: boolean;
  #dotAll: boolean;

  constructor(pattern: RegExp) {
    this.#source = pattern.source;
    this.#ignoreCase = pattern.ignoreCase;
    this.#unicode = pattern.unicode;
    this.#dotAll = pattern.dotAll;
  }

  parse(): PatternTree {
    const tree = this.#disjunction();
    if (this.#at < this.#source.length) throw new Unsupported();
    if (!this.#looksPast) return { tree, exact: this.#exact };
    // A word boundary at the very end is decided by the character after it.
    const past: Tree = { kind: "either", options: [{ kind: "set", set: ANY }, { kind: "empty" }] };
    return { tree: { kind: "sequence", parts: [tree, past] }, exact: this.#exact };
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #disjunction(): Tree {
    const options = [this.#alternative()];
    while (this.#take("|")) options.push(this.#alternative());
    return options.length === 1 ? options[0] : { kind: "either", options };
  }

  #alternative(): Tree {
    const parts: Tree[] = [];
    while (this.#at < this.#source.length && !"|)".includes(this.#source[this.#at])) {
      parts.push(this.#quantified(this.#atom()));
    }
    return { kind: "sequence", parts };
  }

  #quantified(body: Tree): Tree {
    let bounds: [number, number] | undefined;
    if (this.#take("*")) bounds = [0, Infinity];
    else if (this.#take("+")) bounds = [1, Infinity];
    else if (this.#take("?")) bounds = [0, 1];
    else {
      const counted = /^\{(\d+)(,?)(\d*)\}/.exec(this.#source.slice(this.#at, this.#at + 32));
      if (counted) {
        this.#at += counted[0].length;
        const min = Number(counted[1]);
        bounds = [min, counted[3] ? Number(counted[3]) : counted[2] ? Infinity : min];
      }
    }
    if (!bounds) return body;
    return { kind: "repeat", body, min: bounds[0], max: bounds[1], lazy: this.#take("?") };
  }

  #atom(): Tree {
    if (this.#take("(")) return this.#group();
    if (this.#take("[")) return this.#set(this.#class());
    if (this.#take("^")) return { kind: "lineStart" };
    if (this.#take("$")) return { kind: "empty" };
    if (this.#take(".")) return this.#set(this.#dotAll ? ANY : NOT_NEWLINE);
    if (this.#take("\\")) return this.#escape();
    return this.#set(this.#character(this.#unit()));
  }

  /** The next character of the source: a code point for patterns that see code points. */
  #unit(): number {
    const unit = this.#unicode ? this.#source.codePointAt(this.#at)! : this.#source.charCodeAt(this.#at);
    this.#at += unit > 0xffff ? 2 : 1;
    return unit;
  }

  /** One character of `set`; a code point outside of ASCII may be two units of input. */
  #set(set: Uint8Array): Tree {
    const one: Tree = { kind: "set", set };
    if (!this.#unicode || !set[OTHER]) return one;
    const low: Tree = { kind: "set", set: setOf([OTHER, OTHER]) };
    return { kind: "sequence", parts: [one, { kind: "repeat", body: low, min: 0, max: 1, lazy: false }] };
  }

  #group(): Tree {
    const outer: [boolean, boolean] = [this.#ignoreCase, this.#dotAll];
    let lookbehind = false;
    if (this.#take("?<=") || this.#take("?<!")) lookbehind = true;
    else if (this.#take("?<")) this.#at = this.#source.indexOf(">", this.#at) + 1;
    else if (this.#source[this.#at] === "?" && !this.#modifiers()) throw new Unsupported();
    const body = this.#disjunction();
    if (!this.#take(")")) throw new Unsupported();
    [this.#ignoreCase, this.#dotAll] = outer;
    if (!lookbehind) return body;
    this.#exact = false;
    return { kind: "empty" };
  }

  /** `?:` or `?is-is:`. */
  #modifiers(): boolean {
    const modifiers = /^\?([ims]*)(?:-([ims]*))?:/.exec(this.#source.slice(this.#at, this.#at + 12));
    if (!modifiers) return false;
    this.#at += modifiers[0].length;
    const [, on, off = ""] = modifiers;
    this.#ignoreCase = (this.#ignoreCase || on.includes("i")) && !off.includes("i");
    this.#dotAll = (this.#dotAll || on.includes("s")) && !off.includes("s");
    return true;
  }

  #escape(): Tree {
    if (this.#take("b") || this.#take("B")) {
      this.#exact = false;
      this.#looksPast = true;
      return { kind: "empty" };
    }
    if (/[1-9k]/.test(this.#source[this.#at])) {
      this.#exact = false;
      const name = /^(?:\d+|k<[^>]*>|k)/.exec(this.#source.slice(this.#at))!;
      this.#at += name[0].length;
      return { kind: "repeat", body: { kind: "set", set: ANY }, min: 0, max: Infinity, lazy: false };
    }
    const set = this.#classEscape();
    if (typeof set === "number") return this.#set(this.#character(set));
    return this.#set(this.#ignoreCase ? foldCase(set) : set);
  }

  /** After a backslash: a class, or the code unit that is meant. */
  #classEscape(): Uint8Array | number {
    const c = this.#source[this.#at++];
    if (c in CLASSES) return CLASSES[c];
    if (c in CONTROL_ESCAPES) return CONTROL_ESCAPES[c];
    const rest = this.#source.slice(this.#at, this.#at + 12);
    const hex = c === "x"
      ? /^[\da-f]{2}/i.exec(rest)
      : c === "u"
      ? /^(?:[\da-f]{4}|\{[\da-f]+\})/i.exec(rest)
      : null;
    if (hex) {
      this.#at += hex[0].length;
      return parseInt(hex[0].replace("{", ""), 16);
    }
    if (c === "c" && /^[a-z]/i.test(rest)) return this.#source.charCodeAt(this.#at++) & 31;
    if (c === "p" || c === "P") {
      const property = /^\{[^}]*\}/.exec(rest + this.#source.slice(this.#at + 12, this.#at + 64));
      if (property) {
        this.#at += property[0].length;
        this.#exact = false;
        return ANY;
      }
    }
    if (c === "0" && !/^\d/.test(rest)) return 0;
    if (/\d/.test(c)) throw new Unsupported();
    return c.charCodeAt(0);
  }

  /** After `[`. */
  #class(): Uint8Array {
    const negated = this.#take("^");
    const set = new Uint8Array(SYMBOLS);
    let property = false;
    while (!this.#take("]")) {
      const low = this.#classMember();
      if (typeof low !== "number") {
        property ||= low === ANY;
        low.forEach((bit, i) => set[i] |= bit);
        continue;
      }
      let high = low;
      if (this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]") {
        this.#at++;
        const member = this.#classMember();
        if (typeof member !== "number") throw new Unsupported();
        high = member;
      }
      setOf([low, high]).forEach((bit, i) => set[i] |= bit);
    }
    // Only a set that is not widened may be complemented.
    if (negated) return property ? ANY : complement(set);
    return this.#ignoreCase ? foldCase(set) : set;
  }

  #classMember(): Uint8Array | number {
    if (this.#at >= this.#source.length) throw new Unsupported();
    if (!this.#take("\\")) return this.#unit();
    if (this.#take("b")) return 8;
    if (this.#take("-")) return 45;
    return this.#classEscape();
  }

  #character(unit: number): Uint8Array {
    const set = setOf([unit, unit]);
    return this.#ignoreCase ? foldCase(set) : set;
  }
}

/** Adds the other case of every letter, and what Unicode folds to or from ASCII (K, long s). */
function foldCase(set: Uint8Array): Uint8Array {
  const result = set.slice();
  for (let c = 65; c <= 90; c++) {
    if (set[c] | set[c + 32]) result[c] = result[c + 32] = 1;
  }
  const foldsOutside = [75, 83, 107, 115];
  if (foldsOutside.some((c) => set[c])) result[OTHER] = 1;
  if (set[OTHER]) { for (const c of foldsOutside) result[c] = 1; }
  return result;
}

const NODE_SET = 0;
const NODE_SPLIT = 1;
const NODE_LINE_START = 2;
const NODE_ACCEPT = 3;
/** The one accepting node. */
const ACCEPT = 0;

/** An automaton over any number of patterns, with one accepting node. */
export class PatternNfa {
  readonly #kind: number[] = [NODE_ACCEPT];
  /** Where a node leads; of a split, what the pattern prefers. */
  readonly #next: number[] = [-1];
  readonly #other: number[] = [-1];
  readonly #sets: (Uint8Array | undefined)[] = [undefined];
  readonly #starts: number[] = [];

  /**
   * Adds a pattern.
   *
   * @returns its starting node; undefined, nothing that matters having changed, when it is too large.
   */
  add(pattern: PatternTree): number | undefined {
    try {
      const start = this.#compile(pattern.tree, ACCEPT);
      this.#starts.push(start);
      return start;
    } catch (error) {
      if (error instanceof Unsupported) return undefined;
      throw error;
    }
  }

  /**
   * The nodes reachable from `from` after reading `symbol`, together with every pattern's start: sorted,
   * without duplicates. `symbol` is -1 at the beginning, where a line may or may not begin.
   */
  step(from: readonly number[], symbol: number): number[] {
    const reached: number[] = [];
    const seen = new Set<number>();
    for (const node of from) {
      if (this.#sets[node]?.[symbol]) this.#reach(this.#next[node], symbol, seen, reached);
    }
    for (const start of this.#starts) this.#reach(start, symbol, seen, reached);
    return reached.sort((a, b) => a - b);
  }

  /** Whether a match may have ended on reaching these nodes. */
  accepts(nodes: readonly number[]): boolean {
    return nodes[0] === ACCEPT;
  }

  /** Follows one match from a pattern's starting node; `before` is the symbol before it, -1 if none. */
  begin(start: number, before: number): number[] {
    return this.#preferred((seen, reached) => this.#reach(start, before, seen, reached));
  }

  /** Follows it by one symbol: what the match may go on with, in the pattern's order of preference. */
  follow(nodes: readonly number[], symbol: number): number[] {
    return this.#preferred((seen, reached) => {
      for (const node of nodes) {
        if (this.#sets[node]?.[symbol]) this.#reach(this.#next[node], symbol, seen, reached);
      }
    });
  }

  /** Whether a match that got to `nodes` might be longer by just one more symbol. */
  extensible(nodes: readonly number[]): boolean {
    return nodes.some((node) => {
      const reached: number[] = [];
      if (node !== ACCEPT) this.#reach(this.#next[node], -1, new Set(), reached);
      return reached.includes(ACCEPT);
    });
  }

  /** Once the pattern accepts, what it likes less is out of the question. */
  #preferred(collect: (seen: Set<number>, reached: number[]) => void): number[] {
    const reached: number[] = [];
    collect(new Set(), reached);
    const accepted = reached.indexOf(ACCEPT);
    return accepted < 0 ? reached : reached.slice(0, accepted);
  }

  /** Adds the nodes that wait for a symbol, or accept, reachable without one from `first`, preferred first. */
  #reach(first: number, symbol: number, seen: Set<number>, reached: number[]): void {
    const atLineStart = symbol === 10 || symbol === 13 || symbol === OTHER || symbol < 0;
    const stack = [first];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      if (this.#kind[node] === NODE_SPLIT) stack.push(this.#other[node], this.#next[node]);
      else if (this.#kind[node] !== NODE_LINE_START) reached.push(node);
      else if (atLineStart) stack.push(this.#next[node]);
    }
  }

  #node(kind: number, next: number, other = -1, set?: Uint8Array): number {
    if (this.#kind.length >= MAX_NODES) throw new Unsupported();
    this.#next.push(next);
    this.#other.push(other);
    this.#sets.push(set);
    return this.#kind.push(kind) - 1;
  }

  /** Compiles `tree` so that it goes on to node `next`; returns where it begins. */
  #compile(tree: Tree, next: number): number {
    switch (tree.kind) {
      case "empty":
        return next;
      case "set":
        return this.#node(NODE_SET, next, -1, tree.set);
      case "lineStart":
        return this.#node(NODE_LINE_START, next);
      case "sequence":
        return tree.parts.reduceRight((after, part) => this.#compile(part, after), next);
      case "either":
        return tree.options.map((option) => this.#compile(option, next))
          .reduceRight((others, option) => this.#node(NODE_SPLIT, option, others));
      case "repeat": {
        const copies = tree.max === Infinity ? tree.min : tree.max;
        if (copies > MAX_NODES) throw new Unsupported();
        let start = next;
        if (tree.max === Infinity) {
          start = this.#node(NODE_SPLIT, next);
          this.#choose(start, this.#compile(tree.body, start), next, tree.lazy);
        } else {
          for (let i = tree.min; i < tree.max; i++) {
            const more = this.#compile(tree.body, start);
            start = this.#node(NODE_SPLIT, next);
            this.#choose(start, more, next, tree.lazy);
          }
        }
        for (let i = 0; i < tree.min; i++) start = this.#compile(tree.body, start);
        return start;
      }
    }
  }
  /** Makes a split prefer to go on, or, being lazy, to leave. */
  #choose(split: number, more: number, leave: number, lazy: boolean): void {
    this.#next[split] = lazy ? leave : more;
    this.#other[split] = lazy ? more : leave;
  }
}
