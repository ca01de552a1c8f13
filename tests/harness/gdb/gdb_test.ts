/** Debian's real gdb and the tiny guests. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { kernelPath } from "../../../fixtures/kernels.ts";
import { tiny } from "../_tiny.ts";
import { gdb, gdbTest } from "./_gdb.ts";

const hello = kernelPath("hello"), smp = kernelPath("smp");

gdbTest(
  "gdb breaks at a symbol, shows registers and a backtrace, steps, and lets the guest end",
  async () => {
    await using vm = await tiny("hello");
    const text = await gdb(vm, hello, [
      "break putc",
      "continue",
      "info registers pc ra a0",
      "backtrace",
      "stepi",
      "x/i $pc",
      "info registers mstatus",
      "p $fa0",
      "p/x $misa",
      "delete",
      "continue",
    ]);
    assertStringIncludes(text, "_start ()");
    assertMatch(text, /Breakpoint 1, 0x0*80000018 in putc \(\)/); // behind what gdb takes for a prologue
    assertMatch(text, /^pc +0x80000018\s+0x80000018 <putc\+4>$/m);
    assertMatch(text, /^a0 +0x48\s+72$/m);
    assertMatch(text, /^#0 +0x0*80000018 in putc \(\)\n#1 +0x0*80000038 in puts \(\)/m);
    assertMatch(text, /^=> 0x8000001c <putc\+8>:\s+and/m);
    assertMatch(text, /^mstatus +0xa00000000\s/m);
    assertMatch(text, /= \{float = 0, double = 0\}/);
    assertMatch(text, /= 0x800000000014112d/);
    assertMatch(text, /\[Inferior 1 \(.*\) exited normally\]/);
    assertEquals([vm.exit?.kind, vm.console.text], ["poweroff", "Hello from riscv64\n"]);
  },
);

gdbTest("gdb watches a variable, and sees vCPUs as threads", async () => {
  await using vm = await tiny("smp", { cpus: 3 });
  const text = await gdb(vm, smp, [
    "watch *(long *)&sum",
    "continue",
    "info threads",
    "continue",
    "delete",
    "rwatch *(int *)&answer",
    "continue",
    "thread 3",
    "p $mhartid",
    "thread apply all p $mhartid",
    "delete",
    "detach",
  ]);
  assertMatch(
    text,
    /Thread 2 "vCPU 1" hit Hardware watchpoint 1.*\n\nOld value = 0\nNew value = 1\n0x0*8000016a/,
  );
  assertMatch(text, /^ +1 +Thread 1 "vCPU 0" \(machine mode, running\) +0x\w+ in main \(\)$/m);
  assertMatch(text, /^\* 2 +Thread 2 "vCPU 1" \(machine mode, running\) +0x\w+ in park \(\)$/m);
  assertMatch(text, /Thread 3 "vCPU 2" hit Hardware watchpoint 1.*\n\nOld value = 1\nNew value = 3\n/);
  assertMatch(text, /Thread 1 "vCPU 0" hit Hardware read watchpoint 2.*\n\nValue = [012]\n/);
  assertMatch(text, /Switching to thread 3.*\n[^]*\$1 = 2\n/);
  assertMatch(text, /Thread 1 .*:\n\$\d = 0\n/);
  assertMatch(text, /detached/);
  await vm.waitForExit({ kind: "poweroff" });
  assertStringIncludes(vm.console.text, "harts 3 sum 3");
});

gdbTest("gdb writes registers and memory, and breaks on a condition", async () => {
  await using vm = await tiny("hello");
  const text = await gdb(
    vm,
    hello,
    [
      "break *putc if $a0 == 'f'",
      "commands 1",
      "silent",
      'printf "at f\\n"',
      "end",
      "continue",
      "set var $a0 = 'F'",
      "p *(char *)$t2",
      "set {char}($t2 + 1) = 'R'",
      "delete",
      "continue",
    ].filter((line) => !/^(commands|silent|printf|end)/.test(line)),
  );
  assertMatch(text, /Breakpoint 1, 0x0*80000014 in putc \(\)/);
  assertMatch(text, /\$1 = 102 'f'/);
  assertEquals(vm.console.text, "Hello FRom riscv64\n");
});

gdbTest("gdb runs to an address, and steps over a call", async () => {
  await using vm = await tiny("hello");
  const text = await gdb(vm, hello, [
    "break *puts",
    "continue",
    "tbreak *putc",
    "continue",
    "until *(putc + 20)",
    "stepi",
    "info registers pc",
    "nexti 4",
    "x/i $pc",
    "nexti",
    "info registers pc",
    "kill",
  ]);
  assertEquals(text.match(/^pc +0x80000038\s/gm)?.length, 2);
  assertMatch(text, /=> 0x80000034 <puts\+10>:\s+jal\s/); // putc(…) is next
  assertEquals([vm.exit?.kind, vm.console.text], ["poweroff", "He"]);
});

gdbTest("gdb runs monitor commands, and goes away without a word", async () => {
  await using vm = await tiny("smp", { cpus: 2 });
  const text = await gdb(vm, smp, ["monitor info cpus", "monitor info time", "monitor bogus", "stepi 5"]);
  assertMatch(text, /^vCPU 1: pc 0x0000000080000000, machine mode, running$/m);
  assertMatch(text, /\(0 ns\)/);
  assertStringIncludes(text, `There is no monitor command "bogus".`);
  await vm.waitForExit({ kind: "poweroff" });
});

gdbTest("a second gdb is told why it is turned away", async () => {
  await using vm = await tiny("hello");
  await using server = await vm.gdb();
  const conn = await Deno.connect(server.address);
  await conn.write(new TextEncoder().encode("$?#3f"));
  await server.attached;
  const { hostname, port } = server.address;
  const { stderr } = await new Deno.Command("gdb-multiarch", {
    args: ["-nx", "-batch", "-ex", `target remote ${hostname}:${port}`],
  }).output();
  assertStringIncludes(new TextDecoder().decode(stderr), "This machine is being debugged by another gdb.");
  conn.close();
});
