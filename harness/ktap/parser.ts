/**
 * Builds the tree of a suite's results from its lines, as they come.
 *
 * Subtests come before the result line of their suite and are indented, by two columns in KTAP and by four in
 * TAP and older kernels; kselftest's runner puts `# ` before each line of a nested test instead. So open
 * documents are a stack of levels, and a result line of a lower level takes the one above it as its children.
 * Lines of any other form never change a status (KTAP), and the guest may print whatever it likes: depth,
 * results and diagnostics are bounded.
 */
import { classify, type KtapLine, type KtapResultLine, withoutPrintkPrefix } from "./ktap_line.ts";
import type { KtapResult, KtapStatus } from "./result.ts";

/** One document that is open: its results so far. */
interface Level {
  readonly indent: number;
  /** `# ` in front of its lines. */
  readonly comments: number;
  name: string;
  /** The name of the suite whose lines come next (TAP 14 tells it before it indents). */
  nextName: string;
  planned: number | undefined;
  skip: string | undefined;
  readonly children: KtapResult[];
  /** Results in the present document; `children` may hold those of earlier ones. */
  count: number;
  /** Said since the last result. */
  pending: string[];
  /** Said about the suite. */
  readonly notes: string[];
  /** Whether diagnostics follow their result (TAP) or come before it (the kernel). */
  readonly follows: boolean;
}

const MAX_DEPTH = 16;
const MAX_RESULTS = 100_000;
/** Lines kept from the beginning and from the end of a test's diagnostics. */
const FIRST_LINES = 50;
const LAST_LINES = 150;
/** Other lines kept, to show what was printed before a crash. */
const LAST_OTHERS = 30;

/** Takes the lines of one output. */
export class KtapParser {
  readonly #levels: Level[] = [newLevel(0, 0, false)];
  /** The diagnostics of the last result, while more may come; `block` is the margin of its YAML, or -1. */
  #open: { indent: number; lines: string[]; block: number } | undefined;
  #others: string[] = [];
  #results = 0;
  #started = false;
  #bailedOut: string | undefined;

