import { assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { type MachineReport, WaitError } from "../../../harness/errors.ts";
import { GuestCrashError } from "../../../harness/faults/guest_crash_error.ts";
import { Watch } from "./_watch.ts";

const MACHINE: MachineReport = {
  guestTimeNs: 3e9,
  instructions: 3_000_000_000,
  cpus: [{ index: 0, pc: 0x80001234n, mode: "supervisor", state: "running" }],
  lastLines: ["a line"],
  reproduce: "bootwright run Image",
};

Deno.test("the error leads with the title and holds the whole report, its addresses named", () => {
  const watch = new Watch().boot().print(`\
[    2.000000] BUG: Bad rss-counter state mm:0
[    2.500000] Kernel panic - not syncing: at ffffffff80001234
[    2.500010] ---[ end Kernel panic - not syncing: at ffffffff80001234 ]---`);
  const crash = watch.faults.take(false)!;
  const error = watch.faults.error(crash, `"login:" on the console`, MACHINE, {
    kernelLog: ["a line of the log"],
  });
  assertInstanceOf(error, GuestCrashError);
  assertInstanceOf(error, WaitError);
  assertEquals([error.name, error.verdict], ["GuestCrashError", "guest"]);
  assertEquals(error.exit, { kind: "panic", detail: "kernel panic: at ADDR" });
  assertEquals(error.crash, crash);
  assertEquals(
    error.message,
    `\
kernel panic: at ADDR
  while waiting for "login:" on the console (rule "panic", fatal)
  guest time 2.500 s, 2500000000 instructions
  the report:
  | [    2.500000] Kernel panic - not syncing: at start_here+0x4
  | [    2.500010] ---[ end Kernel panic - not syncing: at start_here+0x4 ]---
  also: BUG: Bad rss-counter state at 2.000 s (collect)
  the end of the kernel's log:
  | a line of the log
  reproduce: bootwright run Image
  if the test provokes it on purpose: using _ = vm.faults.expect("panic")`,
  );
});

Deno.test("a fault without text shows the console's last lines", () => {
  const watch = new Watch();
  watch.faults.event("triple-fault", "no handler");
  const error = watch.faults.error(watch.faults.take(false)!, "the end", MACHINE);
  assertStringIncludes(error.message, "triple fault: no handler\n");
  assertEquals(error.kernelLog, undefined);
});

Deno.test("a long report is shown in part and held in full", () => {
  const watch = new Watch().boot().print("[    2.000000] Kernel panic - not syncing: long");
  for (let i = 0; i < 300; i++) watch.print(`[    2.${String(i + 1).padStart(6, "0")}] ${"x".repeat(190)}`);
  watch.faults.settle();
  const error = watch.faults.error(watch.faults.take(false)!, "the end", MACHINE);
  assertEquals(error.crashReport.split("\n").length, 302);
  assertStringIncludes(error.message, "… 181 more lines");
});
