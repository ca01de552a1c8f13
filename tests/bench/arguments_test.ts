import { assertEquals, assertThrows } from "@std/assert";
import { parseBenchArguments, UsageError } from "../../bench/arguments.ts";
import { FIGURE_NAMES } from "../../bench/figures.ts";

Deno.test("without arguments everything is measured five times", () => {
  assertEquals(parseBenchArguments([]), {
    runs: 5,
    only: FIGURE_NAMES,
    output: ".cache/bench.json",
    cli: undefined,
  });
});

Deno.test("--runs, --only, --output and --cli are taken", () => {
  const args = ["--runs", "7", "--only=boot,tiny", "--output", "x.json", "--cli", "old.js"];
  assertEquals(parseBenchArguments(args), {
    runs: 7,
    only: ["boot", "tiny"],
    output: "x.json",
    cli: "old.js",
  });
});

Deno.test("--help and -h ask for help", () => {
  assertEquals(parseBenchArguments(["--help"]), undefined);
  assertEquals(parseBenchArguments(["-h"]), undefined);
});

Deno.test("what is not understood is named", () => {
  for (
    const [args, message] of [
      [["--fast"], '"--fast" is not understood'],
      [["boot"], '"boot" is not understood'],
      [["--runs", "0"], 'not "0"'],
      [["--runs", "many"], 'not "many"'],
      [["--only", "boot,speed"], 'no figure "speed"'],
      [["--only="], 'no figure ""'],
      [["--output"], "--output needs the name of a file"],
    ] as const
  ) {
    assertThrows(() => parseBenchArguments(args), UsageError, message);
  }
});
