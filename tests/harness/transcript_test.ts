import { assert, assertEquals } from "@std/assert";
import { MATCH_WINDOW } from "../../harness/matching/stream_matcher.ts";
import { Transcript } from "../../harness/transcript.ts";

function feed(transcript: Transcript, bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) transcript.append(byte, (unit) => text += String.fromCharCode(unit));
  return text;
}

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("characters appear with their last byte, whatever their length", () => {
  const transcript = new Transcript(4096);
  const text = "größe 漢字 😀\r\n";
  assertEquals(feed(transcript, utf8(text)), text);
  assertEquals(transcript.text(), text);
  assertEquals(transcript.units, text.length);
  assertEquals(transcript.raw(), utf8(text));
});

Deno.test("bytes that are no UTF-8 become replacement characters, as a decoder of the whole would have it", () => {
  const broken = Uint8Array.of(
    0x41,
    0xe2,
    0x82,
    0x42,
    0xe2,
    0xe2,
    0x82,
    0xac,
    0xff,
    0x80,
    0xc3,
    0x28,
    0xf0,
    0x9f,
    0x0a,
  );
  const transcript = new Transcript(4096);
  const whole = new TextDecoder().decode(broken);
  assertEquals(feed(transcript, broken), whole);
  assertEquals(transcript.text(), whole);
});

Deno.test("a full record drops its oldest part and says how much", () => {
  const transcript = new Transcript(4096);
  const line = utf8("0123456789 äöü\n");
  for (let i = 0; i < 1000; i++) feed(transcript, line);
  assert(transcript.raw().length <= 4096);
  assertEquals(transcript.droppedBytes + transcript.raw().length, 1000 * line.length);
  assertEquals(transcript.bytes, 1000 * line.length);
  assert(transcript.text().startsWith(`[… the first ${transcript.droppedBytes} bytes were dropped …]\n`));
  assert(transcript.text().endsWith("0123456789 äöü\n"));
});

Deno.test("offsets stay true when text was dropped", () => {
  const transcript = new Transcript(2 * MATCH_WINDOW);
  const unit = "äbcdefg\n";
  for (let i = 0; i < 60_000; i++) feed(transcript, utf8(unit));
  assert(transcript.droppedBytes > 0);
  for (const back of [0, 5, 1000, MATCH_WINDOW, 100_000]) {
    const { text, start } = transcript.since(transcript.units - 8 * back);
    if (8 * back <= transcript.units && text.length - start === 8 * back) {
      assertEquals(text.slice(start), unit.repeat(back));
    } else {
      assertEquals(start, 0, "only what was dropped may be missing");
    }
  }
});

Deno.test("the last lines include the unfinished one and no carriage returns", () => {
  const transcript = new Transcript(4096);
  feed(transcript, utf8("one\r\ntwo\r\nthree"));
  assertEquals(transcript.lastLines(2), ["two", "three"]);
  feed(transcript, utf8("\r\n"));
  assertEquals(transcript.lastLines(9), ["one", "two", "three"]);
});
