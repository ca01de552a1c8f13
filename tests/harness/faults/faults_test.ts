import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { InputError } from "../../../harness/errors.ts";
import { MAX_REPORT_LINES } from "../../../harness/faults/report.ts";
import { Watch } from "./_watch.ts";

const PANIC = `\
[    2.000000] Kernel panic - not syncing: sysrq triggered crash
[    2.000010] CPU: 0 UID: 0 PID: 1 Comm: sh Not tainted 6.12.48 #1
[    2.000020] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---`;
const OOPS = `\
[    2.000000] BUG: kernel NULL pointer dereference, address: 0000000000000010
[    2.000010] Oops: Oops: 0000 [#1] PREEMPT SMP PTI
[    2.000020] RIP: 0010:ring_fill+0x10/0x20
[    2.000030] Call Trace:
[    2.000040]  ring_open+0x10/0x20
[    2.000050] ---[ end trace 0000000000000000 ]---`;
const WARNING = `\
[    3.000000] ------------[ cut here ]------------
[    3.000010] WARNING: CPU: 0 PID: 142 at kernel/workqueue.c:3034 __flush_work+0x2f8/0x310
[    3.000020] ---[ end trace 0000000000000000 ]---`;
const LOCKDEP = `\
[    4.000000] BUG: sleeping function called from invalid context at kernel/locking/mutex.c:585
[    4.000010] Call Trace:
[    4.000020]  mutex_lock+0x10/0x20
[    4.000030]  sample_init+0x10/0x20
[    4.000040] sample: locked`;

Deno.test("a panic ends the wait on the line that ends its report, and the report is whole", () => {
  const watch = new Watch().boot();
  const stopsAt: string[] = [];
  watch.onLine = (line) => void (watch.stops > 0 && stopsAt.length === 0 && stopsAt.push(line));
  watch.print(`${PANIC}\nmore`);
  assertEquals(stopsAt, [PANIC.split("\n")[2]]);
  assertEquals(watch.faults.crash?.title, "kernel panic: sysrq triggered crash");
  assertEquals(watch.faults.crash?.report, `${PANIC}\n`);
  assertEquals(watch.faults.crash?.atNs, 2e9);
});

Deno.test("a panic without an end ends the wait once the guest is silent", () => {
  const watch = new Watch().boot().print(PANIC.split("\n").slice(0, 2).join("\n"));
  assertEquals([watch.stops, watch.faults.crash], [0, undefined]);
  watch.silence();
  assertEquals(watch.stops, 1);
  assertEquals(watch.faults.crash?.lines, 2);
});

Deno.test("a machine that ends in the middle of a report does not lose it", () => {
  const watch = new Watch().boot().print(PANIC.split("\n")[0]);
  watch.faults.settle();
  assertEquals(watch.faults.crash?.rule, "panic");
});

Deno.test("an oops waits for the panic that it ends in, and both are kept", () => {
  const watch = new Watch().boot().print(OOPS);
  assertEquals(watch.stops, 0);
  watch.print(PANIC.replace("sysrq triggered crash", "Fatal exception"));
  assertEquals(watch.stops, 1);
  assertEquals(watch.titles.sort(), [
    "BUG: unable to handle kernel NULL pointer dereference in ring_fill",
    "kernel panic: Fatal exception",
  ]);
  assertEquals(watch.faults.crash?.rule, "null-dereference");
  assertStringIncludes(watch.faults.crash!.report, "Kernel panic - not syncing: Fatal exception");
});

Deno.test("an oops that the kernel survives ends the wait once the guest is silent for 10 ms", () => {
  const watch = new Watch().boot().print(OOPS);
  assertEquals(watch.quietNs, 10e6);
  watch.silence();
  assertEquals(watch.faults.crash?.rule, "null-dereference");
});

Deno.test("a guest that never falls silent cannot put off the end of a report", () => {
  const watch = new Watch().boot().print(PANIC.split("\n")[0]);
  for (let i = 0; i < MAX_REPORT_LINES; i++) watch.print(`noise ${i}`);
  assertEquals(watch.stops > 0, true);
  assertEquals(watch.faults.crash?.lines, MAX_REPORT_LINES);
  assertEquals(watch.faults.crash?.corrupted, true);
});

