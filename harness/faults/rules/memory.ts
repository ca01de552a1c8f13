/**
 * Memory management: mm/page_alloc.c, mm/memory.c, kernel/fork.c, mm/oom_kill.c.
 */
import { type CrashRule, END_TRACE, family, LINE, TRACE } from "../rule.ts";

/** Troubles with memory. */
export const MEMORY_RULES: readonly CrashRule[] = family("memory", [
  {
    id: "bad-page",
    class: "fatal",
    summary:
      "A page's state or a page table entry is impossible: memory was overwritten or freed while in use.",
    begins: ["BUG: Bad page "],
    expression: /^BUG: Bad page (state|map|cache) in process /,
    title: "BUG: Bad page $1{ in @}",
    end: TRACE,
    example: "[   40.110009] BUG: Bad page state in process sh  pfn:101a3c",
    lookalikes: [
      { line: "[   40.100000] page dumped because: nonzero mapcount", why: "part of the report" },
    ],
  },
  {
    id: "bad-mm",
    class: "collect",
    summary: "A process left behind page tables or wrong counters.",
    begins: ["BUG: Bad rss-counter state", "BUG: non-zero "],
    expression: /^BUG: (Bad rss-counter state|non-zero \w+ on freeing mm)/,
    title: "BUG: $1",
    end: LINE,
    example: "[   40.110009] BUG: Bad rss-counter state mm:00000000a1b2c3d4 type:MM_ANONPAGES val:1",
    lookalikes: [
      {
        line: "[   40.100000] oom_reaper: reaped process 142 (sh), now anon-rss:0kB",
        why: "part of an OOM kill",
      },
    ],
  },
  {
    id: "oom-kill",
    class: "collect",
    summary:
      "Memory ran out and a process was killed for it. (Where a control group's limit did it: `oom-cgroup`.)",
    begins: ["Out of memory"],
    expression: /^Out of memory(?: \([a-z_]+\))?: Kill(?:ed)? process \d+ \((.{1,64}?)\)/,
    title: "out of memory: killed $1",
    end: LINE,
    example:
      "[   62.100331] Out of memory: Killed process 142 (tail) total-vm:231204kB, anon-rss:198112kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:456kB oom_score_adj:0",
    lookalikes: [
      { line: "Out of memory: Killed process 1 (test)", why: "text of a user program" },
      { line: "[   62.100000] Out of memory handler registered", why: "an announcement" },
    ],
  },
  {
    id: "oom-cgroup",
    class: "note",
    summary:
      "A control group reached its limit and a process was killed for it: what limits are for, so noted.",
    begins: ["Memory cgroup out of memory"],
    expression: /^Memory cgroup out of memory: Kill(?:ed)? process \d+ \((.{1,64}?)\)/,
    title: "memory cgroup out of memory: killed $1",
    end: LINE,
    example:
      "[   62.100331] Memory cgroup out of memory: Killed process 142 (tail) total-vm:231204kB, anon-rss:98112kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:256kB oom_score_adj:0",
    lookalikes: [
      { line: "[   62.100000] Memory cgroup stats for /test:", why: "part of the report" },
    ],
  },
  {
    id: "allocation-failure",
    class: "note",
    summary: "An allocation of pages failed; callers are made to cope, so noted.",
    begins: [],
    holds: ": page allocation failure: order:",
    expression: /^\S{1,64}: page allocation failure: order:\d+/,
    title: "page allocation failure{ in @}",
    end: { kind: "mark", mark: /^\d+ pages (?:hwpoisoned|reserved|cma reserved)$/ },
    example:
      "[   62.100331] insmod: page allocation failure: order:10, mode:0xcc0(GFP_KERNEL), nodemask=(null),cpuset=/,mems_allowed=0",
    lookalikes: [
      { line: "echo insmod: page allocation failure: order:10", why: "text of a user program" },
    ],
  },
  {
    id: "refcount",
    class: "collect",
    summary: "A reference count went wrong: something will be leaked or used after free.",
    begins: ["refcount_t: "],
    expression: /^refcount_t: ([a-z0-9 ,;.-]+)/,
    title: "WARNING: refcount bug: $1{ in @}",
    end: END_TRACE,
    example: "[   17.020034] refcount_t: underflow; use-after-free.",
    lookalikes: [
      {
        line: "[   17.000000] lkdtm: attempting bad refcount_t underflow",
        why: "the announcement of a test",
      },
    ],
  },
]);
