/** Numbers and texts as reports show them. */

/** `12.345 s`, as reports show guest and host time. */
export function formatNs(ns: number): string {
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(3)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(3)} ms`;
  return `${Math.round(ns)} ns`;
}

/** When something was: `guest time 1.500 ms, 1500000 instructions`, those left out where nobody counts them. */
export function formatMoment(ns: number, instructions: number): string {
  const time = `guest time ${formatNs(ns)}`;
  return instructions === 0 && ns > 0 ? time : `${time}, ${instructions} instructions`;
}

/** The first `length` characters, and a sign that there were more. */
export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}
