// @ts-check
/// <reference lib="dom" />
/**
 * Guest time from left to right: what the consoles printed, waits as bars, everything else as signs. Buttons,
 * keys, the wheel with Ctrl and two fingers zoom; dragging and arrow keys move. Only what is in sight is drawn, and
 * what falls on the same spot is drawn once.
 */
import { element, formatTime, KINDS } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
/** Heights in pixels: the axis, what was printed, and each lane of events. */
const AXIS = 22;
const OUTPUT = 44;
const LANE = 26;
/** Kinds that share a lane; those that are not here share the last. */
const LANES = [["match", "miss", "wait"], ["type", "shell"]];
/** Shortest span of time that can be looked at, in ns. */
const MIN_SPAN = 1_000;

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 */
function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
}

export class TimelineView {
  /**
   * @param {{ endNs: number, events: any[], logs: any[] }} data
   * @param {(event: any) => void} onSelect
   */
  constructor(data, onSelect) {
    this.data = data;
    this.onSelect = onSelect;
    this.from = 0;
    this.to = data.endNs;
    const laneOf = (/** @type {any} */ { kind }) => {
      const lane = LANES.findIndex((kinds) => kinds.includes(kind));
      return lane === -1 ? LANES.length : lane;
    };
    /** Lanes in use, from above. */
    this.lanes = [...new Set(/** @type {number[]} */ (data.events.map(laneOf)))].sort((a, b) => a - b);
    this.laneOf = (/** @type {any} */ event) => this.lanes.indexOf(laneOf(event));
    this.height = AXIS + OUTPUT + this.lanes.length * LANE + 6;
    /** @type {any} */
    this.selected = undefined;
    this.cursorNs = -1;
    this.canvas = /** @type {SVGSVGElement} */ (svg("svg", {
      role: "group",
      "aria-label": "Timeline. Plus and minus zoom, arrow keys move.",
      tabindex: 0,
      height: this.height,
    }));
    this.range = element("span", { class: "range" });
    const tool = (
      /** @type {string} */ text,
      /** @type {string} */ label,
      /** @type {() => void} */ action,
    ) => {
      const button = element("button", { type: "button", "aria-label": label, title: label }, text);
      button.addEventListener("click", action);
      return button;
    };
    this.element = element(
      "div",
      { class: "timeline" },
      element(
        "div",
        { class: "tools" },
        tool("−", "Zoom out", () => this.zoom(2)),
        tool("+", "Zoom in", () => this.zoom(0.5)),
        tool("All", "Show all of the time", () => this.show(0, this.data.endNs)),
        this.range,
      ),
      element("div", {}, this.canvas),
    );
    this.#listen();
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Makes a span of time the one in sight. @param {number} from @param {number} to */
  show(from, to) {
    const span = Math.min(this.data.endNs, Math.max(MIN_SPAN, to - from));
    this.from = Math.max(0, Math.min(from, this.data.endNs - span));
    this.to = this.from + span;
    this.draw();
  }

  /** @param {number} factor of the span @param {number} at the part of the width that stays in place */
  zoom(factor, at = this.#selectedPart()) {
    const span = this.to - this.from;
    const fixed = this.from + at * span;
    this.show(fixed - at * span * factor, fixed + (1 - at) * span * factor);
  }

  #selectedPart() {
    const part = (this.cursorNs - this.from) / (this.to - this.from);
    return part >= 0 && part <= 1 ? part : 0.5;
  }

