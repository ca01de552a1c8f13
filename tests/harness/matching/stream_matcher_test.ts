import { canMatchEmpty } from "../../../harness/matching/empty_match.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InputError } from "../../../harness/errors.ts";
import { type Pattern, SMALL_WINDOW, StreamMatcher } from "../../../harness/matching/stream_matcher.ts";

type Found = [at: number, text: string, pattern: number] | undefined;

/** Streams `text`; gives the offset at which the first match was known to be complete, and the match. */
function firstMatch(patterns: Pattern[], text: string): Found {
  const matcher = new StreamMatcher(patterns);
  for (let i = 0; i < text.length; i++) {
    const mayMatch = matcher.feed(text.charCodeAt(i));
    const soFar = text.slice(0, i + 1);
    let found = matcher.open && matcher.extend(soFar, i + 1);
    if (mayMatch && !found && !matcher.open) {
      found = matcher.search(soFar, Math.max(0, i + 1 - matcher.window), i + 1);
    }
    if (found) return [i + 1, found.match[0], found.pattern];
  }
  const settled = matcher.settle();
  return settled && [text.length, settled.match[0], settled.pattern];
}

/**
 * The same, by asking the RegExp about every prefix: the first prefix with a match, and from there on as long
 * as every further character makes that match longer.
 */
function oracle(pattern: RegExp, text: string): [text: string, start: number] | undefined {
  const expression = new RegExp(pattern.source, [...new Set(`gm${pattern.flags}`)].join(""));
  const sticky = new RegExp(expression.source, expression.flags.replace("g", "y"));
  for (let i = 1; i <= text.length; i++) {
    expression.lastIndex = 0;
    let match = expression.exec(text.slice(0, i));
    if (!match) continue;
    const start = match.index;
    for (let end = i; match && start + match[0].length === end && end < text.length;) {
      sticky.lastIndex = start;
      match = sticky.exec(text.slice(0, ++end));
    }
    if (match) return [match[0], start];
  }
  return undefined;
}

Deno.test("a string matches on its last character", () => {
  assertEquals(firstMatch(["login: "], "debian login: root"), [14, "login: ", 0]);
});

Deno.test("a string's special characters stand for themselves", () => {
  assertEquals(firstMatch(["[ OK ] a+b (1.0)?"], "x [ OK ] a+b (1.0)? y")?.[0], 19);
});

Deno.test("of several patterns the one completed first wins, the first listed on a tie", () => {
  assertEquals(firstMatch(["panic", "login:", /log.n:/], "login: panic"), [6, "login:", 1]);
  assertEquals(firstMatch([/lo.in:/, "login:"], "login:"), [6, "login:", 0]);
});

Deno.test("a match is complete when the next character could not make it longer", () => {
  assertEquals(firstMatch([/\d+/], "n=42\n"), [5, "42", 0]);
  assertEquals(firstMatch([/(\d+)\n/], "n=42\n."), [5, "42\n", 0]);
  assertEquals(firstMatch([/BOOT-OK (\w+)/], "BOOT-OK riscv64\r\n"), [16, "BOOT-OK riscv64", 0]);
  assertEquals(firstMatch([/login: ?/], "login:\n"), [7, "login:", 0]);
  assertEquals(firstMatch([/a{2,3}/], "aaaa"), [3, "aaa", 0]);
});

