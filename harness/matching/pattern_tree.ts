/**
 * Parses a regular expression, for `pattern_nfa.ts`. What cannot be told without context is widened, so that the
 * tree matches too much but never too little: a back-reference is "anything", a lookbehind is "nothing".
 * Lookaheads and nested classes are refused: they may decide a match only after its end.
 *
 * Input symbols are 0..127 for ASCII and {@linkcode OTHER} for every other UTF-16 unit.
 * Syntax: ECMAScript 2025, section 22.2.1 (Patterns).
 */

/** The symbol of every unit outside of ASCII. */
export const OTHER = 128;
/** Number of input symbols. */
export const SYMBOLS = 129;

const ANY = new Uint8Array(SYMBOLS).fill(1);

/** What a pattern is made of. */
export type Tree =
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
  /** The whole. */
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
