import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { escapeXml, junitXml } from "../../../harness/report/junit.ts";
import { HOSTILE } from "./_samples.ts";

Deno.test("a suite counts its cases, in seconds of guest time", () => {
  const xml = junitXml({
    name: "suite",
    properties: { arch: "riscv64" },
    output: "booting\n",
    cases: [
      { name: "a", durationNs: 1.5e9, outcome: { kind: "passed" } },
      { name: "b", durationNs: 1e6, outcome: { kind: "failure", message: "m", type: "guest", text: "t" } },
      { name: "c", durationNs: 0, outcome: { kind: "error", message: "m", type: "watchdog", text: "t" } },
      { name: "d", durationNs: 0, outcome: { kind: "skipped", message: "not reached" } },
    ],
  });
  assertStringIncludes(
    xml,
    '<testsuite name="suite" tests="4" failures="1" errors="1" skipped="1" time="1.501000">',
  );
  assertStringIncludes(xml, '<testcase name="a" classname="suite" time="1.500000"/>');
  assertStringIncludes(xml, '<failure message="m" type="guest">t</failure>');
  assertStringIncludes(xml, '<error message="m" type="watchdog">t</error>');
  assertStringIncludes(xml, '<skipped message="not reached"/>');
  assertStringIncludes(xml, "<system-out>booting\n</system-out>");
});

Deno.test("what XML cannot hold is replaced, and nothing ends an element or an attribute", () => {
  const xml = junitXml({
    name: HOSTILE,
    properties: { [HOSTILE]: HOSTILE },
    output: HOSTILE,
    cases: [{
      name: HOSTILE,
      durationNs: 0,
      outcome: { kind: "failure", message: HOSTILE, type: "guest", text: HOSTILE },
    }],
  });
  // deno-lint-ignore no-control-regex -- they must not be there
  assert(!/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(xml));
  assert(xml.isWellFormed());
  assert(!/<(script|img|!--)/.test(xml));
  assertEquals(
    xml.match(/<\/?[a-z-]+/g)!.join(""),
    [
      "<testsuites<testsuite<properties<property</properties<testcase<failure</failure</testcase",
      "<system-out</system-out</testsuite</testsuites",
    ].join(""),
  );
  assertEquals(escapeXml('a\n"<]]>\t', true), "a&#10;&quot;&lt;]]&gt;&#9;");
});

Deno.test("of a long console the end is kept", () => {
  const xml = junitXml({ name: "", properties: {}, cases: [], output: "x".repeat(1e6) + "the end" });
  assert(xml.length < 70_000);
  assertStringIncludes(xml, "the end</system-out>");
});
