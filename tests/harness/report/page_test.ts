import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { PAGE_SCRIPT, reportPage } from "../../../harness/report/page.ts";
import { hostileReport, sampleReport } from "./_samples.ts";

function parts(page: string) {
  const script = /<script type="module">([^]*?)<\/script>/.exec(page)![1];
  const style = /<style>([^]*?)<\/style>/.exec(page)![1];
  const data = /<script type="application\/json" id="data">([^]*?)<\/script>/.exec(page)![1];
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)![1];
  return { script, style, data, policy };
}

Deno.test("the page's modules are joined in the order of their needs", () => {
  assert(!/^(import|export)\b/m.test(PAGE_SCRIPT));
  const names = Array.from(
    PAGE_SCRIPT.matchAll(/^(?:const|let|class|function|async function) (\w+)/gm),
    ([, n]) => n,
  );
  assertEquals(names.length, new Set(names).size);
  for (const [i, name] of ["element", "Log", "EventList", "TimelineView", "SearchBox", "data"].entries()) {
    assert(names.indexOf(name) >= i, name);
  }
});

Deno.test("a policy lets the page's own script and style run and be loaded, and nothing else", () => {
  const { script, style, policy } = parts(reportPage(sampleReport(), ["console.log"]));
  const digest = (text: string) => `&#39;sha256-${createHash("sha256").update(text).digest("base64")}&#39;`;
  assertEquals(policy.split("; "), [
    "default-src &#39;none&#39;",
    `script-src ${digest(script)}`,
    `style-src ${digest(style)}`,
    "base-uri &#39;none&#39;",
    "form-action &#39;none&#39;",
  ]);
});

Deno.test("the page names nothing that lies elsewhere", () => {
  const page = reportPage(sampleReport(), ["console.log", "machine.json"]);
  const without = page.replaceAll("http://www.w3.org/2000/svg", "");
  assert(!/https?:|\/\/[a-z]+\.|@import|url\(/i.test(without));
  assertStringIncludes(page, '<a href="console.log">');
});

Deno.test("hostile data stays data", () => {
  const page = reportPage(hostileReport(), []);
  const { data, script } = parts(page);
  assertEquals(script, PAGE_SCRIPT);
  assert(!/[<\0]/.test(data));
  assertEquals(page.match(/<script/g)!.length, 2);
  assertEquals(page.match(/<\/script/g)!.length, 2);
  assert(!page.includes("<img"));
  assert(!page.includes("<!--"));
  JSON.parse(data);
});

Deno.test("verdict, reason, crash and backtraces are there without any script", () => {
  const [page] = reportPage(sampleReport(), []).split('<script type="application/json"');
  for (
    const text of [
      "The guest failed",
      "the guest crashed: NULL pointer dereference in ext4_find_entry.",
      "994,005,263",
      "epc : ext4_find_entry+0x5c/0x3a0",
      "fs/ext4/namei.c:1837",
      "default_idle_call+0x20",
      "exit code 32",
    ]
  ) assertStringIncludes(page, text);
});

Deno.test("a page of much data is bounded", () => {
  const text = "x".repeat(100_000);
  const many = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
  const page = reportPage(
    sampleReport({
      kernelLog: many(50_000, (i) => ({ timeNs: i, level: 6, text: `line ${i}` })),
      faults: many(1_000, (i) => ({ title: text, report: text.repeat(i === 0 ? 10 : 1), atNs: i })).slice(
        0,
        20,
      ),
      shell: many(5_000, (i) => ({ command: `echo ${i}`, code: 0, atNs: i, stdout: text })),
      timeline: many(10_000, (i) => ({ kind: "note" as const, atNs: i, instructions: i, text })),
    }),
    [],
  );
  assert(page.length < 8e6, `${page.length}`);
});
