import { assertEquals } from "@std/assert";
import { Exchange, type StreamName } from "../../../harness/shell/exchange.ts";

interface Followed {
  exchange: Exchange;
  changes: string[];
  /** Feeds data, or a mark written as <x0>. */
  feed(text: string): void;
  text(stream: StreamName): string;
}

function follow(current?: StreamName, limit = 100): Followed {
  const changes: string[] = [];
  const exchange = new Exchange(limit, current, (to, check) => void changes.push(check ? `${to}?` : to));
  return {
    exchange,
    changes,
    feed(text) {
      for (const [, letter, digits, data] of text.matchAll(/<([a-z])(\d*)>|([^<]+)/g)) {
        if (letter) exchange.mark({ nonce: "000000", letter, number: Number(digits) });
        else for (const c of data) exchange.data(c.charCodeAt(0));
      }
    },
    text: (stream) => new TextDecoder().decode(exchange[stream].sink.bytes()),
  };
}

Deno.test("streams are told apart by what follows", () => {
  const { exchange, changes, feed, text } = follow("stdout");
  feed("out<x3>");
  assertEquals(changes, ["stderr"]);
  assertEquals(exchange.over, false);
  feed("<e>err<y>");
  assertEquals([exchange.over, exchange.code, text("stdout"), text("stderr")], [true, 3, "out", "err"]);
});

Deno.test("what came before the command began is nobody's", () => {
  const { exchange, feed, text } = follow();
  feed("stale<b>stale<a>stale<o>out<x0>");
  feed("<e>err<y>");
  assertEquals([exchange.over, text("stdout"), text("stderr")], [true, "out", "err"]);
});

Deno.test("a pipe's leftovers come before its beginning", () => {
  const { feed, text } = follow();
  feed("<a><o>out<x0><e>stale<b>err<y>");
  assertEquals(text("stderr"), "err");
});

Deno.test("what a leftover process prints after the end is not kept", () => {
  const { feed, text } = follow("stdout");
  feed("out<x0>noise<e><y>");
  assertEquals(text("stdout"), "out");
});

Deno.test("a silent stream gives way, and one that has had its turn", () => {
  const { exchange, changes, feed } = follow("stdout", 4 << 20);
  feed("some");
  exchange.poll();
  assertEquals(changes, []);
  exchange.poll();
  assertEquals(changes, ["stderr?"]);
  feed("<e>");
  feed("x".repeat(1 << 20));
  exchange.poll();
  assertEquals(changes, ["stderr?", "stdout?"]);
});

Deno.test("what follows is not known where a command ends while a change is under way", () => {
  const { exchange, changes, feed } = follow("stdout");
  feed("<x0><e>");
  assertEquals(exchange.current, "stderr");
  exchange.poll();
  assertEquals(changes, ["stderr", "stdout?"]);
  feed("<y>");
  assertEquals([exchange.over, exchange.current], [true, undefined]);
});

Deno.test("polls grow rare while nothing comes", () => {
  const { exchange, feed } = follow("stdout");
  const gaps: number[] = [];
  for (let i = 0; i < 9; i++) {
    exchange.poll();
    feed(i % 2 ? "<o>" : "<e>");
    gaps.push(exchange.pollNs / 1e6);
  }
  assertEquals(gaps, [20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
});

Deno.test("a server that never answers is given up", () => {
  const { exchange } = follow("stdout");
  for (let i = 0; i < 20; i++) exchange.poll();
  assertEquals(exchange.lost, "deaf");
});

Deno.test("a server that waits for a slow line to drain is not given up", () => {
  const { exchange, changes, feed } = follow("stdout");
  exchange.poll();
  assertEquals(changes, ["stderr?"]);
  for (let i = 0; i < 50; i++) {
    feed("some");
    exchange.poll();
  }
  assertEquals(exchange.lost, undefined);
  for (let i = 0; i < 20; i++) exchange.poll();
  assertEquals(exchange.lost, "deaf");
});

Deno.test("a runner is gone only when no end can be under way", () => {
  const { exchange, feed } = follow("stdout");
  feed("<g><g><g>");
  assertEquals(exchange.lost, undefined);
  feed("<g>");
  assertEquals(exchange.lost, "gone");
});

Deno.test("no more is kept than may be", () => {
  const { exchange, feed, text } = follow("stdout", 10);
  feed("x".repeat(10));
  assertEquals(exchange.overflowed, false);
  feed("x");
  assertEquals([exchange.overflowed, text("stdout").length], [true, 10]);
});
