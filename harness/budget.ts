/**
 * Budgets name their clock. Guest time is counted instructions plus skipped idle time: the same on every
 * host, so a test's patience never depends on the host's load. Host time is wall time: only for watchdogs.
 */
import { InputError } from "./errors.ts";

/** A length of guest time, made by {@linkcode guest}. */
export interface GuestDuration {
  /** Whose time it is. */
  readonly clock: "guest";
  /** Guest nanoseconds. */
  readonly ns: number;
}

/** A length of wall time, made by {@linkcode host}. */
export interface HostDuration {
  /** Whose time it is. */
  readonly clock: "host";
  /** Milliseconds on the host's clock. */
  readonly ms: number;
}

const UNIT_NS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/**
 * A length of guest time: `"30s"`, `"1m30s"`, `"250ms"`; units ns, us, ms, s, m, h.
 *
 * @example
 * ```ts
 * import { guest } from "@bootwright/bootwright";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(guest("1.5ms").ns, 1_500_000);
 * ```
 * @throws {InputError} when the text is no length of time.
 */
export function guest(text: string): GuestDuration {
  return { clock: "guest", ns: Math.round(parseNs(text)) };
}

/**
 * A length of wall time on the host: `"2m"`, `"500ms"`; units as for {@linkcode guest}.
 *
 * @throws {InputError} when the text is no length of time.
 */
export function host(text: string): HostDuration {
  return { clock: "host", ms: parseNs(text) / 1e6 };
}

/** The nanoseconds of a guest budget; refuses anything that is not one, whatever the types said. */
export function guestNs(budget: GuestDuration): number {
  if (budget?.clock !== "guest") {
    throw new InputError(`A wait's budget is guest time: write guest("30s"), not ${show(budget)}.`);
  }
  return budget.ns;
}

/** The milliseconds of a host budget; refuses anything that is not one, whatever the types said. */
export function hostMs(budget: HostDuration): number {
  if (budget?.clock !== "host") {
    throw new InputError(`A watchdog's budget is host time: write host("5m"), not ${show(budget)}.`);
  }
  return budget.ms;
}

function show(value: unknown): string {
  const duration = value as { clock?: string } | undefined;
  return duration?.clock ? `${duration.clock}(…)` : JSON.stringify(value) ?? String(value);
}

function parseNs(text: string): number {
  const whole = /^(?:\d+(?:\.\d+)?(?:ns|us|\u00b5s|ms|s|m|h))+$/;
  if (!whole.test(text)) {
    throw new InputError(`"${text}" is no length of time; write it as "30s", "1m30s" or "250ms".`);
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|\u00b5s|ms|s|m|h)/g)) {
    total += Number(amount) * UNIT_NS[unit];
  }
  if (!Number.isSafeInteger(Math.round(total))) {
    throw new InputError(`"${text}" is too long: guest time is counted for up to 104 days.`);
  }
  return total;
}
