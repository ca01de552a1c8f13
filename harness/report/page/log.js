// @ts-check
/// <reference lib="dom" />
/** The lines of one console, or of the kernel's log: with times, colours, events beside them, and hits marked. */
import { element, formatTime, KINDS, stamp } from "./format.js";

/** Lines in one group: the browser lays out only the groups in sight. */
const GROUP_LINES = 100;
/** Lines before the one at an event's time in which what it found may be: times are 0.1 ms apart at least. */
const NEAR_LINES = 100;

/** Where there is no room for times, a line itself stands for its time. */
const narrow = matchMedia("(max-width: 600px)");

/** @typedef {{ time: number | null, text: string, runs: number[], node: HTMLElement, body: HTMLElement }} Line */

export class Log {
  /**
   * @param {any} log what the page knows of it
   * @param {any[]} styles how text can look
   * @param {{ onTime(ns: number): void, onEvent(event: any): void }} host
   */
  constructor(log, styles, host) {
    this.name = log.name;
    this.line = log.line;
    this.styles = styles;
    this.host = host;
    /** @type {Line[]} */
    this.lines = [];
    this.element = element("div", { class: "log", tabindex: "0", role: "tabpanel", "aria-label": log.name });
    this.element.addEventListener("click", (event) => this.#clicked(event));
    this.#group(log.head);
    if (log.skipped > 0) {
      const bytes = log.skipped.toLocaleString("en-US");
      this.element.append(
        element("p", { class: "gap" }, `… ${bytes} bytes are not shown here; all of it is in ${log.file} …`),
      );
      this.#group(log.tail);
    }
    if (this.lines.length === 0) this.element.append(element("p", { class: "gap" }, "Nothing was printed."));
  }

  /** @param {[number | null, string, number[]?][]} lines */
  #group(lines) {
    for (let from = 0; from < lines.length; from += GROUP_LINES) {
      const group = element("div", { class: "group" });
      for (const [time, text, runs = []] of lines.slice(from, from + GROUP_LINES)) {
        const body = element("span", { class: "x" });
        const node = element("div", { class: "line" }, element("span", { class: "t" }, stamp(time)), body);
        node.dataset.line = String(this.lines.length);
        const line = { time, text, runs, node, body };
        this.#render(line, []);
        this.lines.push(line);
        group.append(node);
      }
      this.element.append(group);
    }
  }

  /**
   * Shows a line's text: pieces between changes of style, and hits in them.
   * @param {Line} line
   * @param {number[]} hits offset, length, offset, length, …
   * @returns {HTMLElement[]} a mark for each hit
   */
  #render({ text, runs, body }, hits) {
    const cuts = new Set([0, text.length]);
    for (let i = 0; i < runs.length; i += 2) cuts.add(Math.min(runs[i], text.length));
    const marks = [];
    const parts = [];
    for (let i = 0; i < hits.length; i += 2) cuts.add(hits[i]).add(hits[i] + hits[i + 1]);
    const edges = [...cuts].sort((a, b) => a - b);
    let style;
    let run = 0;
    let hit = 0;
    /** @type {HTMLElement | undefined} */
    let mark;
    for (let i = 0; i + 1 < edges.length; i++) {
      const [from, to] = [edges[i], edges[i + 1]];
      while (run < runs.length && runs[run] <= from) style = this.styles[runs[run + 1]], run += 2;
      const piece = text.slice(from, to);
      const styled = style && (style.c || style.f || style.b) ? this.#styled(piece, style) : piece;
      while (hit < hits.length && hits[hit] + hits[hit + 1] <= from) hit += 2, mark = undefined;
      if (hit < hits.length && hits[hit] <= from) {
        if (!mark) {
          mark = element("mark", {});
          marks.push(mark);
          parts.push(mark);
        }
        mark.append(styled);
      } else {
        parts.push(styled);
      }
    }
    const chips = [...body.querySelectorAll(".chip")];
    body.replaceChildren(...parts, ...chips);
    return marks;
  }

  /** @param {string} text @param {any} style */
  #styled(text, style) {
    const span = element("span", { class: style.c }, text);
    if (style.f) span.style.color = style.f;
    if (style.b) span.style.background = style.b;
    return span;
  }

  /** @param {Event} event */
  #clicked(event) {
    if (!(event.target instanceof Element) || event.target.closest("button")) return;
    const node = event.target.closest(".line");
    if (!(node instanceof HTMLElement) || !(narrow.matches || event.target.closest(".t"))) return;
    this.#select(node);
    const { time } = this.lines[Number(node.dataset.line)];
    if (time !== null) this.host.onTime(time);
  }

  /**
   * The line that was being printed at an event; of several that may be meant, the last that holds its text.
   * @param {{ at: number, find?: string, result?: string }} event
   */
  lineOf({ at: ns, find, result: text = find }) {
    let [low, high] = [0, this.lines.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { time } = this.lines[middle];
      if (time !== null && time > ns) high = middle;
      else low = middle + 1;
    }
    const last = low - 1;
    const wanted = text?.split("\\n").findLast((part) => part.trim() !== "");
    if (wanted) {
      for (let i = last; i >= 0 && i > last - NEAR_LINES; i--) {
        if (this.lines[i].text.includes(wanted)) return i;
      }
    }
    return last;
  }

  /**
   * Shows an event at a line, as a button that leads back to it.
   * @param {any} event
   */
  attach(event) {
    const index = Math.max(0, this.lineOf(event));
    const line = this.lines[index];
    if (!line || line.body.querySelectorAll(".chip").length >= 8) return;
    const { sign, label } = KINDS[/** @type {keyof typeof KINDS} */ (event.kind)];
    const title = `${label} at ${formatTime(event.at)}: ${event.text}`;
    const chip = element(
      "button",
      { type: "button", class: `chip ${event.kind}`, title, "aria-label": title },
      sign,
    );
    chip.addEventListener("click", () => this.host.onEvent(event));
    line.body.append(chip);
  }

  /**
   * Scrolls to a line and shows which it is.
   * @param {number} index
   */
  reveal(index) {
    const line = this.lines[index];
    if (!line) return;
    this.#select(line.node);
    this.scrollTo(line.node);
  }

  /** @param {HTMLElement} node */
  #select(node) {
    for (const current of this.element.querySelectorAll(".current")) current.classList.remove("current");
    node.classList.add("current");
  }

  /**
   * Brings an element of the log to its middle, without moving the page.
   * @param {HTMLElement} node
   */
  scrollTo(node) {
    // Twice: groups that come into sight for the first time get their true heights.
    for (let i = 0; i < 2; i++) {
      const box = this.element.getBoundingClientRect();
      const { top, height } = node.getBoundingClientRect();
      this.element.scrollTop += top - box.top - (box.height - height) / 2;
    }
  }

  /**
   * Marks what matches; the marks in order.
   * @param {string} query in lower case; empty for none
   * @param {number} most marks
   * @returns {{ count: number, marks: HTMLElement[] }}
   */
  search(query, most) {
    let count = 0;
    const marks = /** @type {HTMLElement[]} */ ([]);
    for (const line of this.lines) {
      const hits = [];
      const text = query === "" ? "" : line.text.toLowerCase();
      for (
        let at = text.indexOf(query);
        query !== "" && at !== -1;
        at = text.indexOf(query, at + query.length)
      ) {
        hits.push(at, query.length);
      }
      const shown = marks.length < most ? hits : [];
      count += hits.length / 2;
      const marked = line.body.querySelector("mark") !== null;
      if (shown.length > 0 || marked) marks.push(...this.#render(line, shown));
    }
    return { count, marks };
  }
}