  /**
   * Shows an event or a time, and moves there if need be.
   * @param {number} ns
   * @param {any} event
   */
  reveal(ns, event) {
    this.cursorNs = ns;
    this.selected = event;
    const span = this.to - this.from;
    if (ns < this.from || ns > this.to) this.show(ns - span / 2, ns + span / 2);
    else this.draw();
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("keydown", (event) => {
      const span = this.to - this.from;
      if (event.key === "+" || event.key === "=") this.zoom(0.5);
      else if (event.key === "-") this.zoom(2);
      else if (event.key === "ArrowLeft") this.show(this.from - span / 4, this.to - span / 4);
      else if (event.key === "ArrowRight") this.show(this.from + span / 4, this.to + span / 4);
      else if (event.key === "Home") this.show(0, span);
      else if (event.key === "End") this.show(this.data.endNs - span, this.data.endNs);
      else return;
      event.preventDefault();
    });
    canvas.addEventListener("wheel", (event) => {
      const box = canvas.getBoundingClientRect();
      const span = this.to - this.from;
      if (event.ctrlKey || event.metaKey) {
        this.zoom(Math.exp(event.deltaY / 300), (event.clientX - box.left) / box.width);
      } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const ns = event.deltaX / box.width * span;
        this.show(this.from + ns, this.to + ns);
      } else return;
      event.preventDefault();
    }, { passive: false });
    /** @type {Map<number, number>} */
    const fingers = new Map();
    canvas.addEventListener("pointerdown", (event) => void fingers.set(event.pointerId, event.clientX));
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (before === undefined) return;
      const box = canvas.getBoundingClientRect();
      const span = this.to - this.from;
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      if (other !== undefined) {
        const factor = Math.max(10, Math.abs(before - other)) / Math.max(10, Math.abs(event.clientX - other));
        this.zoom(factor, (other - box.left) / box.width);
      } else if (Math.abs(event.clientX - before) > 2 && span < this.data.endNs) {
        if (!canvas.hasPointerCapture(event.pointerId)) canvas.setPointerCapture(event.pointerId);
        const ns = (before - event.clientX) / box.width * span;
        this.show(this.from + ns, this.to + ns);
      } else return;
      fingers.set(event.pointerId, event.clientX);
    });
    for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
      canvas.addEventListener(name, (event) => {
        if (event instanceof PointerEvent) fingers.delete(event.pointerId);
      });
    }
  }

  /** Draws the span in sight. */
  draw() {
    const width = Math.max(200, this.canvas.parentElement?.clientWidth ?? 0);
    const span = this.to - this.from;
    /** @param {number} ns */
    const x = (ns) => (ns - this.from) / span * width;
    this.canvas.setAttribute("width", String(width));
    this.canvas.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.range.textContent = `${formatTime(this.from)} to ${formatTime(this.to)}`;
    const parts = [...this.#axis(width, x), ...this.#output(width)];
    if (this.cursorNs >= 0) {
      const at = x(this.cursorNs);
      parts.push(svg("line", { class: "cursor", x1: at, x2: at, y1: AXIS, y2: this.height }));
    }
    this.canvas.replaceChildren(...parts, ...this.#events(width, x));
  }

  /** @param {number} width @param {(ns: number) => number} x */
  *#axis(width, x) {
    const span = this.to - this.from;
    const rough = span / Math.max(2, width / 110);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = /** @type {number} */ ([1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough));
    const [unit, size] = step >= 1e8 ? ["s", 1e9] : step >= 1e5 ? ["ms", 1e6] : ["µs", 1e3];
    const digits = Math.max(0, -Math.floor(Math.log10(step / size) + 1e-9));
    for (let ns = Math.ceil(this.from / step) * step; ns <= this.to; ns += step) {
      const at = x(ns);
      yield svg("line", { class: "grid", x1: at, x2: at, y1: AXIS, y2: this.height });
      const label = svg("text", {
        class: "tick",
        x: Math.min(Math.max(at, 2), width - 2),
        y: 14,
        "text-anchor": at < 40 ? "start" : at > width - 40 ? "end" : "middle",
      });
      label.textContent = `${(ns / size).toFixed(digits)} ${unit}`;
      yield label;
    }
  }

  /** What the consoles printed, as heights: the root of the bytes, so that a single line shows beside a flood. */
  *#output(/** @type {number} */ width) {
    const logs = this.data.logs.filter(({ activity }) => activity);
    const columns = new Float64Array(Math.ceil(width / 2));
    for (const { activity } of logs) {
      const bucketNs = this.data.endNs / activity.length;
      for (let i = 0; i < activity.length; i++) {
        if (activity[i] === 0) continue;
        const first = (i * bucketNs - this.from) / (this.to - this.from) * columns.length;
        const last = ((i + 1) * bucketNs - this.from) / (this.to - this.from) * columns.length;
        const share = activity[i] / Math.max(1, last - first);
        for (
          let c = Math.max(0, Math.floor(first));
          c < Math.min(columns.length, Math.max(last, first + 1));
          c++
        ) {
          columns[c] += share;
        }
      }
    }
    const highest = Math.sqrt(Math.max(1, ...columns));
    let path = "";
    columns.forEach((bytes, c) => {
      if (bytes === 0) return;
      const height = Math.max(2, Math.sqrt(bytes) / highest * (OUTPUT - 6));
      path += `M${c * 2} ${AXIS + OUTPUT}v${-height.toFixed(1)}h2v${height.toFixed(1)}z`;
    });
    yield svg("path", { class: "output", d: path });
  }

  /** @param {number} width @param {(ns: number) => number} x */
  *#events(width, x) {
    /** Right edge of what is drawn last, by lane and kind. */
    const drawn = /** @type {Map<string, number>} */ (new Map());
    const order = [...this.data.events].sort((a, b) =>
      Number(a === this.selected) - Number(b === this.selected)
    );
    for (const event of order) {
      const from = x(event.from ?? event.at);
      const to = x(event.kind === "wait" ? this.data.endNs : event.at);
      if (to < -8 || from > width + 8) continue;
      const lane = this.laneOf(event);
      const key = `${lane} ${event.kind}`;
      const selected = event === this.selected;
      if (!selected && to < (drawn.get(key) ?? -Infinity) + 1) continue;
      drawn.set(key, to);
      const { sign, label } = KINDS[/** @type {keyof typeof KINDS} */ (event.kind)];
      const y = AXIS + OUTPUT + 4 + lane * LANE;
      const group = svg("g", { class: `mark ${event.kind}${selected ? " selected" : ""}` });
      if (to - from > 3) {
        const left = Math.max(-4, from);
        const barWidth = Math.min(width + 4, to) - left;
        group.append(svg("rect", { class: "bar", x: left, y: y + 7, width: barWidth, height: 8, rx: 3 }));
      }
      const at = Math.min(Math.max(to, 9), width - 9);
      group.append(svg("circle", { cx: at, cy: y + 11, r: 9 }));
      const text = svg("text", { x: at, y: y + 15, "text-anchor": "middle" });
      text.textContent = sign;
      const title = svg("title", {});
      title.textContent = `${label} at ${formatTime(event.at)}: ${event.text}`;
      group.append(text, title);
      group.addEventListener("click", () => this.onSelect(event));
      yield group;
    }
  }
}
