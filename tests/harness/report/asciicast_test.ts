import { assert, assertEquals } from "@std/assert";
import { asciicast } from "../../../harness/report/asciicast.ts";
import { tiny } from "../_tiny.ts";
import { sampleConsole } from "./_samples.ts";

function parse(
  lines: Iterable<string>,
): { header: Record<string, unknown>; events: [number, string, string][] } {
  const [header, ...events] = [...lines].join("").trimEnd().split("\n").map((line) => JSON.parse(line));
  return { header, events };
}

Deno.test("an asciicast has a header, and output at guest times", () => {
  const console = sampleConsole(["one\r\n", "two\x1b[0m\r\n"], { columns: 132, rows: 43 });
  const { header, events } = parse(asciicast(console, "a test"));
  assertEquals(header, { version: 2, width: 132, height: 43, title: "a test" });
  assertEquals(events, [[0.001, "o", "one\r\n"], [0.002, "o", "two\x1b[0m\r\n"]]);
});

Deno.test("a character that two pieces share is whole in the second", () => {
  const bytes = new TextEncoder().encode("aé€b");
  const recording = [0, 2, 4, 5].map((offset, i) => ({ atNs: i * 1e6, offset }));
  const { events } = parse(asciicast({ line: 0, name: "", bytes, recording }, ""));
  assertEquals(events.map(([, , text]) => text).join(""), "aé€b");
  assert(events.every(([, , text]) => !text.includes("\ufffd")));
});

Deno.test("where the beginning was dropped, the recording goes on with what is left", () => {
  const console = {
    ...sampleConsole(["one\n", "two\n", "six\n"]),
    bytes: new TextEncoder().encode("o\nsix\n"),
  };
  const { events } = parse(asciicast({ ...console, droppedBytes: 6 }, ""));
  assertEquals(events, [[0.002, "o", "o\n"], [0.003, "o", "six\n"]]);
});

Deno.test("invalid UTF-8 and control characters stay valid JSON", () => {
  const bytes = new Uint8Array([0xff, 0x00, 0x0a, 0xc3]);
  const { events } = parse(asciicast({ line: 0, name: "", bytes, recording: [{ atNs: 5, offset: 0 }] }, ""));
  assertEquals(events.map(([, , text]) => text).join(""), "\ufffd\0\n\ufffd");
});

Deno.test("a real console's recording tells when each line came", async () => {
  await using vm = await tiny("timer");
  await vm.waitForExit();
  const { console } = vm;
  const cast = asciicast({ line: 0, name: "", bytes: console.bytes, recording: console.recording() }, "");
  const { events } = parse(cast);
  assertEquals(events.map(([, , text]) => text).join(""), console.text);
  const times = events.map(([time]) => time);
  assertEquals(times, [...times].sort((a, b) => a - b));
  assert(times.at(-1)! - times[0] >= 0.0004, `${times}`);
});
