// @ts-check
/// <reference lib="dom" />
/** Puts the page together: timeline, events and logs, each of which leads to the others. */
import { EventList } from "./events.js";
import { element } from "./format.js";
import { Log } from "./log.js";
import { SearchBox } from "./search.js";
import { TimelineView } from "./timeline.js";

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const data = JSON.parse(byId("data").textContent ?? "");
const host = {
  /** A time was chosen in a log. */
  onTime(/** @type {number} */ ns) {
    const event = events.nearest(ns);
    if (event) events.reveal(event);
    timeline.reveal(ns, event);
  },
  /** An event was chosen in a log: back to where it is listed. */
  onEvent(/** @type {any} */ event) {
    events.reveal(event);
    timeline.reveal(event.at, event);
    showIn(events.element, events.element.querySelector(".current"));
  },
};
/** @type {Log[]} */
const logs = data.logs.map((/** @type {any} */ log) => new Log(log, data.styles, host));
const events = new EventList(data.events, select);
const timeline = new TimelineView(data, select);
const tabs = logs.map((log, i) => {
  const button = element(
    "button",
    { type: "button", role: "tab" },
    log.name,
    element("span", { class: "hits" }),
  );
  button.addEventListener("click", () => showLog(i));
  return button;
});
const tabList = element("div", { class: "tabs", role: "tablist", "aria-label": "Logs" }, ...tabs);
const search = new SearchBox([...logs, events], showHit, showCounts);

/** An event was chosen: shows its line, and its place on the timeline. */
function select(/** @type {any} */ event) {
  const at = Math.max(0, logs.findIndex(({ line }) => line === (event.line ?? 0)));
  events.reveal(event);
  timeline.reveal(event.at, event);
  if (!logs[at]) return;
  showLog(at);
  logs[at].reveal(logs[at].lineOf(event));
  showIn(byId("logs"), logs[at].element.querySelector(".current"));
}

function showLog(/** @type {number} */ index) {
  logs.forEach((log, i) => {
    log.element.hidden = i !== index;
    tabs[i].setAttribute("aria-selected", String(i === index));
    tabs[i].tabIndex = i === index ? 0 : -1;
  });
}

/**
 * Scrolls the page to a panel, where what is meant in it is out of sight.
 * @param {HTMLElement} panel
 * @param {HTMLElement | null | undefined} target
 */
function showIn(panel, target) {
  const { top, bottom } = (target ?? panel).getBoundingClientRect();
  const bar = byId("search").getBoundingClientRect().height;
  if (top < bar || bottom > innerHeight) panel.scrollIntoView({ block: "start" });
}

function showHit(/** @type {any} */ place, /** @type {HTMLElement} */ mark) {
  const index = logs.indexOf(place);
  if (index >= 0) showLog(index);
  place.scrollTo(mark);
  showIn(index >= 0 ? byId("logs") : events.element, mark);
}

function showCounts(/** @type {number[] | undefined} */ counts) {
  tabs.forEach((tab, i) => {
    const hits = /** @type {HTMLElement} */ (tab.querySelector(".hits"));
    hits.textContent = counts?.[i] ? String(counts[i]) : "";
  });
  const heading = /** @type {HTMLElement} */ (events.element.querySelector("h3"));
  const found = counts ? `, ${counts[logs.length]} hits` : "";
  heading.textContent = `Events (${data.events.length}${found})`;
}

tabList.addEventListener("keydown", (event) => {
  const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  const at = tabs.findIndex((tab) => tab === document.activeElement);
  const next = tabs[at + step];
  if (step === 0 || !next) return;
  showLog(at + step);
  next.focus();
});

byId("story").hidden = false;
byId("timeline").append(timeline.element);
byId("search").append(search.element);
byId("events").append(events.element);
byId("logs").append(tabList, ...logs.map((log) => log.element));
for (const event of data.events) {
  if (event.kind !== "wait") logs.find(({ line }) => line === (event.line ?? 0))?.attach(event);
}
showLog(0);
// The end is where most look first.
const last = logs[0]?.lines.at(-1);
if (last) logs[0].scrollTo(last.node);

const copy = document.getElementById("copy");
copy?.addEventListener("click", async () => {
  const command = byId("command");
  let copied = true;
  try {
    await navigator.clipboard.writeText(command.textContent ?? "");
  } catch {
    // Without the permission, what is selected can still be copied.
    getSelection()?.selectAllChildren(command);
    copied = document.execCommand("copy");
  }
  copy.textContent = copied ? "Copied" : "Press Ctrl+C";
  setTimeout(() => copy.textContent = "Copy", 2_000);
});