Deno.test("a report is bounded in characters too", () => {
  const watch = new Watch().boot().print(PANIC.split("\n")[0]);
  for (let i = 0; i < 40; i++) watch.print("x".repeat(100_000));
  assert(watch.faults.crash!.report.length < 70_000);
});

Deno.test("faults without end are counted, not kept", () => {
  const watch = new Watch().boot();
  for (let i = 0; i < 1000; i++) {
    watch.print(`[${(2 + i / 100).toFixed(6).padStart(12)}] BUG: Bad rss-counter state mm:0`);
  }
  assertEquals([watch.faults.all.length, watch.faults.dropped], [200, 800]);
});

Deno.test("a panic line that garbles a user program's line is found", () => {
  const watch = new Watch().boot().print(`Starting net${PANIC}`);
  assertEquals(watch.faults.crash?.report, `${PANIC}\n`);
  assertEquals(watch.faults.crash?.corrupted, false);
});

Deno.test("user output within a report is kept, and said to be there", () => {
  const lines = PANIC.split("\n");
  const watch = new Watch().boot().print([lines[0], "login: ", ...lines.slice(1)].join("\n"));
  assertEquals(watch.faults.crash?.report, [lines[0], "login: ", ...lines.slice(1), ""].join("\n"));
  assertEquals(watch.faults.crash?.corrupted, true);
});

Deno.test("a panic whose first line was lost is told by its end", () => {
  const watch = new Watch().boot().print(PANIC.split("\n")[2]).silence();
  assertEquals(watch.titles, ["kernel panic: sysrq triggered crash"]);
});

Deno.test("a kernel without printk times is watched as well", () => {
  const watch = new Watch().print(PANIC.replace(/^\[.{12}\] /gm, ""));
  assertEquals(watch.titles, ["kernel panic: sysrq triggered crash"]);
});

Deno.test("what a user program quotes is no fault on a kernel with printk times", () => {
  const watch = new Watch().boot().print(PANIC.replace(/^\[.{12}\] /gm, "").split("\n")[0]);
  watch.faults.settle();
  assertEquals(watch.titles, []);
});

Deno.test("dmesg, and a log of an earlier boot, are no fault", () => {
  const watch = new Watch().boot().print(WARNING).print("[   20.000000] sample: later");
  assertEquals(watch.faults.all.length, 1);
  watch.print(`${WARNING}\n${PANIC}`); // repeated by dmesg, the panic from a log
  watch.faults.line("[  900.000000] Kernel panic - not syncing: of another boot");
  watch.faults.settle();
  assertEquals(watch.titles, ["WARNING in __flush_work"]);
});

Deno.test("a record repeated at once, time and all, is one fault", () => {
  const watch = new Watch().boot().print(`${WARNING}\n${WARNING}`);
  assertEquals(watch.faults.all.length, 1);
});

Deno.test("cat /proc/version, and dmesg, are no second kernel", () => {
  const watch = new Watch().boot();
  watch.print("Linux version 6.12.48 (build@host) (gcc 14.2.0) #1 SMP");
  for (let i = 0; i < 200; i++) watch.print(`[    ${(i / 200).toFixed(6)}] Linux version 6.12.48, line ${i}`);
  watch.faults.settle();
  assertEquals(watch.titles, []);
});

Deno.test("a second kernel that nobody asked for ends the wait", () => {
  const watch = new Watch().boot();
  const startNs = watch.atNs + 1e8;
  for (let i = 0; i < 100; i++) {
    watch.atNs = startNs + i * 1e7;
    watch.print(`[    ${(i / 100).toFixed(6)}] ${i === 0 ? "Linux version 6.12.48" : `step ${i}`}`);
  }
  assertEquals(watch.titles, ["unexpected reboot: a second kernel"]);
  assertEquals(watch.faults.crash?.rule, "second-kernel");
});

Deno.test("after a reset, or kexec, another kernel and another banner are no surprise", () => {
  for (
    const announce of [
      (watch: Watch) => watch.faults.event("reset"),
      (watch: Watch) => watch.print("[    2.000000] kexec_core: Starting new kernel"),
    ]
  ) {
    const watch = new Watch().boot();
    announce(watch);
    watch.print("OpenSBI v1.6");
    const startNs = watch.atNs;
    for (let i = 0; i < 100; i++) {
      watch.atNs = startNs + i * 1e7;
      watch.print(`[    ${(i / 100).toFixed(6)}] step ${i}`);
    }
    watch.faults.settle();
    assertEquals(watch.titles, []);
    watch.print(PANIC.replaceAll("[    2.", "[    3."));
    assertEquals(watch.titles, ["kernel panic: sysrq triggered crash"]);
  }
});

