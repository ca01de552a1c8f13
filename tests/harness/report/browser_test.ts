/** report.html in a real browser: used as a person would, at two sizes, dark and light. */
import { assert, assertEquals } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import { collectReport } from "../../../harness/report/collect.ts";
import type { ReportData } from "../../../harness/report/report_data.ts";
import { writeReport } from "../../../harness/report/write_report.ts";
import { tiny } from "../_tiny.ts";
import { Browser, NO_BROWSER, type Page } from "./_browser.ts";
import { pngColours } from "./_png.ts";
import { hostileReport, sampleConsole, sampleReport } from "./_samples.ts";

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 780 };

let browser: Browser;
let folder: string;
if (!NO_BROWSER) {
  Deno.test.beforeAll(async () => {
    folder = await Deno.makeTempDir({ prefix: "bootwright-page-" });
    browser = await Browser.start();
  });
  Deno.test.afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  });
}

/** A test with an open page, which must have had nothing to complain about at the end. */
function pageTest(
  name: string,
  data: () => ReportData | Promise<ReportData>,
  size: { width: number; height: number; dark?: boolean },
  fn: (page: Page) => Promise<void>,
): void {
  Deno.test({
    name: `${name}${NO_BROWSER ?? ""}`,
    ignore: NO_BROWSER !== undefined,
    // The browser lives from the first test to the last.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const dir = join(folder, crypto.randomUUID());
      const result = writeReport(dir, await data());
      const page = await browser.open(toFileUrl(result.page!).href, size);
      await page.until("document.querySelector('#story')?.hidden === false");
      await fn(page);
      assertEquals(page.complaints, []);
      await page.close();
    },
  });
}

/** Whether an element is in sight, inside of what scrolls it as well. */
const inSight = (selector: string) =>
  `(() => {
    const node = document.querySelector(${JSON.stringify(selector)});
    const { left, right, top, bottom } = node.getBoundingClientRect();
    const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return node === seen || node.contains(seen);
  })()`;

const search = async (page: Page, text: string) => {
  await page.press("/");
  await page.evaluate("document.activeElement.select()");
  await page.type(text);
  await page.until(`/hit/.test(document.querySelector(".count").textContent)`);
};
const count = (page: Page) => page.evaluate<string>(`document.querySelector(".count").textContent`);

pageTest(
  "search marks every hit, counts them by place, and goes to them",
  sampleReport,
  DESKTOP,
  async (page) => {
    await search(page, "null POINTER");
    assertEquals(await count(page), "4 hits");
    assertEquals(
      await page.evaluate(`Array.from(document.querySelectorAll(".tabs .hits"), (n) => n.textContent)`),
      ["1", "", "1"],
    );
    assertEquals(
      await page.evaluate(`document.querySelector(".events h3").textContent`),
      "Events (7, 2 hits)",
    );
    assertEquals(
      await page.evaluate(`document.querySelector(".log mark").textContent`),
      "NULL pointer",
    );
    await page.press("Enter");
    assertEquals(await count(page), "1 of 4");
    await page.until(inSight("mark.now"));
    await page.press("Enter");
    assertEquals(
      await page.evaluate(`document.querySelector("[aria-selected=true]").textContent`),
      "Kernel log1",
    );
    await page.until(inSight("mark.now"));
    await search(page, "no such thing");
    await page.press("Escape");
    assertEquals(await page.evaluate("document.querySelectorAll('mark').length"), 0);
  },
);

pageTest("a hit that a change of colour cuts in two is one hit", sampleReport, DESKTOP, async (page) => {
  await search(page, "password: ");
  assertEquals(await count(page), "1 hit");
  assertEquals(await page.evaluate(`document.querySelector(".log mark").textContent`), "Password: ");
});

pageTest(
  "an event leads to its line in the console, and the line back to it",
  sampleReport,
  DESKTOP,
  async (page) => {
    assert(!(await page.evaluate(`document.querySelector(".line.current")`)));
    await page.click(".event.match");
    assertEquals(
      await page.evaluate(`document.querySelector(".line.current .x").firstChild.data`),
      "login: root",
    );
    await page.until(inSight(".line.current .x"));
    assertEquals(await page.evaluate(`document.querySelectorAll(".mark.match.selected").length`), 1);
    await page.click(".event.fault");
    assert(!(await page.evaluate(inSight(".chip.match"))));
    await page.click(".chip.match");
    assert(await page.evaluate(`document.querySelector(".event.match").classList.contains("current")`));
    await page.click(".line:nth-child(3) .t");
    assertEquals(
      await page.evaluate(`document.querySelector(".event.current .what").firstChild.data`),
      "/login: $/",
    );
  },
);

pageTest(
  "a sign on the timeline leads to the console; zoom and keys move it",
  sampleReport,
  DESKTOP,
  async (page) => {
    await page.click(".mark.fault circle");
    assertEquals(await page.evaluate(`document.querySelector(".line.current").dataset.line`), "205");
    assert(
      await page.evaluate(`document.querySelector(".line.current .x").textContent.includes("NULL pointer")`),
    );
    const range = () => page.evaluate<string>(`document.querySelector(".range").textContent`);
    assertEquals(await range(), "0 s to 212.000 ms");
    await page.click(".tools button:nth-child(2)");
    assertEquals(await range(), "104.050 ms to 210.050 ms");
    await page.evaluate(`document.querySelector(".timeline svg").focus()`);
    await page.press("ArrowLeft");
    assertEquals(await range(), "77.550 ms to 183.550 ms");
    await page.press("-");
    assertEquals(await range(), "0 s to 212.000 ms");
  },
);

