import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { kernelPath } from "../../fixtures/kernels.ts";
import { escapeText, unescapeText } from "../../harness/escapes.ts";

const PERMISSIONS = ["--allow-read", "--allow-write", "--allow-sys=systemMemoryInfo"];
const CLI = join(import.meta.dirname!, "../../harness/cli.ts");
const TINY = ["--arch", "riscv64", "--memory", "16M", "--engine", "interpreter"];

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

async function bootwright(args: string[], permissions = PERMISSIONS): Promise<Outcome> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", ...permissions, CLI, ...args],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const run = (kernel: Parameters<typeof kernelPath>[0], ...args: string[]) =>
  bootwright(["run", ...TINY, "--kernel", kernelPath(kernel), ...args]);

Deno.test("a clean power-off is success, and stdout has the console's bytes and nothing else", async () => {
  assertEquals(await run("hello"), { code: 0, stdout: "Hello from riscv64\n", stderr: "" });
});

Deno.test("--expect and --send take effect in the order written", async () => {
  const steps = [
    "--expect",
    "ready",
    "--send",
    "ab\\n",
    "--expect",
    "^ab$",
    "--send",
    "quit\\n",
    "--expect",
    "bye",
  ];
  const { code, stdout, stderr } = await run("echo", ...steps);
  assertEquals([code, stdout, stderr], [0, "echo ready\nab\nquit\nbye", ""]);
  const swapped = await run("echo", "--expect", "bye", "--send", "quit\\n", "--expect", "ready");
  assertEquals(swapped.code, 1);
});

Deno.test("a panic is a failure with its report, unless its words were expected", async () => {
  const panic = await run("panic", "--expect", "login:", "--within", "1h");
  assertEquals(panic.code, 1);
  assertStringIncludes(panic.stderr, "kernel panic: sysrq triggered crash");
  assertStringIncludes(panic.stderr, "| [    0.100120] [<ffffffff806f1064>] sysrq_handle_crash");
  for (const words of ["Kernel panic", "triggered", "end Kernel panic"]) {
    const { code, stderr } = await run("panic", "--expect", words);
    assertEquals([code, stderr], [0, ""], words);
  }
});

Deno.test("--fault says what a crash does", async () => {
  const ignored = await run("panic", "--fault", "panic=ignore", "--within", "10ms");
  assertStringIncludes(ignored.stderr, "10.000 ms of guest time went by");
  for (
    const [value, message] of [
      ["panic", "--fault is written NAME=CLASS"],
      ["panick=fatal", 'no crash rule or family "panick". Did you mean panic?'],
      ["panic=fatl", '"fatl" is no class of faults'],
    ]
  ) {
    const { code, stderr } = await run("panic", "--fault", value);
    assertEquals(code, 2);
    assertStringIncludes(stderr, message);
  }
});

Deno.test("the guest's failures exit with 1", async () => {
  for (
    const [kernel, args, message] of [
      ["fault", [], "the guest ended with code 2"],
      ["reset", [], "the guest asked for a reset"],
      ["nowhere", [], "triple fault"],
      ["spin", ["--within", "1ms"], "1.000 ms of guest time went by"],
      ["echo", [], "can never progress"],
      ["hello", ["--expect", "Goodbye"], "Waited for /Goodbye/"],
    ] as const
  ) {
    const { code, stderr } = await run(kernel, ...args);
    assertEquals(code, 1, kernel);
    assertStringIncludes(stderr, message);
    assertStringIncludes(stderr, "reproduce: bootwright run");
  }
});

Deno.test("the watchdog exits with 124", async () => {
  const { code, stderr } = await run("spin", "--within", "1h", "--watchdog", "300ms");
  assertEquals(code, 124);
  assertMatch(stderr, /watchdog struck after \d+\.\d{3} ms of wall time/);
});

Deno.test("Ctrl-C ends a run whose console was printed as it came", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...PERMISSIONS, CLI, "run", ...TINY, "--kernel", kernelPath("flood")],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (text.length < 10_000 && text.length + chunk.length >= 10_000) child.kill("SIGINT");
    text += chunk;
  }
  assertEquals((await child.status).signal, "SIGINT");
  const lines = text.split("\n").slice(0, -1);
  assertEquals(lines, lines.map((_, i) => `flood ${i}`));
});

