/**
 * Something does not come to an end: kernel/watchdog.c, kernel/hung_task.c, kernel/rcu/tree_stall.h,
 * kernel/workqueue.c.
 *
 * Fatal: these limits are guest time, which stands still while the host is busy elsewhere, so a stall is never
 * the host's slowness; a wait would only spend its budget on it. (On an engine that runs in wall time, a test
 * may set the family to "collect".)
 */
import { type CrashRule, family, LINE, TRACE } from "../rule.ts";

/** Stalls. */
export const LOCKUP_RULES: readonly CrashRule[] = family("lockup", [
  {
    id: "rcu-stall",
    class: "fatal",
    summary: "A processor or a task has kept RCU from progress for too long.",
    begins: ["rcu: INFO: rcu", "INFO: rcu", "rcu: rcu_", "rcu_"],
    expression:
      /^(?:rcu: )?(?:INFO: rcu[a-z_]* (?:self-)?detected (?:expedited )?stalls?|rcu_[a-z]+ kthread (?:starved for|timer wakeup didn't happen for) \d+ jiffies)/,
    title: "INFO: rcu detected stall{ in @}",
    end: TRACE,
    partOf: ["rcu-stall", "soft-lockup"],
    example: "[   81.020011] rcu: INFO: rcu_preempt self-detected stall on CPU",
    lookalikes: [
      { line: "[   81.000000] rcu: INFO: Stall ended before state dump start", why: "it is over" },
      {
        line: "[    0.000000] rcu: \tRCU restricting CPUs from NR_CPUS=64 to nr_cpu_ids=1.",
        why: "an announcement",
      },
    ],
  },
  {
    id: "soft-lockup",
    class: "fatal",
    summary: "A processor has not scheduled for too long.",
    begins: ["watchdog: BUG: soft lockup", "BUG: soft lockup", "NMI watchdog: BUG: soft lockup"],
    expression: /^(?:NMI )?(?:watchdog: )?BUG: soft lockup - CPU#\d+ stuck for \d+s!/,
    title: "BUG: soft lockup{ in @}",
    end: TRACE,
    example: "[   52.010220] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [insmod:142]",
    lookalikes: [
      {
        line: "[    0.200000] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
        why: "an announcement",
      },
      { line: "[    0.000000] Kernel command line: softlockup_panic=1", why: "an option" },
    ],
  },
  {
    id: "hard-lockup",
    class: "fatal",
    summary: "A processor has taken no interrupt for too long.",
    begins: ["watchdog: ", "NMI watchdog: ", "Watchdog detected hard LOCKUP"],
    expression:
      /^(?:NMI )?(?:watchdog: )?(?:CPU\d+: )?[Ww]atchdog (?:CPU:\d+ )?detected hard LOCKUP on cpu \d+/,
    title: "hard lockup{ in @}",
    end: TRACE,
    example: "[   31.400155] watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1",
    lookalikes: [
      {
        line: "[    0.200000] watchdog: Delayed init of the lockup detector failed: -19",
        why: "an announcement",
      },
    ],
  },
  {
    id: "hung-task",
    class: "fatal",
    summary: "A task has waited uninterruptibly for too long.",
    begins: ["INFO: task "],
    expression:
      /^INFO: task (.{1,40}):\d+ (?:<\S+> )?(?:blocked|can't die) (?:in I\/O wait )?for more than \d+ seconds/,
    title: "INFO: task hung{ in @}",
    end: TRACE,
    partOf: ["hung-task"],
    example: "[  243.120066] INFO: task mount:142 blocked for more than 120 seconds.",
    lookalikes: [
      { line: "[  243.100000] INFO: task list follows:", why: "not a report" },
      {
        line: `[  243.100000] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.`,
        why: "part of the report",
      },
    ],
  },
  {
    id: "workqueue-lockup",
    class: "fatal",
    summary: "A pool of kernel workers makes no progress.",
    begins: ["BUG: workqueue lockup"],
    expression: /^BUG: workqueue lockup - pool/,
    title: "BUG: workqueue lockup",
    end: TRACE,
    example: "[   64.320012] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 32s!",
    lookalikes: [
      {
        line:
          "[   64.300000] workqueue: drain_vmap_area_work hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND",
        why: "slow, not stuck",
      },
    ],
  },
  {
    id: "netdev-leak",
    class: "collect",
    summary: "A network device cannot go because something still holds it: a reference was leaked.",
    begins: ["unregister_netdevice: waiting for "],
    expression: /^unregister_netdevice: waiting for \S{1,32} to become free/,
    title: "unregister_netdevice: waiting for a device to become free",
    end: LINE,
    example: "[  624.887185] unregister_netdevice: waiting for lo to become free. Usage count = 5",
    lookalikes: [
      {
        line: "[  624.800000] eth0: unregister_netdevice: waiting for nothing",
        why: "not the kernel's sentence",
      },
    ],
  },
]);