pageTest("events and tabs can be used with keys alone", sampleReport, DESKTOP, async (page) => {
  await page.evaluate(`document.querySelector(".event").focus()`);
  await page.press("ArrowDown");
  await page.press("Enter");
  assert(await page.evaluate(`document.querySelector(".event.match").classList.contains("current")`));
  await page.evaluate(`document.querySelector("[role=tab]").focus()`);
  await page.press("ArrowRight");
  await page.until(inSight(".log:not([hidden])"));
  assertEquals(
    await page.evaluate(`document.querySelector(".log:not([hidden])").getAttribute("aria-label")`),
    "Serial 1",
  );
});

pageTest("the command that reproduces it is copied", sampleReport, DESKTOP, async (page) => {
  await page.click("#copy");
  await page.until(`document.querySelector("#copy").textContent === "Copied"`);
  assertEquals(await page.evaluate("navigator.clipboard.readText()"), sampleReport().command);
});

pageTest("the console has its colours", sampleReport, DESKTOP, async (page) => {
  const colour = (selector: string) =>
    page.evaluate<string>(`getComputedStyle(document.querySelector("${selector}")).color`);
  assertEquals(await page.evaluate(`document.querySelector(".log .f2").textContent`), "[  OK  ]");
  assertEquals(await colour(".log .f2"), "rgb(20, 115, 61)");
  assertEquals(
    await page.evaluate(`getComputedStyle(document.querySelector(".line:nth-child(5) span.x span")).color`),
    "rgb(255, 135, 0)",
  );
});

for (
  const [name, size] of Object.entries({ desktop: DESKTOP, phone: PHONE, dark: { ...PHONE, dark: true } })
) {
  for (const [kind, data] of Object.entries({ sample: sampleReport, hostile: hostileReport })) {
    pageTest(`nothing sticks out of the page: ${kind}, ${name}`, data, size, async (page) => {
      await page.evaluate("document.querySelectorAll('details').forEach((node) => node.open = true)");
      const { scrolls, shows } = await page.evaluate<{ scrolls: number; shows: number }>(
        "({ scrolls: document.documentElement.scrollWidth, shows: document.documentElement.clientWidth })",
      );
      assert(scrolls <= shows, `${scrolls} > ${shows}`);
      assert(shows <= size.width);
    });
  }

  pageTest(`a screenshot shows text and colours: ${name}`, sampleReport, size, async (page) => {
    assert(await pngColours(await page.screenshot(), 100) >= 100);
    const background = await page.evaluate<string>(
      "getComputedStyle(document.documentElement).backgroundColor",
    );
    assertEquals(background, "dark" in size ? "rgb(14, 17, 22)" : "rgb(244, 245, 247)");
    await page.evaluate("document.querySelector('#search').scrollIntoView()");
    assert(await pngColours(await page.screenshot(), 50) >= 50);
  });
}

pageTest("on a phone, events and console lead to each other too", sampleReport, PHONE, async (page) => {
  await page.click(".event.match");
  await page.until(inSight(".line.current .x"));
  await page.until(inSight(".line.current .t"));
  await page.click(".chip.match");
  await page.until(inSight(".event.current .what"));
});

pageTest(
  "hostile output runs nothing and changes nothing outside of its place",
  hostileReport,
  DESKTOP,
  async (page) => {
    assertEquals(await page.evaluate("typeof window.pwned"), "undefined");
    assertEquals(await page.evaluate("document.querySelectorAll('img, iframe, script[src]').length"), 0);
    assertEquals(await page.evaluate("document.scripts.length"), 2);
    assert(await page.evaluate(`document.querySelector("h1").textContent.includes("<img src=x")`));
    await search(page, "<img");
    assert((await page.evaluate<number>("document.querySelectorAll('.log mark').length")) >= 1);
  },
);

pageTest(
  "a console of many lines is searched and shown at once, and says what is left out",
  () =>
    sampleReport({
      consoles: [sampleConsole(Array.from({ length: 30_000 }, (_, i) => `line ${i} of many\n`))],
    }),
  DESKTOP,
  async (page) => {
    assertEquals(await page.evaluate("document.querySelectorAll('.log:not([hidden]) .line').length"), 10_000);
    assert(
      await page.evaluate(
        `/bytes are not shown.*console.log/.test(document.querySelector(".gap").textContent)`,
      ),
    );
    await search(page, "line");
    assertEquals(await count(page), "10000 hits");
    await search(page, "line 29999");
    await page.press("Enter");
    await page.until(inSight("mark.now"));
  },
);

pageTest(
  "a machine that has printed nothing and done nothing has a page as well",
  async () => {
    await using vm = await tiny("hello");
    return collectReport(vm, undefined, { title: "nothing yet" });
  },
  PHONE,
  async (page) => {
    assertEquals(
      await page.evaluate(`document.querySelector(".log .gap").textContent`),
      "Nothing was printed.",
    );
    await search(page, "x");
  },
);

pageTest(
  "a real machine's report",
  async () => {
    await using vm = await tiny("echo");
    await vm.console.waitFor("ready");
    await vm.console.type("hello\n");
    const error = await vm.console.waitFor("goodbye").catch((error) => error);
    return collectReport(vm, error, { title: "says goodbye" });
  },
  DESKTOP,
  async (page) => {
    assertEquals(
      await page.evaluate(
        `Array.from(document.querySelectorAll(".event .sign"), (node) => node.textContent).join("")`,
      ),
      "✓⌨✕■",
    );
    await page.click(".event.match");
    assertEquals(
      await page.evaluate(`document.querySelector(".line.current .x").firstChild.data`),
      "echo ready",
    );
  },
);
