import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ExpectedFaultError, guest, GuestCrashError, WaitError } from "../../../mod.ts";
import { A0, addi, assemble, ECALL, HALT, lui } from "../../core/boards/programs.ts";
import { tiny } from "../_tiny.ts";

Deno.test("a panic ends a wait for something else at once, with the whole report", async () => {
  await using vm = await tiny("panic");
  const error = await assertRejects(
    () => vm.console.waitFor("login:", { within: guest("1h") }),
    GuestCrashError,
  );
  assertEquals(error.exit, { kind: "panic", detail: error.crash.title });
  assertEquals(error.crash.family, "panic");
  assertStringIncludes(error.crashReport, "end Kernel panic");
  assertEquals(vm.guestTimeNs < 1e9, true, `it took ${vm.guestTimeNs} ns`);
  assertEquals(vm.faults.all.length, 1);
  assertEquals(vm.timeline.events.at(-1)?.kind, "fault");
});

for (
  const [name, wait] of Object.entries(
    {
      "never()": (vm) => vm.console.never("login:", { during: guest("1h") }),
      "type()": (vm) => vm.console.type("x".repeat(100), { within: guest("1h") }),
      "run()": (vm) => vm.run({ for: guest("1h") }),
      "waitForExit()": (vm) => vm.waitForExit({ within: guest("1h") }),
      'waitForExit({ kind: "poweroff" })': (vm) => vm.waitForExit({ kind: "poweroff", within: guest("1h") }),
    } satisfies Record<string, (vm: Awaited<ReturnType<typeof tiny>>) => Promise<unknown>>,
  )
) {
  Deno.test(`a panic ends ${name}`, async () => {
    await using vm = await tiny("panic");
    await assertRejects(() => wait(vm), GuestCrashError, "Kernel panic");
  });
}

for (const [type, how] of [[0, "powers off"], [1, "resets"]] as const) {
  Deno.test(`a guest that ${how} giving a failure as its reason has crashed, whatever it printed`, async () => {
    const A1 = 11, A6 = 16, A7 = 17, JUMP_OVER_HEADER = 0x0400006f;
    const kernel = new Uint8Array(4096);
    // Linux' image, which is started in S-mode: Documentation/arch/riscv/boot-image-header.rst.
    const header = new DataView(kernel.buffer);
    header.setUint32(0, JUMP_OVER_HEADER, true);
    header.setUint32(8, 0x20_0000, true); // offset in RAM
    header.setUint32(16, kernel.length, true);
    kernel.set(new TextEncoder().encode("RISCV\0\0\0RSC\x05"), 48);
    // SBI: system_reset(type, system failure); the extension is "SRST".
    const call = [
      addi(A0, 0, type),
      addi(A1, 0, 1),
      addi(A6, 0, 0),
      lui(A7, 0x53525),
      addi(A7, A7, 0x354),
      ECALL,
    ];
    kernel.set(assemble(...call, HALT), 64);
    await using vm = await tiny("halt", { kernel });
    const error = await assertRejects(() => vm.console.waitFor("login:"), GuestCrashError);
    assertEquals([error.crash.rule, error.verdict], ["system-failure", "guest"]);
    assertStringIncludes(error.message, 'the guest gave "system failure" as its reason');

    await using other = await tiny("halt", { kernel });
    await assertRejects(() => other.waitForExit({ kind: ["poweroff", "reset"] }), GuestCrashError);

    await using expecting = await tiny("halt", { kernel });
    using _ = expecting.faults.expect("system-failure");
    assertEquals((await expecting.waitForExit()).kind, type === 0 ? "poweroff" : "reset");
  });
}

Deno.test("an exit by panic is a value where it was asked for", async () => {
  await using vm = await tiny("panic");
  const exit = await vm.waitForExit({ kind: "panic" });
  assertEquals(exit.kind, "panic");
});

Deno.test("an expected panic ends no wait", async () => {
  await using vm = await tiny("panic");
  using _ = vm.faults.expect("panic");
  await vm.console.waitFor("end Kernel panic");
  await vm.run({ for: guest("10ms") });
  assertEquals(vm.faults.all.map(({ expected }) => expected), [true]);
});

Deno.test("a panic that a test waits for without expecting it fails the test, at the latest when it ends", async () => {
  const test = async () => {
    await using vm = await tiny("panic");
    await vm.console.waitFor("sysrq triggered");
  };
  await assertRejects(test, GuestCrashError, "Kernel panic");
});

Deno.test("a panic that was expected and did not come is an error", async () => {
  await using vm = await tiny("hello");
  await assertRejects(
    async () => {
      using _ = vm.faults.expect("panic");
      await vm.waitForExit({ kind: "poweroff" });
    },
    ExpectedFaultError,
  );
});

Deno.test("a failed wait is not masked by the expected panic that did not come", async () => {
  await using vm = await tiny("hello");
  await assertRejects(
    async () => {
      using _ = vm.faults.expect("panic");
      await vm.console.waitFor("login:");
    },
    WaitError,
    "login:",
  );
});

Deno.test("boot() takes a policy: what is ignored ends nothing", async () => {
  await using vm = await tiny("panic", { faults: { panic: "ignore" } });
  const error = await assertRejects(() => vm.console.waitFor("login:", { within: guest("10ms") }), WaitError);
  assertEquals([error.exit.kind, vm.faults.all.length], ["guestBudget", 0]);
});

Deno.test("the crash is told once: the test may go on to look around", async () => {
  await using vm = await tiny("panic");
  await assertRejects(() => vm.console.waitFor("login:"), GuestCrashError);
  await vm.run({ for: guest("1ms") });
});
