// @ts-check
/// <reference lib="dom" />
/** Times in words, and elements in few. */

/**
 * A guest time: `1.234567 s`.
 * @param {number} ns
 */
export function formatTime(ns) {
  if (ns === 0) return "0 s";
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(3)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(3)} ms`;
  return `${Math.round(ns / 1e3)} µs`;
}

/**
 * A guest time in front of a line, in seconds: `1.234567`.
 * @param {number | null} ns
 */
export function stamp(ns) {
  return ns === null ? "" : (ns / 1e9).toFixed(6);
}

/**
 * Makes an element. What is no element is text: markup in it stays text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** What the kinds of events are called, and their signs. */
export const KINDS = {
  boot: { sign: "▶", label: "boot" },
  wait: { sign: "…", label: "wait, not ended" },
  match: { sign: "✓", label: "match" },
  miss: { sign: "✕", label: "miss" },
  type: { sign: "⌨", label: "typed" },
  shell: { sign: "$", label: "shell" },
  fault: { sign: "‼", label: "fault" },
  reset: { sign: "↻", label: "reset" },
  exit: { sign: "■", label: "exit" },
  note: { sign: "•", label: "note" },
};