Deno.test("bad usage exits with 2, one sentence, and nothing on stdout", async () => {
  for (
    const [args, message] of [
      [[], "Which command?"],
      [["rum"], "Did you mean run?"],
      [["run", "--kernl", "x"], "Did you mean --kernel?"],
      [["run", "x"], `"x" is no option`],
      [["run", "--arch"], "--arch needs a value"],
      [["run", "--digest=yes"], "takes no value"],
      [["run", "--kernel", "x"], "--arch is missing"],
      [["run", "--arch", "riscv64"], "--kernel is missing"],
      [["run", "--arch", "risc64", "--kernel", kernelPath("hello")], "Did you mean riscv64?"],
      [["run", ...TINY, "--kernel", "missing"], "there is no such file"],
      [["run", ...TINY, "--kernel", kernelPath("hello"), "--expect", "("], "is no regular expression"],
      [["run", ...TINY, "--kernel", kernelPath("hello"), "--expect", ""], "empty string"],
      [["run", ...TINY, "--kernel", kernelPath("hello"), "--within", "5"], "no length of time"],
      [["run", ...TINY, "--kernel", kernelPath("hello"), "--cpus", "two"], "--cpus is a number"],
      [["run", ...TINY, "--kernel", kernelPath("hello"), "--memory", "0"], "0 bytes are none"],
      [["run", ...TINY, "--kernel", kernelPath("hello"), "--memory", "9999G"], "more than the host's"],
      [["run", ...TINY, "--kernel", kernelPath("hello"), "--json", "no/such/folder/x"], "cannot be written"],
    ] as const
  ) {
    const { code, stdout, stderr } = await bootwright([...args]);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assertStringIncludes(stderr, message);
    assertEquals(stderr.trim().split("\n").length, 1);
  }
});

Deno.test("without --allow-ffi, auto says that it uses the interpreter, and dbt is refused with 3", async () => {
  const kernel = kernelPath("hello");
  const auto = await bootwright(["run", "--arch", "riscv64", "--memory", "16M", "--kernel", kernel]);
  assertEquals([auto.code, auto.stdout], [0, "Hello from riscv64\n"]);
  assertMatch(auto.stderr, /^bootwright: .*interpreter.*\n$/);
  const dbt = await bootwright(["run", "--arch", "riscv64", "--kernel", kernel, "--engine", "dbt"]);
  assertEquals(dbt.code, 3);
  assertMatch(dbt.stderr, /^bootwright: .*\n$/);
});

Deno.test("without --allow-read a path is refused with the permission's name", async () => {
  const { code, stderr } = await bootwright(
    ["run", ...TINY, "--kernel", "/elsewhere/Image"],
    [`--allow-read=${join(import.meta.dirname!, "../..")}`],
  );
  assertEquals(code, 2);
  assertStringIncludes(stderr, "--allow-read was not granted");
});

Deno.test("--json holds what happened, the same on every run", async () => {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  const results = [];
  for (let i = 0; i < 2; i++) {
    const { code } = await run(
      "timer",
      "--expect",
      "tick (\\d)",
      "--expect",
      "done",
      "--json",
      file,
      "--digest",
    );
    assertEquals(code, 0);
    results.push(JSON.parse(await Deno.readTextFile(file)));
  }
  const [{ hostMs, ...first }, { hostMs: _, ...second }] = results;
  assert(hostMs > 0);
  assertEquals(first, second);
  assertEquals(Object.keys(results[0]), [
    "exit",
    "engine",
    "deterministic",
    "instructions",
    "guestTimeNs",
    "hostMs",
    "matches",
    "consoleSha256",
    "ramSha256",
  ]);
  assertEquals([first.exit, first.engine, first.deterministic], [null, "interpreter", true]);
  const { guestTimeNs, instructions, ...match } = first.matches[0];
  assertEquals(match, { pattern: "tick (\\d)", text: "tick 1", groups: ["1"] });
  assert(guestTimeNs > instructions && instructions > 0);
  assertMatch(first.ramSha256, /^[0-9a-f]{64}$/);
  await Deno.remove(file);
});

Deno.test("--json is written for failures too, without ramSha256 unless asked for", async () => {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  const { code, stdout } = await run("fault", "--json", file);
  const result = JSON.parse(await Deno.readTextFile(file));
  assertEquals([code, result.exit], [1, { kind: "debugExit", code: 2 }]);
  assertEquals("ramSha256" in result, false);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(stdout)));
  assertEquals(result.consoleSha256, digest.toHex());
  await Deno.remove(file);
});

Deno.test("help and doctor exit with 0", async () => {
  for (const args of [["--help"], ["help", "run"], ["run", "--help"], ["run", "-h"], ["doctor", "--help"]]) {
    const { code, stdout } = await bootwright(args, []);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "Usage: bootwright");
  }
  assertStringIncludes((await bootwright(["run", "--help"], [])).stdout, "Examples:");
  assertMatch((await bootwright(["--version"], [])).stdout, /^bootwright \d+\.\d+\.\d+\n$/);
  const { code, stdout } = await bootwright(["doctor"], []);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "engine dbt          The translator needs --allow-ffi");
});

Deno.test("what --send types can be written with escapes", () => {
  assertEquals(unescapeText("a\\n\\x03\\\\n\\q\\e[A"), "a\n\x03\\n\\q\x1b[A");
  for (const text of ["a\nb\\n\x7f\x1b\t", "plain", "\\x41"]) {
    assertEquals(unescapeText(escapeText(text)), text);
  }
});