Deno.test("firmware's banner counts when it comes twice, or after a kernel", () => {
  const twice = new Watch().print(
    "\nU-Boot SPL 2024.01 (Jan 08 2024)\n\nU-Boot 2024.01 (Jan 08 2024)\nresetting ...",
  );
  assertEquals(twice.titles, []);
  twice.print("U-Boot SPL 2024.01 (Jan 08 2024)").silence();
  assertEquals(twice.titles, ["unexpected reboot: U-Boot SPL"]);
  const after = new Watch().boot().print("OpenSBI v1.6").silence();
  assertEquals(after.titles, ["unexpected reboot: OpenSBI"]);
});

Deno.test("what is collected fails the wait that would have succeeded, once, and no other", () => {
  const watch = new Watch().boot().print(LOCKDEP);
  assertEquals([watch.stops, watch.faults.crash], [0, undefined]);
  assertEquals(watch.faults.take(false), undefined);
  assertEquals(
    watch.faults.take(true)?.title,
    "BUG: sleeping function called from invalid context in sample_init",
  );
  assertEquals(watch.faults.take(true), undefined);
});

Deno.test("a fatal fault fails any wait, once, and takes what was collected with it", () => {
  const watch = new Watch().boot().print(LOCKDEP).print(PANIC.replaceAll("[    2.", "[    5."));
  assertEquals(watch.faults.take(false)?.rule, "panic");
  assertEquals(watch.faults.take(true), undefined);
});

Deno.test("a warning is noted and fails nothing, unless a policy says so", () => {
  const noted = new Watch().boot().print(WARNING);
  assertEquals([noted.titles, noted.faults.take(true)], [["WARNING in __flush_work"], undefined]);
  assertEquals(
    noted.faults.all[0].report.split("\n")[0],
    "[    3.000000] ------------[ cut here ]------------",
  );

  const fatal = new Watch({ policy: { warning: "fatal" } }).boot().print(WARNING).silence();
  assertEquals(fatal.faults.crash?.rule, "warning");

  const ignored = new Watch({ policy: { warning: "ignore" } }).boot().print(WARNING).silence();
  assertEquals(ignored.titles, []);
});

Deno.test("a rule's policy counts before its family's, whichever came first", () => {
  const watch = new Watch().boot();
  watch.faults.policy({ panic: "note", lockup: "ignore" });
  watch.faults.policy({ "hung-task": "collect", lockup: "note" });
  watch.print("[    2.000000] INFO: task mount:142 blocked for more than 120 seconds.");
  watch.faults.settle();
  assertEquals(watch.faults.collected.map(({ rule }) => rule), ["hung-task"]);
});

Deno.test("unknown rules and classes are refused, and nothing is changed", () => {
  const { faults } = new Watch();
  const rule = assertThrows(() => faults.policy({ warning: "fatal", "hang-task": "note" }), InputError);
  assertStringIncludes(rule.message, `no crash rule or family "hang-task". Did you mean hung-task?`);
  const value = assertThrows(() => faults.policy({ warning: "fatel" as "fatal" }), InputError);
  assertStringIncludes(value.message, "Did you mean fatal?");
  const watch = new Watch().boot();
  assertThrows(() => watch.faults.policy({ warning: "fatal", nothing: "note" }));
  watch.print(WARNING).silence();
  assertEquals(watch.stops, 0);
});

Deno.test("what the machine knows without text is a fault too", () => {
  const watch = new Watch().boot();
  watch.faults.event("triple-fault", "no handler at 0x0");
  assertEquals(watch.faults.crash?.title, "triple fault: no handler at ADDR");
  const other = new Watch();
  other.faults.event("system-failure");
  assertEquals(other.faults.take(false)?.title, "system failure");
});

Deno.test("an emergency shell ends the wait with all it says", () => {
  const text =
    `ALERT!  LABEL=root does not exist.  Dropping to a shell!\n\nBusyBox v1.37.0 built-in shell (ash)\n`;
  const watch = new Watch().boot().print(text).silence();
  assertEquals(watch.faults.crash?.title, "initramfs: no root file system");
  assertStringIncludes(watch.faults.crash!.report, "BusyBox");
});
