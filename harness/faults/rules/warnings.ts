/**
 * WARN() (kernel/panic.c `__warn()`) and object debugging (lib/debugobjects.c).
 *
 * A plain WARNING is only noted: stock kernels print some on unusual boards, and a test that fails for it
 * teaches people to switch rules off. Who tests a kernel sets `faults.policy({ warning: "fatal" })`.
 */
import { type CrashRule, END_TRACE, family } from "../rule.ts";

/** Warnings. */
export const WARNING_RULES: readonly CrashRule[] = family("warning", [
  {
    id: "odebug",
    class: "collect",
    summary: "An object, such as a timer, is freed or initialised while it is active.",
    begins: ["ODEBUG: "],
    expression: /^ODEBUG: (\w+) (?:active|destroyed|not initialized|not available)/,
    title: "WARNING: ODEBUG bug: $1{ in @}",
    end: END_TRACE,
    example:
      "[   16.700120] ODEBUG: free active (active state 0) object: ffff888103a1c010 object type: timer_list hint: poll_timer+0x0/0x40",
    lookalikes: [
      { line: "[   16.700000] ODEBUG: Out of memory. ODEBUG disabled", why: "debugging ends" },
    ],
  },
  {
    id: "warning",
    class: "note",
    summary: "The kernel reached a WARN().",
    begins: ["WARNING: "],
    expression:
      /^WARNING: (?:CPU: \d+ PID: \d+ at |(?:\[[^\]]{0,300}\] )?)([\w./+-]+):\d+ (?:at )?([\w.]+)(?:\+0x|\b)/,
    title: "WARNING in $2",
    end: END_TRACE,
    partOf: ["refcount", "odebug", "list-corruption", "fortify", "ubsan", "usercopy", "cfi"],
    example: "[   14.120075] WARNING: CPU: 0 PID: 142 at kernel/workqueue.c:3034 __flush_work+0x2f8/0x310",
    lookalikes: [
      {
        line: "[    1.200000] WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible!",
        why: "advice, not a WARN()",
      },
      { line: "WARNING: lib/foo.c:12 bar is deprecated", why: "a compiler's or a program's warning" },
    ],
  },
]);