Deno.test("a prompt is complete with its last character, whatever came before it", () => {
  for (const pattern of [/# $/, /^.*# $/, /\S+ # $/, /(.*)(~|\/) # /, "# "]) {
    assertEquals(firstMatch([pattern], "root ~ # ")?.[0], 9, String(pattern));
    assertEquals(firstMatch([pattern], "root ~ # x")?.[0], 9, String(pattern));
  }
});

Deno.test("a lazy end is complete with the least there is", () => {
  assertEquals(firstMatch([/\d+?/], "n=42\n"), [3, "4", 0]);
  assertEquals(firstMatch([/ab|abc/], "abc"), [2, "ab", 0]);
  assertEquals(firstMatch([/abc|ab/], "abc"), [3, "abc", 0]);
});

Deno.test("a match that the next character undoes is none", () => {
  assertEquals(firstMatch([/ok\b/], "okay ok"), [7, "ok", 0]);
  assertEquals(firstMatch([/\d+$/], "12a 34\n"), [7, "34", 0]);
});

Deno.test("^ and $ are the ends of lines", () => {
  assertEquals(firstMatch([/^# $/], "a # \r\n# "), [8, "# ", 0]);
});

Deno.test("patterns decided after their end are found where they are decided", () => {
  for (
    const [pattern, text] of [
      [/foo(?=bar)/, "foo foobar"],
      [/foo(?!bar)/, "foobar foo"],
      [/: \b/, "a: \nb: c"],
      [/o\B/, "o fo ox"],
      [/(?<=^key )\w\w/, "no key ab\nkey xy"],
      [/(\w)\1/, "abcdeffg"],
      [/(?<q>['"]).*\k<q>/, `say "it's" it`],
      [/[\p{Lu}--[A-Z]]/v, "abcÄ"],
      [/(?i:OK)-(?-s:.)/, "ok-\n oK-x"],
    ] as [RegExp, string][]
  ) {
    assertEquals(firstMatch([pattern], text)?.[1], oracle(pattern, text)?.[0], String(pattern));
  }
});

Deno.test("characters outside of ASCII match, in every flag", () => {
  for (
    const [pattern, text] of [
      [/größe \d/, "die größe 7"],
      [/a.c/u, "a😀c"],
      [/😀{2}!/u, "😀 😀😀!"],
      [/[^a]😀/, "a😀b😀"],
      [/[😀-😂]x/u, "😁x"],
      [/\u{1F600}/u, "x😀"],
      [/\p{L}+!/u, "åé!"],
      [/k/iu, "\u212a"],
      [/[^\u212a]s/iu, "\u212as ks as"],
      [/[^\W]z/iu, "\u017fz"],
      [/\x41\cI\t\0/, "A\t\t\0"],
    ] as [RegExp, string][]
  ) {
    assertEquals(firstMatch([pattern], text)?.[1], oracle(pattern, text)?.[0], String(pattern));
  }
});

Deno.test("random patterns match what the RegExp itself first does", () => {
  let seed = 12345;
  const random = (n: number) => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) % n;
  const atom = (depth: number): string => {
    switch (random(depth > 0 ? 9 : 6)) {
      case 0:
        return "ab\nc"[random(4)];
      case 1:
        return ["[ab]", "[^a]", "[^\\n]", "\\w", "\\s", "[\\d-]", "\\W"][random(7)];
      case 2:
        return ".";
      case 3:
        return ["^", "$", "\\b", "b", "é"][random(5)];
      case 4:
      case 5:
        return "abc"[random(3)];
      case 6:
        return `(${alternatives(depth - 1)})`;
      case 7:
        return `(?:${alternatives(depth - 1)})${["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"][random(7)]}`;
      default:
        return `(${atom(0)})${["", "\\1"][random(2)]}`;
    }
  };
  const sequence = (depth: number) => Array.from({ length: 1 + random(4) }, () => atom(depth)).join("");
  const alternatives = (depth: number): string =>
    random(3) ? sequence(depth) : `${sequence(depth)}|${sequence(depth)}`;
  let tried = 0;
  for (let round = 0; round < 4000; round++) {
    let pattern: RegExp;
    try {
      pattern = new RegExp(alternatives(2), ["", "i", "s", "u", "iu"][random(5)]);
    } catch {
      continue;
    }
    const text = Array.from({ length: 24 }, () => "aabbc \né-A1"[random(11)]).join("");
    if (canMatchEmpty(pattern.source, `${pattern.flags}m`)) continue;
    for (const [match] of text.matchAll(new RegExp(pattern, `${pattern.flags}gm`))) assert(match !== "");
    const found = firstMatch([pattern], text);
    assertEquals(found?.[1], oracle(pattern, text)?.[0], `${pattern} in ${JSON.stringify(text)}`);
    tried++;
  }
  assert(tried > 1500, `only ${tried} patterns were tried`);
});

Deno.test("a pattern that can match nothing is refused", () => {
  const looks = [
    /\b/,
    /\B/,
    /(?=login)/,
    /(?!x)/i,
    /(?<=: )$/,
    /(?<!a)/,
    /x|\b/,
    /(?:(?=(a))|b)\1/,
    /(?=[)(?=])/,
  ];
  for (const pattern of ["", /a*/, /^/, /$/, /x|/, /()\1/, /(?:a|b?){2}/s, ...looks, /[[a-z]--[b]]*/v]) {
    assertThrows(() => new StreamMatcher([pattern]), InputError, "can match the empty string", `${pattern}`);
  }
  for (
    const pattern of [
      ...[
        /login(?=:)/,
        /(?<=a)b/,
        /\bx/,
        /[(?=]/,
        /[\b]/,
        /[^]/,
        /\^/,
        /\(\)/,
        /\\/,
        /[\]$]/,
        /(?<n>a)\k<n>/,
        /[$^]/,
      ],
      ...[/(?!a)./, /[[$]]/v, /[\q{ab|c}]/v],
    ]
  ) new StreamMatcher([pattern]);
  assertThrows(() => new StreamMatcher([]), InputError, "no pattern");
});

Deno.test("patterns too large for an automaton still match", () => {
  const pattern = /(?:a{100}){100}b/;
  assertEquals(new StreamMatcher([pattern]).window, SMALL_WINDOW);
  assertEquals(firstMatch([/(?:(?:xy){50}){60}|end/], "the end"), [7, "end", 0]);
});

Deno.test("ten megabytes pass forty rules in a few seconds", () => {
  const rules = Array.from(
    { length: 40 },
    (_, i) => new RegExp(`^\\[ *[\\d.]+\\] rule ${i}: (.*) at [0-9a-f]+`),
  );
  const matcher = new StreamMatcher(rules);
  const line = "[    1.234567] riscv-plic: mapped 53 interrupts with 1 handlers for 2 contexts.\n";
  const start = performance.now();
  for (let i = 0; i < 10e6; i++) assert(!matcher.feed(line.charCodeAt(i % line.length)));
  assert(performance.now() - start < 5000);
});
