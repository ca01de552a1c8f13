/** What a guest prints must never cost more than time in proportion to its length. */
import { assert } from "@std/assert";
import { splitLine } from "../../../harness/faults/printk.ts";
import { CRASH_RULES } from "../../../harness/faults/rules.ts";
import { parseFrame, parseLockSite } from "../../../harness/faults/stack.ts";
import { fillTitle, normalise } from "../../../harness/faults/title.ts";
import { Watch } from "./_watch.ts";

const LENGTH = 64 * 1024;
/** A quadratic match of 64 Ki characters takes seconds, a linear one well under a millisecond. */
const LIMIT_MS = 100;
/** A busy host takes its time now and then, but not always. */
const TRIES = 5;

/** Lines that begin as a text does and go on with any part of it, or with characters of any kind, for long. */
function adversaries(text: string): string[] {
  const tails = [
    "a",
    " ",
    "0",
    "f",
    "(",
    "[",
    "]",
    ":",
    "a ",
    "0 ",
    ": ",
    "[ ",
    "<",
    "+0x0/0x0 ",
    "- ",
    "A_",
  ];
  const lines = tails.flatMap((tail) =>
    [8, 20, 40, text.length].map((cut) => fill(text.slice(0, cut), tail))
  );
  for (let cut = 0; cut < text.length; cut += 7) {
    lines.push(fill(text.slice(0, cut), text.slice(cut, cut + 9)));
  }
  return lines;
}

function fill(head: string, tail: string): string {
  return head + tail.repeat(Math.ceil(LENGTH / tail.length));
}

function assertQuick(what: string, run: () => void): void {
  let ms = Infinity;
  for (let i = 0; i < TRIES && ms >= LIMIT_MS; i++) {
    const start = performance.now();
    run();
    ms = performance.now() - start;
  }
  assert(ms < LIMIT_MS, `${what}: ${ms.toFixed(0)} ms for 64 KiB`);
}

for (const rule of CRASH_RULES) {
  Deno.test(`${rule.id}: its expression takes linear time`, () => {
    const texts = [rule.example, ...rule.lookalikes.map(({ line }) => line)]
      .map((line) => splitLine(line)[0].message);
    for (const text of [...texts, ...rule.begins]) {
      for (const line of adversaries(text)) {
        assertQuick(line.slice(0, 60), () => {
          rule.expression.test(line);
          for (const { expression } of rule.except) expression.test(line);
          if (rule.end.kind === "mark") rule.end.mark.test(line);
        });
      }
    }
  });
}

Deno.test("prefixes, frames, titles and whole lines are read in linear time", () => {
  const texts = [
    "[    1.000000] [    1.000000][ T12] x",
    "<6>[   12.345678][    C0] foo",
    " ? chunk_read+0x84/0xf0 [sample]",
    "[<ffffffff80006b5e>] chunk_read+0x84/0xf0",
    "RIP: 0010:[<ffffffff83408ca0>]  [<ffffffff83408ca0>] chunk_read+0x190/0x290",
    "x (&a->lock){+.+.}-{3:3}, at: [<ffffffff83408ca0>] sample_write+0x84/0x2a0",
    "[    2.000000] Kernel panic - not syncing: ",
  ];
  for (const line of texts.flatMap(adversaries)) {
    const watch = new Watch().boot();
    assertQuick(line.slice(0, 60), () => {
      parseFrame(line);
      parseLockSite(line);
      normalise(line);
      fillTitle("$1{ in @| in $2}", ["", line, line], line);
      watch.faults.line(line);
    });
  }
});
