// @ts-check
/// <reference lib="dom" />
/** Looks for text in everything at once; tells how often it is where, and goes from hit to hit. */
import { element } from "./format.js";

/** Hits that are marked and can be gone to in one log. */
const MAX_MARKS = 5_000;
/** Rest after the last key before the search begins, in ms. */
const PAUSE_MS = 80;

export class SearchBox {
  /**
   * @param {any[]} places what can be searched, in the order of hits
   * @param {(place: any, mark: HTMLElement) => void} onHit
   * @param {(counts: number[] | undefined) => void} onCounts
   */
  constructor(places, onHit, onCounts) {
    this.places = places;
    this.onHit = onHit;
    this.onCounts = onCounts;
    /** @type {{ place: any, mark: HTMLElement }[]} */
    this.hits = [];
    this.at = -1;
    this.input = element("input", {
      type: "search",
      placeholder: "Search  /",
      "aria-label": "Search console, kernel log and events",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.status = element("output", { class: "count", "aria-live": "polite" });
    const step = (/** @type {string} */ text, /** @type {string} */ label, /** @type {number} */ by) => {
      const button = element("button", { type: "button", title: label, "aria-label": label }, text);
      button.addEventListener("click", () => this.go(by));
      return button;
    };
    this.element = element(
      "div",
      { class: "searchbox" },
      this.input,
      step("↑", "Previous hit", -1),
      step("↓", "Next hit", 1),
      this.status,
    );
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    this.input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.search(), PAUSE_MS);
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        this.go(event.shiftKey ? -1 : 1);
      } else if (event.key === "Escape") {
        this.input.value = "";
        this.search();
      }
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target === this.input) return;
      event.preventDefault();
      this.input.focus();
    });
  }

  search() {
    const query = this.input.value.toLowerCase();
    const found = this.places.map((place) => place.search(query, MAX_MARKS));
    const counts = found.map(({ count }) => count);
    this.hits = found.flatMap(({ marks }, i) =>
      marks.map((/** @type {HTMLElement} */ mark) => ({ place: this.places[i], mark }))
    );
    this.at = -1;
    this.onCounts(query === "" ? undefined : counts);
    this.total = counts.reduce((sum, count) => sum + count, 0);
    this.#tell();
  }

  /** @param {number} by */
  go(by) {
    if (this.hits.length === 0) return;
    this.hits[this.at]?.mark.classList.remove("now");
    this.at = this.at === -1 && by < 0
      ? this.hits.length - 1
      : (this.at + by + this.hits.length) % this.hits.length;
    const { place, mark } = this.hits[this.at];
    mark.classList.add("now");
    this.onHit(place, mark);
    this.#tell();
  }

  #tell() {
    if (this.input.value === "") this.status.textContent = "";
    else if (this.total === 0) this.status.textContent = "no hits";
    else if (this.at >= 0) this.status.textContent = `${this.at + 1} of ${this.total}`;
    else this.status.textContent = this.total === 1 ? "1 hit" : `${this.total} hits`;
  }
}
