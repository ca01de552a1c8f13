/**
 * The kernel caught itself: BUG() (lib/bug.c), list debugging (lib/list_debug.c), hardened usercopy
 * (mm/usercopy.c), FORTIFY_SOURCE (lib/string_helpers.c), control-flow integrity (kernel/cfi.c), spinlock
 * debugging (kernel/locking/spinlock_debug.c).
 */
import { type CrashRule, END_TRACE, family, TRACE } from "../rule.ts";

/** BUGs. */
export const BUG_RULES: readonly CrashRule[] = family("bug", [
  {
    id: "list-corruption",
    class: "fatal",
    summary: "A linked list's pointers do not fit together: memory was overwritten or used after free.",
    begins: ["list_add ", "list_del "],
    expression: /^(list_(?:add|del))(?: corruption| double add)/,
    title: "BUG: corrupted list{ in @}",
    end: END_TRACE,
    example:
      "[   15.100201] list_del corruption. prev->next should be ffff888103a1c010, but was dead000000000100. (prev=ffff888103a1c000)",
    lookalikes: [
      {
        line: "[   15.100000] list_sort_test: list_del corruption is tested next",
        why: "the words are not the heading",
      },
    ],
  },
  {
    id: "usercopy",
    class: "fatal",
    summary: "A copy to or from user space would have left its object.",
    begins: ["usercopy: Kernel memory"],
    expression: /^usercopy: (Kernel memory (?:exposure|overwrite)) attempt detected/,
    title: "BUG: bad usercopy: $1{ in @}",
    end: END_TRACE,
    example:
      "[   15.100201] usercopy: Kernel memory exposure attempt detected from SLUB object 'kmalloc-32' (offset 0, size 64)!",
    lookalikes: [
      { line: "[    0.000000] usercopy: hardened usercopy is enabled", why: "an announcement" },
    ],
  },
  {
    id: "fortify",
    class: "fatal",
    summary: "A string function would have left its buffer.",
    begins: ["detected buffer overflow in ", "mem", "str"],
    expression: /^(?:detected buffer overflow in (\w+)|(\w+): detected buffer overflow)/,
    title: "BUG: detected buffer overflow in $1$2{ by @}",
    end: END_TRACE,
    example: "[   15.100201] memcpy: detected buffer overflow: 8 byte write of buffer size 4",
    lookalikes: [
      { line: "*** buffer overflow detected ***: terminated", why: "a user program's check" },
      { line: "[    0.000000] memblock: detected no overlap", why: "no overflow" },
    ],
  },
  {
    id: "cfi",
    class: "fatal",
    summary: "An indirect call went to a function of another type.",
    begins: ["CFI failure at "],
    expression: /^CFI failure at ([\w.]+)/,
    title: "CFI failure in $1",
    end: END_TRACE,
    example:
      "[   15.100201] CFI failure at call_op+0x1c/0x30 (target: bad_op+0x0/0x10; expected type: 0x8a1c0f2e)",
    lookalikes: [
      { line: "[    0.000000] CFI: Using standard kCFI", why: "an announcement" },
    ],
  },
  {
    id: "kernel-bug",
    class: "fatal",
    summary: "The kernel reached a BUG().",
    begins: ["kernel BUG at "],
    expression: /^kernel BUG at ([\w./+-]+):\d+!/,
    title: "kernel BUG at $1{ in @}",
    end: END_TRACE,
    partOf: ["list-corruption", "usercopy", "fortify", "cfi"],
    example: "[    8.430012] kernel BUG at mm/slub.c:448!",
    lookalikes: [
      { line: "please report a kernel BUG at https://bugs.example.org", why: "text of a user program" },
      { line: "[    8.400000] kernel BUG at hand: none", why: "no place in the source" },
    ],
  },
  {
    id: "spinlock",
    class: "fatal",
    summary: "A spinlock or rwlock is used wrongly, or was overwritten.",
    begins: ["BUG: spinlock ", "BUG: rwlock "],
    expression:
      /^BUG: (spinlock|rwlock) (lockup suspected|already unlocked|recursion|cpu recursion|bad magic|wrong owner|wrong CPU|cpu-recursion|trylock failure on UP)/,
    title: "BUG: $1 $2{ in @}",
    end: TRACE,
    example: "[   11.004120] BUG: spinlock bad magic on CPU#0, insmod/142",
    lookalikes: [
      { line: "[   11.000000] spinlock: BUG checks are on", why: "an announcement" },
    ],
  },
]);
