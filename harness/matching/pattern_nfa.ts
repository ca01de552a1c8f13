/**
 * Regular expressions as a nondeterministic automaton, for one purpose: to say, character by character, whether a
 * match *could* end here, and whether it could go on. The real RegExp then confirms, so the automaton may accept
 * too much but never too little.
 */
import { OTHER, type PatternTree, type Tree } from "./pattern_tree.ts";

const MAX_NODES = 4000;

/** Thrown inside of this file for a pattern that would need too many nodes. */
class TooLarge extends Error {}

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
      if (error instanceof TooLarge) return undefined;
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
    if (this.#kind.length >= MAX_NODES) throw new TooLarge();
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
        if (copies > MAX_NODES) throw new TooLarge();
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
