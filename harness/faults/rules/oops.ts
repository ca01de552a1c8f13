/**
 * The processor refused what the kernel did. Headings: x86 `show_fault_oops()` (arch/x86/mm/fault.c) and
 * `__die_header()` (arch/x86/kernel/dumpstack.c); arm64 `die_kernel_fault()` (arch/arm64/mm/fault.c) and
 * `__die()` (arch/arm64/kernel/traps.c); riscv `die_kernel_fault()` (arch/riscv/mm/fault.c) and `die()`
 * (arch/riscv/kernel/traps.c).
 *
 * Fatal: the task that oopsed is gone with whatever locks it held, so nothing that follows proves anything.
 */
import { type CrashRule, END_TRACE, family } from "../rule.ts";

/** First headings of a fault, which the arch's "Oops" line continues. */
const CAUSES = [
  "null-dereference",
  "user-access",
  "page-fault",
  "general-protection",
  "cpu-exception",
  "double-fault",
  "unhandled-exception",
  "stack-overflow",
  "serror",
  "kernel-bug",
  "list-corruption",
  "usercopy",
  "fortify",
  "cfi",
];

/** Oopses. */
export const OOPS_RULES: readonly CrashRule[] = family("oops", [
  {
    id: "null-dereference",
    class: "fatal",
    summary: "The kernel used a null pointer.",
    // riscv tells a null pointer and other user memory apart by the address alone.
    begins: [
      "BUG: kernel NULL pointer",
      "BUG: unable to handle kernel NULL pointer",
      "Unable to handle kernel ",
    ],
    expression:
      /^(?:(?:BUG: kernel|BUG: unable to handle kernel|Unable to handle kernel) NULL pointer dereference|Unable to handle kernel access to user memory [a-z ]{1,40} at virtual address 0{13})/,
    title: "BUG: unable to handle kernel NULL pointer dereference{ in @}",
    end: END_TRACE,
    example: "[    7.220145] BUG: kernel NULL pointer dereference, address: 0000000000000010",
    lookalikes: [
      {
        line:
          "[    7.200000] app[212]: segfault at 0 ip 00007f1e8a2c4d10 sp 00007ffd3a1b2c40 error 4 in libc.so.6",
        why: "a user program's null pointer",
      },
      { line: "Unable to handle kernel NULL pointer dereference", why: "text of a user program" },
    ],
  },
  {
    id: "user-access",
    class: "fatal",
    summary: "The kernel used user memory outside of its access routines, or ran code there.",
    begins: [
      "Unable to handle kernel access to user memory",
      "kernel tried to execute NX-protected page",
      "unable to execute userspace code",
    ],
    expression:
      /^(?:Unable to handle kernel access to user memory|kernel tried to execute NX-protected page|unable to execute userspace code)/,
    title: "BUG: unable to handle kernel access to user memory{ in @}",
    end: END_TRACE,
    example:
      "[   20.615010] Unable to handle kernel access to user memory outside uaccess routines at virtual address 0000aaaac3f1b2a0",
    lookalikes: [
      { line: "[   20.600000] bad access to user memory was refused", why: "no heading of the kernel" },
    ],
  },
  {
    id: "page-fault",
    class: "fatal",
    summary: "The kernel used an address that is not mapped.",
    begins: [
      "BUG: unable to handle page fault",
      "BUG: unable to handle kernel paging request",
      "Unable to handle kernel ",
    ],
    expression:
      /^(?:BUG: unable to handle (?:page fault for address|kernel paging request)|Unable to handle kernel [a-z -]+ at virtual address)/,
    title: "BUG: unable to handle kernel paging request{ in @}",
    end: END_TRACE,
    partOf: ["user-access"],
    example: "[    7.220145] BUG: unable to handle page fault for address: ffffc90000c01000",
    lookalikes: [
      {
        line: "[    0.300000] rcu: Unable to handle kernel threads before init",
        why: "not the handler's sentence",
      },
      {
        line: "Unable to handle kernel paging request at virtual address dead",
        why: "text of a user program",
      },
    ],
  },
  {
    id: "general-protection",
    class: "fatal",
    summary: "A general protection fault, mostly a non-canonical address.",
    arches: ["x86_64"],
    begins: [
      "general protection fault",
      "segment-related general protection fault",
      "Oops: general protection fault",
      "traps: general protection fault",
    ],
    expression: /^(?:Oops: |traps: |segment-related )?general protection fault.{0,120}: [0-9a-f]{4} \[#\d+\]/,
    title: "general protection fault{ in @}",
    end: END_TRACE,
    example:
      "[   33.013377] Oops: general protection fault, probably for non-canonical address 0xdffffc0000000003: 0000 [#1] PREEMPT SMP KASAN PTI",
    lookalikes: [
      {
        line:
          "[   33.000000] traps: app[310] general protection fault ip:401136 sp:7ffd3a1b2c40 error:0 in app[401000+1000]",
        why: "a user program's fault",
      },
    ],
  },
  {
    id: "double-fault",
    class: "fatal",
    summary: "An exception while one was being delivered, mostly an overflown kernel stack.",
    arches: ["x86_64"],
    begins: ["PANIC: double fault", "traps: PANIC: double fault", "double fault:", "Oops: double fault:"],
    expression: /^(?:traps: )?(?:PANIC: |Oops: )?double fault(?:,|:)/,
    title: "PANIC: double fault{ in @}",
    end: END_TRACE,
    partOf: ["double-fault"],
    example: "[   18.000391] traps: PANIC: double fault, error_code: 0x0",
    lookalikes: [
      {
        line: "[   18.000000] lkdtm: Performing direct entry DOUBLE_FAULT",
        why: "the announcement of a test",
      },
    ],
  },
  {
    id: "cpu-exception",
    class: "fatal",
    summary: "Another exception in the kernel: divide error, invalid opcode, int3, stack segment, …",
    arches: ["x86_64"],
    begins: [
      ...[
        "Oops: ",
        "traps: ",
        "divide error:",
        "divide_error:",
        "invalid opcode:",
        "int3:",
        "stack segment:",
      ],
      ...["segment not present:", "alignment check:", "control protection:", "kernel stack overflow "],
    ],
    expression: /^(?:Oops: |traps: )?([a-z][a-z0-9 _()-]{1,60}): [0-9a-f]{4} \[#\d+\]/,
    title: "$1{ in @}",
    end: END_TRACE,
    partOf: CAUSES,
    example: "[    4.410901] Oops: divide error: 0000 [#1] PREEMPT SMP NOPTI",
    lookalikes: [
      {
        line:
          "[    4.400000] traps: app[99] trap divide error ip:401136 sp:7ffd0 error:0 in app[401000+1000]",
        why: "a user program's fault",
      },
    ],
  },
  {
    id: "unhandled-exception",
    class: "fatal",
    summary: "An exception of a kind that the kernel does not take.",
    arches: ["arm64"],
    begins: ["Bad mode in ", "Unhandled 64-bit el1", "Unhandled 32-bit el"],
    expression:
      /^(?:Bad mode in ([A-Za-z ]+?) handler detected|Unhandled \d\d-bit (\w+ \w+) exception) on CPU\d+/,
    title: "unhandled exception: $1$2{ in @}",
    end: END_TRACE,
    example: "[    3.141592] Unhandled 64-bit el1h sync exception on CPU0, ESR 0x0000000034000003 -- BTI",
    lookalikes: [
      { line: "[    3.100000] nvme nvme0: Unhandled 64-bit DMA mask", why: "not an exception" },
    ],
  },
  {
    id: "stack-overflow",
    class: "fatal",
    summary: "A kernel stack has overflown.",
    begins: ["BUG: ", "Insufficient stack space to handle exception", "Kernel panic - not syncing: "],
    expression:
      /^(?:BUG: (?:[A-Za-z]+ )?stack guard page was hit at|Insufficient stack space to handle exception!|Kernel panic - not syncing: [Kk]ernel stack overflow)/,
    title: "kernel stack overflow{ in @}",
    end: { kind: "mark", mark: /^---\[ end (?:trace|Kernel panic)/ },
    partOf: ["stack-overflow"],
    example: "[   18.000391] Insufficient stack space to handle exception!",
    lookalikes: [
      {
        line: "[   18.000000] stackdepot: using 2048 entries; stack guard pages: on",
        why: "an announcement",
      },
    ],
  },
  {
    id: "oops",
    class: "fatal",
    summary: "Any other exception in the kernel.",
    begins: ["Oops", "Internal error: ", "Kernel BUG [#"],
    expression:
      /^(?:(Internal error: (?!Oops)[A-Za-z][\w ,()/-]{0,80}): [0-9a-f]{1,16}|Internal error: (Oops(?: - [\w -]+)?): [0-9a-f]{1,16}|(?:Oops: )?(Oops): [0-9a-f]{4}|(Oops(?: - [a-z /-]+)?|Kernel BUG)) (?:\[#\d+\])/,
    title: "$1$2$3$4{ in @}",
    end: END_TRACE,
    partOf: CAUSES,
    example: "[    6.600113] Oops - load access fault [#1]",
    lookalikes: [
      { line: "Oops, that did not work. Try again [#1].", why: "text of a user program" },
      { line: "[    6.600000] Oops in the documentation of foo", why: "no oops number" },
      { line: "[    6.600000] nvme nvme0: Internal error: 6 in the log page", why: "a device's status" },
    ],
  },
]);
