import { assertEquals } from "@std/assert";
import { FrameParser, type Mark } from "../../../harness/shell/frames.ts";
import { noise } from "./_guest.ts";

/** Takes a text apart; marks are shown as <nonce letter number>. */
function parse(text: string | Uint8Array, accept: (mark: Mark) => boolean = () => true): string {
  let seen = "";
  const parser = new FrameParser("abcd", {
    data: (byte) => void (seen += String.fromCharCode(byte)),
    mark: (mark) => {
      const known = accept(mark);
      if (known) seen += `<${mark.nonce} ${mark.letter} ${mark.number}>`;
      return known;
    },
  });
  const bytes = typeof text === "string" ? Uint8Array.from(text, (c) => c.charCodeAt(0)) : text;
  for (const byte of bytes) parser.take(byte);
  return seen;
}

Deno.test("marks are found between bytes of any kind", () => {
  assertEquals(parse("a\0\x1eabcd012345x0;b\xff"), "a\0<012345 x 0>b\xff");
  assertEquals(parse("\x1eabcd012345o;\x1eabcd012345x137;"), "<012345 o 0><012345 x 137>");
});

Deno.test("what only begins like a mark is data, to the byte", () => {
  for (
    const text of [
      "\x1e",
      "\x1eabcd",
      "\x1eabce012345x0;",
      "\x1eabcd01234!x0;",
      "\x1eabcd0123450;",
      "\x1eabcd012345x0,",
      "\x1eabcd012345xx;",
      "\x1eabcd012345x12345678901;",
      "\x1e\x1eabc\x1e",
    ]
  ) assertEquals(parse(`${text}\n`), `${text}\n`);
});

Deno.test("a false start hides no mark", () => {
  assertEquals(parse("\x1e\x1eabcd012345y;"), "\x1e<012345 y 0>");
  assertEquals(parse("\x1eabcd0123\x1eabcd012345y;"), "\x1eabcd0123<012345 y 0>");
  assertEquals(parse("\x1eabcd012345x12\x1eabcd012345y;"), "\x1eabcd012345x12<012345 y 0>");
});

Deno.test("a mark that cannot be now is data", () => {
  const text = "\x1eabcd999999x0;";
  assertEquals(parse(text, ({ nonce }) => nonce === "012345"), text);
});

Deno.test("hostile bytes come through as they are, and marks among them are found", () => {
  // Bytes a mark is made of, so that almost-marks are frequent.
  const alphabet = Uint8Array.from("\x1eabcd01x;\0\xff", (c) => c.charCodeAt(0));
  for (let seed = 1; seed <= 300; seed++) {
    const bytes = noise(2000, seed).map((byte) => alphabet[byte % alphabet.length]);
    const text = String.fromCharCode(...bytes);
    assertEquals(parse(`${text}\n`, () => false), `${text}\n`);
    const mark = "\x1eabcd777777x3;";
    const seen = parse(`${text}\n${mark}${text}\n`, ({ nonce }) => nonce === "777777");
    assertEquals(seen, `${text}\n<777777 x 3>${text}\n`);
  }
});
