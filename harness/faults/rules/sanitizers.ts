/**
 * Sanitizers and leak finders: mm/kasan/report.c, mm/kfence/report.c, kernel/kcsan/report.c, mm/kmsan/report.c,
 * lib/ubsan.c, mm/kmemleak.c, mm/slub.c.
 *
 * What has overwritten or read foreign memory is fatal. A data race, undefined behaviour or a leak is a bug
 * too, but the kernel goes on as before: collected.
 */
import { type CrashRule, family, LINE, RULE_OFF, TRACE } from "../rule.ts";

/** Sanitizer reports. */
export const SANITIZER_RULES: readonly CrashRule[] = family("sanitizer", [
  {
    id: "kasan",
    class: "fatal",
    summary: "KASAN: memory used after free, out of bounds, or freed twice.",
    begins: ["BUG: KASAN: "],
    expression: /^BUG: KASAN: ([a-z-]+(?: or [a-z-]+)?)(?: in ([\w.]+)| on address)/,
    title: "BUG: KASAN: $1{ in @| in $2}",
    end: RULE_OFF,
    example: "[   12.551020] BUG: KASAN: slab-use-after-free in chunk_read+0x84/0xf0",
    lookalikes: [
      { line: "[    0.000000] kasan: KernelAddressSanitizer initialized (generic)", why: "an announcement" },
      { line: "[   12.500000]     ok 4 - kasan_global_oob", why: "the name of a test" },
    ],
  },
  {
    id: "kfence",
    class: "fatal",
    summary: "KFENCE: memory used after free, out of bounds, or corrupted.",
    begins: ["BUG: KFENCE: "],
    expression: /^BUG: KFENCE: ([a-z -]+?) in ([\w.]+)/,
    title: "BUG: KFENCE: $1{ in @| in $2}",
    end: RULE_OFF,
    example: "[   12.551020] BUG: KFENCE: use-after-free read in chunk_read+0x84/0xf0",
    lookalikes: [
      {
        line:
          "[    0.000000] kfence: initialized - using 2097152 bytes for 255 objects at 0x(____ptrval____)",
        why: "an announcement",
      },
    ],
  },
  {
    id: "kmsan",
    class: "fatal",
    summary: "KMSAN: an uninitialised value decided something or left the kernel.",
    begins: ["BUG: KMSAN: "],
    expression: /^BUG: KMSAN: ([a-z-]+) in ([\w.]+)/,
    title: "BUG: KMSAN: $1 in $2",
    end: RULE_OFF,
    arches: ["x86_64"],
    example: "[   12.551020] BUG: KMSAN: uninit-value in parse_header+0x1d1/0x4a0",
    lookalikes: [
      { line: "[    0.000000] Starting KernelMemorySanitizer", why: "an announcement" },
    ],
  },
  {
    id: "kcsan",
    class: "collect",
    summary: "KCSAN: two threads raced for a variable.",
    arches: ["x86_64", "arm64"],
    begins: ["BUG: KCSAN: "],
    expression: /^BUG: KCSAN: ([a-z-]+(?:: race)?) in ([\w.]+)(?: \/ ([\w.]+))?/,
    title: "BUG: KCSAN: $1 in $2{ / $3}",
    end: RULE_OFF,
    example: "[   12.551020] BUG: KCSAN: data-race in queue_pop / queue_push",
    lookalikes: [
      { line: "[    0.400000] kcsan: enabled early", why: "an announcement" },
    ],
  },
  {
    id: "ubsan",
    class: "collect",
    summary: "UBSAN: undefined behaviour, such as an index out of bounds.",
    begins: ["UBSAN: "],
    expression: /^UBSAN: ([A-Za-z -]+) in ([\w./+-]+):\d+/,
    title: "UBSAN: $1 in $2",
    end: { kind: "mark", mark: /^(?:={20,}$|---\[ end trace )/ },
    example: "[   12.551020] UBSAN: array-index-out-of-bounds in drivers/net/phy/sample.c:214:9",
    lookalikes: [
      { line: "[    0.400000] UBSAN: run-time checks are enabled", why: "an announcement" },
    ],
  },
  {
    id: "slub",
    class: "fatal",
    summary: "SLUB debugging: a slab object's red zone, padding or poison was overwritten.",
    begins: ["BUG "],
    expression: /^BUG (\S{1,64}) \((?:Not tainted|Tainted: [^)]{0,200})\): (.*)$/,
    title: "BUG: slab $1: $2",
    end: TRACE,
    example: "[   12.551020] BUG kmalloc-64 (Not tainted): Right Redzone overwritten",
    lookalikes: [
      { line: "[   12.500000] BUG tracker: https://bugs.example.org (Debian)", why: "not a slab" },
    ],
  },
  {
    id: "kmemleak",
    class: "collect",
    summary: "kmemleak found memory that nothing points to.",
    begins: ["kmemleak: "],
    expression: /^kmemleak: \d+ new suspected memory leaks/,
    title: "kmemleak: suspected memory leaks",
    end: LINE,
    example: "[  612.551020] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    lookalikes: [
      {
        line: "[    0.400000] kmemleak: Kernel memory leak detector initialized (mem pool available: 15679)",
        why: "an announcement",
      },
    ],
  },
]);
