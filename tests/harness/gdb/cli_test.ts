import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { kernelPath } from "../../../fixtures/kernels.ts";
import { GdbClient } from "./_client.ts";

const CLI = join(import.meta.dirname!, "../../../harness/cli.ts");
const PERMISSIONS = ["--allow-read", "--allow-sys=systemMemoryInfo"];
const TINY = ["--arch", "riscv64", "--memory", "16M", "--engine", "interpreter"];

function start(args: string[], permissions: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", ...PERMISSIONS, ...permissions, CLI, "run", ...TINY, ...args],
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("--gdb waits for gdb before the first instruction, and streams the console meanwhile", async () => {
  const args = ["--kernel", kernelPath("hello"), "--gdb", "0"];
  await using child = start(args, ["--allow-net=127.0.0.1"]);
  const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  const { value: line = "" } = await stderr.read();
  const [, hostname, port] = /target remote (\S+):(\d+)\n$/.exec(line) ?? [];
  using gdb = await GdbClient.attach({ address: { hostname, port: Number(port) } });
  assertEquals(await gdb.monitor("info instructions"), "0\n");
  await gdb.ask("Z0,80000028,4"); // putc's return
  for (let i = 0; i < 3; i++) {
    assertMatch(await gdb.ask("c"), /^T05thread:1;swbreak:;/);
    await gdb.ask("s");
  }
  const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.length < 3) text += (await stdout.read()).value;
  assertEquals(text, "Hel");
  assertEquals(await gdb.ask("D"), "OK");
  for (let chunk; !(chunk = await stdout.read()).done;) text += chunk.value;
  assertEquals(text, "Hello from riscv64\n");
  assertEquals([(await child.status).code, (await stderr.read()).done], [0, true]);
});

Deno.test("--gdb without a port, or without the permission, is refused", async () => {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const bad = await start(["--kernel", kernelPath("hello"), "--gdb", "x"], []).output();
  assertEquals([bad.code, text(bad.stderr)], [2, `bootwright: --gdb is a port, not "x".\n`]);
  const refused = await start(["--kernel", kernelPath("hello"), "--gdb", "0"], []).output();
  assertEquals(refused.code, 3);
  assertStringIncludes(text(refused.stderr), "needs the permission --allow-net=127.0.0.1");
});
