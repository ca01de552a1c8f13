import { assert, assertEquals } from "@std/assert";
import { Recording } from "../../harness/recording.ts";

Deno.test("marks are a tenth of a millisecond apart, and say what was printed before", () => {
  const recording = new Recording();
  for (let i = 0; i < 500; i++) recording.note(i * 1000, i);
  assertEquals(recording.marks().slice(0, 3), [
    { atNs: 0, offset: 0 },
    { atNs: 100_000, offset: 100 },
    { atNs: 200_000, offset: 200 },
  ]);
  assertEquals(recording.marks().length, 5);
});

Deno.test("a guest that prints for hours has a bounded number of marks, in order, from first to last", () => {
  const recording = new Recording();
  for (let i = 0; i < 300_000; i++) recording.note(i * 1_000_000, i);
  const marks = recording.marks();
  assert(marks.length <= 65536 && marks.length > 30_000, `${marks.length} marks`);
  assertEquals(marks[0], { atNs: 0, offset: 0 });
  assert(marks.at(-1)!.offset > 299_000);
  assert(
    marks.every(({ atNs, offset }, i) => atNs === offset * 1e6 && (i === 0 || atNs > marks[i - 1].atNs)),
  );
});
