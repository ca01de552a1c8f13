/**
 * Lockdep and its neighbours: kernel/locking/lockdep.c, kernel/rcu/update.c, kernel/workqueue.c.
 *
 * Collected, not fatal: lockdep reports what could deadlock, mostly without having done so, and prints one
 * report per boot.
 */
import { type CrashRule, family, LINE, TRACE } from "../rule.ts";

const TURNED_OFF = {
  line: "[   10.200000] INFO: lockdep is turned off.",
  why: "a consequence of an earlier report",
};

/** Lockdep reports. */
export const LOCKDEP_RULES: readonly CrashRule[] = family("lockdep", [
  {
    id: "deadlock",
    class: "collect",
    summary: "Locks are taken in an order that can deadlock.",
    begins: ["WARNING: ", "INFO: ", "[ INFO: "],
    expression:
      /^(?:\[ )?(?:WARNING|INFO): (?:possible (?:circular locking dependency|recursive locking|irq lock inversion dependency) detected|\w+-safe -> \w+-unsafe lock order detected)/,
    title: "possible deadlock{ in @}",
    end: TRACE,
    example: "[   10.204411] WARNING: possible circular locking dependency detected",
    lookalikes: [
      TURNED_OFF,
      { line: "[   10.200000] WARNING: possible clock skew detected", why: "not a report of lockdep" },
    ],
  },
  {
    id: "lock-state",
    class: "collect",
    summary: "A lock is taken both in interrupts and with interrupts on.",
    begins: ["WARNING: inconsistent", "INFO: inconsistent", "[ INFO: inconsistent"],
    expression: /^(?:\[ )?(?:WARNING|INFO): inconsistent lock state/,
    title: "inconsistent lock state{ in @}",
    end: TRACE,
    example: "[   10.204411] WARNING: inconsistent lock state",
    lookalikes: [TURNED_OFF],
  },
  {
    id: "lock-context",
    class: "collect",
    summary: "A sleeping lock is taken in a context that must not sleep.",
    begins: ["[ BUG: Invalid wait context ]", "BUG: Invalid wait context"],
    expression: /^(?:\[ )?BUG: Invalid wait context/,
    title: "BUG: Invalid wait context{ in @}",
    end: TRACE,
    example: "[   10.204411] [ BUG: Invalid wait context ]",
    lookalikes: [TURNED_OFF],
  },
  {
    id: "lock-misuse",
    class: "collect",
    summary: "A lock is released that is not held, freed while held, or kept when it must not be.",
    begins: ["WARNING: ", "BUG: ", "[ BUG: "],
    expression:
      /^(?:\[ )?(?:WARNING|BUG): (?:(bad unlock balance detected|held lock freed|[Nn]ested lock was not taken|lock held when returning to user space|workqueue leaked (?:lock|atomic|RCU))|\S{1,64} (still has locks held))/,
    title: "WARNING: $1$2{ in @}",
    end: TRACE,
    example: "[   10.204411] WARNING: bad unlock balance detected!",
    lookalikes: [
      TURNED_OFF,
      { line: "[   10.200000] 2 locks held by insmod/142:", why: "part of other reports" },
    ],
  },
  {
    id: "lock-key",
    class: "collect",
    summary: "A lock is used that was never initialised.",
    begins: ["INFO: trying to register non-static key"],
    expression: /^INFO: trying to register non-static key/,
    title: "INFO: trying to register non-static key{ in @}",
    end: TRACE,
    example: "[   10.204411] INFO: trying to register non-static key.",
    lookalikes: [TURNED_OFF],
  },
  {
    id: "rcu-usage",
    class: "collect",
    summary: "RCU-protected data is used without its lock.",
    begins: ["WARNING: suspicious", "INFO: suspicious", "[ INFO: suspicious"],
    expression: /^(?:\[ )?(?:WARNING|INFO): suspicious RCU usage/,
    title: "WARNING: suspicious RCU usage{ in @}",
    end: TRACE,
    example: "[   10.204411] WARNING: suspicious RCU usage",
    lookalikes: [
      { line: "[    0.000000] rcu: Hierarchical RCU implementation.", why: "an announcement" },
    ],
  },
  {
    id: "lockdep-limit",
    class: "note",
    summary: "Lockdep ran out of its tables and checks no more: noted, since the kernel itself is well.",
    begins: ["BUG: MAX_"],
    expression: /^BUG: (MAX_[A-Z_]+) too low/,
    title: "BUG: $1 too low",
    end: LINE,
    example: "[   10.204411] BUG: MAX_LOCKDEP_CHAINS too low!",
    lookalikes: [TURNED_OFF],
  },
]);
