import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { LineLog, ObservationError } from "../../bench/observe.ts";
import { programRuns, speedup, totalMs } from "../../bench/programs.ts";

function console(...pieces: [string, number][]) {
  const log = new LineLog();
  for (const [piece, ms] of pieces) log.add(piece, ms);
  return log.lines;
}

const QEMU = console(
  ["BOOT-OK riscv64\r\nBENCH-START sort\r\n", 1000],
  ["BENCH-END sort 0a\r\nBENCH-START hash\r\n", 1900],
  ["BENCH-END hash 0b\r\n", 3500],
);
const OURS = console(
  ["BENCH-START sort\r\nBENCH-", 100],
  ["END sort 0a\r\nBENCH-START hash\r\n", 200],
  ["BENCH-END hash 0b\r\n", 300],
);

Deno.test("a program's time is from the arrival of its first marker to that of its second", () => {
  assertEquals([...programRuns(QEMU)], [
    ["sort", { ms: 900, checksum: "0a" }],
    ["hash", { ms: 1600, checksum: "0b" }],
  ]);
  assertEquals(totalMs(OURS, ["sort", "hash"]), 200);
});

Deno.test("the speedup is the geometric mean over the programs", () => {
  assertAlmostEquals(speedup(OURS, QEMU, ["sort", "hash"]), 12);
});

Deno.test("a program that did not run, did not end, or computed something else is an error", () => {
  assertThrows(() => totalMs(QEMU, ["fft"]), ObservationError, "fft did not run");
  assertThrows(() => programRuns(console(["BENCH-START sort\n", 1])), ObservationError, "sort did not end");
  const wrong = console(["BENCH-START sort\nBENCH-END sort 0c\n", 5]);
  assertThrows(() => speedup(wrong, QEMU, ["sort"]), ObservationError, "0c is not theirs, 0a");
});
