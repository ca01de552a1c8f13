/**
 * The kernel gives up: `panic()` (kernel/panic.c) and its usual reasons (init/main.c, init/do_mounts.c,
 * kernel/exit.c, mm/oom_kill.c, kernel/sched/core.c).
 */
import { type CrashRule, family, LINE, type ReportEnd, TRACE } from "../rule.ts";

/** With `panic=0` a panic ends with its mark, otherwise with the announcement of the reboot. */
const END: ReportEnd = {
  kind: "mark",
  mark: /^(?:---\[ end Kernel panic - not syncing|Rebooting in \d+ seconds)/,
  final: true,
};
const QUOTE = "text of a user program on a kernel that prefixes its own lines";

/** Panics. */
export const PANIC_RULES: readonly CrashRule[] = family("panic", [
  {
    id: "no-root",
    class: "fatal",
    summary: "The kernel finds no root file system.",
    begins: [
      "VFS: Cannot open root device",
      "VFS: Unable to mount root fs",
      "Kernel panic - not syncing: VFS:",
    ],
    expression:
      /^(?:VFS: Cannot open root device|(?:Kernel panic - not syncing: )?VFS: Unable to mount root fs (?:on|via) )/,
    title: "kernel panic: VFS: unable to mount root fs",
    end: END,
    partOf: ["no-root"],
    example: `[    1.204518] VFS: Cannot open root device "/dev/vda1" or unknown-block(0,0): error -6`,
    lookalikes: [
      {
        line: `[    0.914240] VFS: Mounted root (ext4 filesystem) readonly on device 254:1.`,
        why: "the root file system was found",
      },
      {
        line: "[    0.000000] Kernel command line: root=/dev/vda1 panic=1 rootwait",
        why: "the command line names panic and root",
      },
    ],
  },
  {
    id: "no-init",
    class: "fatal",
    summary: "There is no init that could be run.",
    begins: ["Kernel panic - not syncing: No working init", "Kernel panic - not syncing: Requested init"],
    expression: /^Kernel panic - not syncing: (No working init found|Requested init \S+ failed)/,
    title: "kernel panic: $1",
    end: END,
    example:
      "[    1.310774] Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.",
    lookalikes: [
      { line: "[    1.200000] Run /sbin/init as init process", why: "init is being started" },
      { line: "No working init found is what Documentation/admin-guide/init.rst explains", why: QUOTE },
    ],
  },
  {
    id: "init-died",
    class: "fatal",
    summary: "Init, or an idle task, has died.",
    begins: ["Kernel panic - not syncing: Attempted to kill"],
    expression: /^Kernel panic - not syncing: (Attempted to kill (?:init|the idle task)!)/,
    title: "kernel panic: $1",
    end: END,
    example: "[    2.101963] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
    lookalikes: [
      {
        line: "[    2.101963] init: Attempted to kill a service that is not running",
        why: "a program's message by way of /dev/kmsg",
      },
    ],
  },
  {
    id: "oom-panic",
    class: "fatal",
    summary: "Memory ran out and nothing could be killed, or vm.panic_on_oom is set.",
    begins: [
      "Kernel panic - not syncing: Out of memory",
      "Kernel panic - not syncing: System is deadlocked on memory",
    ],
    expression: /^Kernel panic - not syncing: (Out of memory|System is deadlocked on memory)/,
    title: "kernel panic: $1",
    end: END,
    example: "[   31.780110] Kernel panic - not syncing: System is deadlocked on memory",
    lookalikes: [
      { line: "sh: fork: Out of memory", why: "a program's own message" },
    ],
  },
  {
    id: "stack-corrupted",
    class: "fatal",
    summary: "A stack canary or the end of a kernel stack was overwritten.",
    begins: [
      "Kernel panic - not syncing: stack-protector:",
      "Kernel panic - not syncing: corrupted stack end",
    ],
    expression:
      /^Kernel panic - not syncing: (?:stack-protector: Kernel (stack is corrupted) in: ([\w.]*)|(corrupted stack end))/,
    title: "kernel panic: $1$3{ in @| in $2}",
    end: END,
    example:
      "[    9.640092] Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: parse_opts+0x1c4/0x1c4",
    lookalikes: [
      { line: "*** stack smashing detected ***: terminated", why: "a user program's canary" },
    ],
  },
  {
    id: "early-exception",
    class: "fatal",
    summary: "An exception before the kernel could handle any.",
    arches: ["x86_64"],
    begins: ["PANIC: early exception"],
    expression: /^PANIC: early exception (0x[0-9a-f]+) /,
    title: "PANIC: early exception{ in @}",
    end: TRACE,
    example:
      "[    0.000000] PANIC: early exception 0x0e IP 10:ffffffff82f0a1c4 error 0 cr2 0xffffffffff240000",
    lookalikes: [
      { line: "PANIC: early exceptions are explained in the manual", why: QUOTE },
    ],
  },
  {
    id: "panic",
    class: "fatal",
    summary: "The kernel has stopped for good, for any other reason.",
    begins: ["Kernel panic - not syncing: ", "---[ end Kernel panic - not syncing: "],
    expression: /^(?:---\[ end )?Kernel panic - not syncing: (.*)$/,
    title: "kernel panic: $1",
    end: END,
    partOf: ["no-root"],
    example: "[   12.345678] Kernel panic - not syncing: sysrq triggered crash",
    lookalikes: [
      { line: "Kernel panic - not syncing: quoted by a test", why: QUOTE },
      { line: `~ # echo "Kernel panic - not syncing: hello"`, why: "a command that contains the words" },
      { line: "[    0.000000] Kernel command line: console=ttyS0 oops=panic panic=1", why: "an option" },
      { line: "ok 3 - survives a Kernel panic - not syncing", why: "the name of a test" },
      {
        line: "[    5.000000] systemd[1]: Set up Kernel panic - not syncing: handler",
        why: "a program's message by way of /dev/kmsg",
      },
    ],
  },
  {
    id: "init-not-executed",
    class: "collect",
    summary: "An init that was asked for could not be run; the kernel tries others.",
    begins: ["Failed to execute /", "Starting init: ", "check access for rdinit="],
    expression:
      /^(?:Failed to execute (\S+) \(error -\d+\)|Starting init: (\S+) exists but couldn't execute it|check access for rdinit=(\S+) failed)/,
    title: "failed to execute $1$2$3",
    end: LINE,
    example: "[    1.300412] Failed to execute /init (error -8)",
    lookalikes: [
      {
        line: "[    5.100000] systemd[1]: Failed to execute /usr/bin/foo: No such file",
        why: "a service's failure",
      },
    ],
  },
]);
