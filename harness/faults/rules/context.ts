/**
 * Code in the wrong context: kernel/sched/core.c, lib/smp_processor_id.c. Collected: the kernel goes on, mostly
 * unharmed, and one such bug tends to be reported again and again.
 */
import { type CrashRule, family, TRACE } from "../rule.ts";

/** Wrong contexts. */
export const CONTEXT_RULES: readonly CrashRule[] = family("context", [
  {
    id: "scheduling-while-atomic",
    class: "collect",
    summary: "Something slept where nothing may.",
    begins: ["BUG: scheduling while atomic"],
    expression: /^BUG: scheduling while atomic: /,
    title: "BUG: scheduling while atomic{ in @}",
    end: TRACE,
    example: "[   13.002117] BUG: scheduling while atomic: insmod/142/0x00000002",
    lookalikes: [
      { line: "[   13.000000] sched: scheduling while atomic is checked", why: "an announcement" },
    ],
  },
  {
    id: "invalid-sleep",
    class: "collect",
    summary: "A function that may sleep was called where nothing may.",
    begins: ["BUG: sleeping function called from invalid context"],
    expression: /^BUG: sleeping function called from invalid context at ([\w./+-]+):\d+/,
    title: "BUG: sleeping function called from invalid context{ in @}",
    end: TRACE,
    example:
      "[   13.002117] BUG: sleeping function called from invalid context at kernel/locking/mutex.c:585",
    lookalikes: [
      {
        line: "[   13.000000] in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 142, name: insmod",
        why: "part of the report",
      },
    ],
  },
  {
    id: "preemptible-percpu",
    class: "collect",
    summary: "Per-processor data is used by a task that may be moved to another processor.",
    begins: ["BUG: using "],
    expression: /^BUG: using (\w+)\(\) in preemptible/,
    title: "BUG: using $1() in preemptible code{ in @}",
    end: TRACE,
    example: "[   13.002117] BUG: using smp_processor_id() in preemptible [00000000] code: insmod/142",
    lookalikes: [
      { line: "[   13.000000] caller is count_event+0x14/0x40", why: "part of the report" },
    ],
  },
]);
