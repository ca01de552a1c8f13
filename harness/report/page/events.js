// @ts-check
/// <reference lib="dom" />
/** What happened, as a list of buttons: each shows its moment in the console and on the timeline. */
import { element, formatTime, KINDS, stamp } from "./format.js";

export class EventList {
  /**
   * @param {any[]} events
   * @param {(event: any) => void} onSelect
   */
  constructor(events, onSelect) {
    this.events = events;
    this.name = "Events";
    this.list = element("ol", {});
    this.element = element(
      "div",
      { class: "events" },
      element("h3", {}, `Events (${events.length})`),
      this.list,
    );
    /** @type {HTMLButtonElement[]} */
    this.buttons = events.map((event) => {
      const button = element("button", { type: "button", class: `event ${event.kind}` });
      button.addEventListener("click", () => onSelect(event));
      this.list.append(element("li", {}, button));
      return button;
    });
    this.#render("");
    this.#makeTabStop(0);
    if (events.length === 0) this.list.replaceWith(element("p", { class: "gap" }, "Nothing was recorded."));
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {string} query in lower case */
  #render(query) {
    const marks = /** @type {HTMLElement[]} */ ([]);
    let count = 0;
    /** @param {string} text */
    const marked = (text) => {
      const parts = /** @type {(string | HTMLElement)[]} */ ([]);
      let from = 0;
      const lower = text.toLowerCase();
      for (let at = lower.indexOf(query); query !== "" && at !== -1; at = lower.indexOf(query, from)) {
        const mark = element("mark", {}, text.slice(at, at + query.length));
        marks.push(mark);
        count++;
        parts.push(text.slice(from, at), mark);
        from = at + query.length;
      }
      return [...parts, text.slice(from)];
    };
    this.events.forEach((event, i) => {
      const { sign, label } = KINDS[/** @type {keyof typeof KINDS} */ (event.kind)];
      const took = event.from !== undefined && event.at > event.from
        ? ` (${formatTime(event.at - event.from)})`
        : "";
      this.buttons[i].replaceChildren(
        element("span", { class: "t" }, stamp(event.at)),
        element("span", { class: "sign", "aria-label": label, title: label }, sign),
        element(
          "span",
          { class: "what" },
          ...marked(event.text),
          element("span", { class: "took" }, took),
          ...(event.result === undefined
            ? []
            : [element("span", { class: "result" }, ...marked(event.result))]),
        ),
      );
    });
    return { count, marks };
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const at = this.buttons.findIndex((button) => button === document.activeElement);
    if (step === 0 || at === -1) return;
    event.preventDefault();
    this.buttons[at + step]?.focus();
    if (this.buttons[at + step]) this.#makeTabStop(at + step);
  }

  /** Tab comes to one event; arrow keys go on from there. @param {number} index */
  #makeTabStop(index) {
    this.buttons.forEach((button, i) => button.tabIndex = i === index ? 0 : -1);
  }

  /**
   * Shows which event is meant, in the list's own scroll area.
   * @param {any} event
   */
  reveal(event) {
    this.buttons.forEach((button, i) => {
      const current = this.events[i] === event;
      button.classList.toggle("current", current);
      if (current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (!current) return;
      this.#makeTabStop(i);
      this.scrollTo(button);
    });
  }

  /** @param {HTMLElement} node */
  scrollTo(node) {
    const box = this.list.getBoundingClientRect();
    const { top, height } = node.getBoundingClientRect();
    this.list.scrollTop += top - box.top - (box.height - height) / 2;
  }

  /**
   * The event nearest to a time.
   * @param {number} ns
   */
  nearest(ns) {
    let best;
    for (const event of this.events) {
      if (!best || Math.abs(event.at - ns) < Math.abs(best.at - ns)) best = event;
    }
    return best;
  }

  /** @param {string} query in lower case; empty for none */
  search(query) {
    return this.#render(query);
  }
}