  /** Whether every announced result has come, or the suite gave up. */
  get complete(): boolean {
    if (this.#bailedOut !== undefined) return true;
    const root = this.#levels[0];
    return this.#levels.length === 1 && root.planned !== undefined && root.count >= root.planned;
  }

  /**
   * Takes a line without its end.
   *
   * @param atNs When it was printed, in ns of guest time; printk's own time is preferred.
   */
  line(raw: string, atNs?: number): void {
    const { text, timeNs = atNs } = withoutPrintkPrefix(raw);
    const given = /^(?:# )*/.exec(text)![0].length / 2;
    const opens = given > 0 && given < MAX_DEPTH && classify(text.slice(2 * given)).kind === "version";
    const comments = opens ? given : Math.min(given, this.#levels.at(-1)!.comments);
    const body = text.slice(2 * comments);
    const line = classify(body);
    const at = { ...line, indent: line.indent + 2 * comments } as KtapLine;
    if (this.#block(at, body)) return;
    this.#take(at, comments, timeNs);
  }

  /** The tree, after the last line. What is open now has crashed. */
  end(): KtapResult {
    const root = this.#levels[0];
    const stopped = !this.complete && (this.#levels.length > 1 || root.planned !== undefined);
    while (this.#levels.length > 1) this.#abandon();
    const { children, notes } = root;
    if (!this.#started) notes.push("there are no test results in this output");
    if (this.#bailedOut !== undefined) notes.push(`Bail out! ${this.#bailedOut}`.trim());
    else if (stopped) notes.push(...this.#lastOthers());
    this.#checkPlan(root);
    notes.push(...root.pending);
    let status: KtapStatus = suiteStatus(children);
    if (root.planned === 0 && children.length === 0) status = "skipped";
    else if (!this.#started || this.#bailedOut !== undefined) status = this.#started ? "failed" : "missing";
    else if (stopped) status = "crashed";
    const reason = status === "skipped" ? root.skip : undefined;
    return result("", status, bounded(notes), children, { ...(reason && { reason }) });
  }

  #take(line: KtapLine, comments: number, timeNs: number | undefined): void {
    switch (line.kind) {
      case "version": {
        const level = this.#enter(line.indent, comments, !line.kernel && line.version !== 13);
        // Documents of one margin follow each other, as when modules with tests are loaded in turn.
        if (level && level.planned !== undefined) this.#nextDocument(level);
        this.#started = true;
        return;
      }
      case "plan": {
        const level = this.#enter(line.indent, comments, true);
        if (!level) return;
        level.planned = line.count;
        level.skip = line.skip;
        this.#started = true;
        return;
      }
      case "subtest": {
        const top = this.#levels.at(-1)!;
        if (line.indent > top.indent) this.#push(line.indent, comments, top.follows);
        const level = this.#levels.at(-1)!;
        const own = this.#levels.length > 1 && level.count === 0 && level.name === "";
        level[own ? "name" : "nextName"] = line.name;
        return;
      }
      case "result":
        // "ok" alone begins many a sentence; only TAP has results without a number.
        if (line.number === undefined && !(this.#started && this.#levels.at(-1)!.follows)) return;
        return this.#result(line, comments, timeNs);
      case "diagnostic":
        return this.#diagnostic(line.indent, line.text);
      case "bailOut":
        if (this.#started) this.#bailedOut ??= line.reason;
        return;
      case "other":
        // kselftest's runner comments out whatever a test prints.
        if (comments > 0) this.#diagnostic(line.indent, line.text);
        else this.#other(line.text);
    }
  }

  /** The level for a document's first lines, made where it is a new one. */
  #enter(indent: number, comments: number, follows: boolean): Level | undefined {
    while (this.#levels.length > 1 && this.#levels.at(-1)!.indent > indent) this.#abandon();
    const top = this.#levels.at(-1)!;
    if (indent > top.indent) return this.#push(indent, comments, follows);
    if (this.#started || this.#levels.length > 1) return top;
    return this.#levels[0] = { ...top, follows };
  }

  #push(indent: number, comments: number, follows: boolean): Level | undefined {
    if (this.#levels.length === MAX_DEPTH) return undefined;
    const level = newLevel(indent, comments, follows);
    const top = this.#levels.at(-1)!;
    [level.name, top.nextName] = [top.nextName, ""];
    this.#levels.push(level);
    this.#open = undefined;
    return level;
  }

  #nextDocument(level: Level): void {
    this.#checkPlan(level);
    level.planned = undefined;
    level.count = 0;
  }

  #result(line: KtapResultLine, comments: number, timeNs: number | undefined): void {
    this.#started = true;
    let suite: Level | undefined;
    while (this.#levels.length > 1 && this.#levels.at(-1)!.indent > line.indent) {
      if (this.#levels.at(-2)!.indent > line.indent) this.#abandon();
      else suite = this.#levels.pop();
    }
    let level = this.#levels.at(-1)!;
    if (!suite && line.indent > level.indent) {
      level = this.#push(line.indent, comments, level.follows) ?? level;
    }
    level.count++;
    if (++this.#results > MAX_RESULTS) {
      if (this.#results === MAX_RESULTS + 1) append(level.notes, `only ${MAX_RESULTS} results are shown`);
      if (isFailure(line)) append(level.notes, `not shown, and failed: ${line.name}`);
      return;
    }
    const lines = level.follows ? [] : level.pending;
    if (!level.follows) level.pending = [];
    if (line.number !== undefined && line.number !== level.count) {
      append(level.notes, `result ${level.count} calls itself number ${line.number}`);
    }
    if (suite) {
      this.#checkPlan(suite);
      lines.push(...suite.notes, ...suite.pending);
    }
    const children = suite?.children ?? [];
    let status = lineStatus(line);
    if (status === "passed" && children.some(({ ok }) => !ok)) {
      status = "failed";
      lines.push("the suite says ok, but not everything in it is");
    }
    const name = line.name || suite?.name || `test ${level.count}`;
    const { directive, reason } = line;
    level.children.push(result(name, status, lines, children, {
      ...(directive && { directive }),
      ...(reason !== undefined && { reason }),
      ...(timeNs !== undefined && { timeNs }),
    }));
    this.#open = { indent: line.indent, lines, block: -1 };
    this.#others = [];
  }

  #diagnostic(indent: number, text: string): void {
    const level = this.#levels.findLast((level) => level.indent <= indent) ?? this.#levels[0];
    const follows = level.follows && this.#open?.indent === level.indent;
    append(follows ? this.#open!.lines : level.pending, text);
  }

  #other(text: string): void {
    if (text.trim() === "") return;
    if (this.#others.length >= 2 * LAST_OTHERS) this.#others = this.#lastOthers();
    this.#others.push(text);
  }

  #lastOthers(): string[] {
    return this.#others.slice(-LAST_OTHERS);
  }

  /** YAML between `---` and `...`, indented, after a result (TAP 13 and 14). */
  #block(line: KtapLine, body: string): boolean {
    const open = this.#open;
    if (!open) return false;
    if (open.block === -1) {
      if (line.kind !== "block" || line.indent <= open.indent) return false;
      open.block = body.length - body.trimStart().length;
      return true;
    }
    if (line.indent <= open.indent && body.trim() !== "") {
      open.block = -1;
      return false;
    }
    if (/^\s*\.\.\.\s*$/.test(body)) open.block = -1;
    else append(open.lines, body.slice(open.block).trimEnd());
    return true;
  }

  /** Closes the innermost suite, whose result line did not come. */
  #abandon(): void {
    const level = this.#levels.pop()!;
    const parent = this.#levels.at(-1)!;
    this.#checkPlan(level);
    const lines = [
      "its result never came: the kernel died or the output stopped",
      ...level.notes,
      ...level.pending,
      ...this.#lastOthers(),
    ];
    const number = parent.count + 1;
    parent.count++;
    parent.children.push(
      result(level.name || `test ${number}`, "crashed", bounded(lines), level.children, {}),
    );
    this.#others = [];
  }

  /** Compares what came with what was announced. */
  #checkPlan(level: Level): void {
    const { planned, count } = level;
    if (planned === undefined || planned === count) return;
    append(level.notes, `${planned} tests were announced and ${count} results came`);
    if (planned < count) {
      level.children.push(
        result("more results than announced", "failed", [level.notes.at(-1)!], [], {}),
      );
      return;
    }
    const first = count + 1;
    const name = first === planned ? `test ${first}` : `tests ${first} to ${planned}`;
    level.children.push(result(name, "missing", ["announced, but no result came"], [], {}));
  }
}

/** Reads a whole output: text, or its lines. */
export function parseKtap(output: string | Iterable<string>): KtapResult {
  const parser = new KtapParser();
  for (const line of typeof output === "string" ? output.split(/\r*\n/) : output) parser.line(line);
  return parser.end();
}

function newLevel(indent: number, comments: number, follows: boolean): Level {
  return {
    indent,
    comments,
    name: "",
    nextName: "",
    planned: undefined,
    skip: undefined,
    children: [],
    count: 0,
    pending: [],
    notes: [],
    follows,
  };
}

function result(
  name: string,
  status: KtapStatus,
  diagnostics: readonly string[],
  children: readonly KtapResult[],
  rest: Pick<KtapResult, "directive" | "reason" | "timeNs">,
): KtapResult {
  const ok = status === "passed" || status === "skipped" || status === "todo";
  return { name, ok, status, ...rest, diagnostics, children };
}

function lineStatus(line: KtapResultLine): KtapStatus {
  if (line.directive === "SKIP") return "skipped";
  if (line.directive === "TODO" || line.directive === "XFAIL") return "todo";
  return isFailure(line) ? "failed" : "passed";
}

function isFailure({ ok, directive }: KtapResultLine): boolean {
  if (directive === "TIMEOUT" || directive === "ERROR") return true;
  return !ok && directive === undefined;
}

function suiteStatus(children: readonly KtapResult[]): KtapStatus {
  if (children.some(({ ok }) => !ok)) return "failed";
  const skipped = children.length > 0 && children.every(({ status }) => status === "skipped");
  return skipped ? "skipped" : "passed";
}

/** Adds a line; of too many, those in the middle go. */
function append(lines: string[], text: string): void {
  lines.push(text);
  if (lines.length > FIRST_LINES + 2 * LAST_LINES) lines.splice(0, lines.length, ...bounded(lines));
}

function bounded(lines: readonly string[]): string[] {
  const dropped = lines.length - FIRST_LINES - LAST_LINES;
  if (dropped <= 1) return [...lines];
  return [...lines.slice(0, FIRST_LINES), "[…]", ...lines.slice(-LAST_LINES)];
}
