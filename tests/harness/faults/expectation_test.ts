import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { InputError } from "../../../harness/errors.ts";
import { ExpectedFaultError, type FaultPattern } from "../../../harness/faults/expectation.ts";
import { Watch } from "./_watch.ts";

const PANIC = `\
[    2.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100
[    2.000020] ---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100 ]---`;
const HUNG = "[    3.000000] INFO: task mount:142 blocked for more than 120 seconds.";

for (const what of ["panic", "init-died", /Attempted to kill init/, /^kernel panic/g] as FaultPattern[]) {
  Deno.test(`a panic that is expected as ${what} ends no wait and fails none`, () => {
    const watch = new Watch().boot();
    {
      using _ = watch.faults.expect(what);
      watch.print(PANIC);
      assertEquals([watch.stops, watch.faults.crash, watch.faults.take(true)], [0, undefined, undefined]);
    }
    assertEquals(watch.faults.all.map(({ rule, expected }) => [rule, expected]), [["init-died", true]]);
  });
}

Deno.test("another fault than the expected one ends the wait", () => {
  const watch = new Watch().boot();
  using _ = watch.faults.expect("panic");
  watch.print(HUNG).silence();
  assertEquals(watch.faults.crash?.rule, "hung-task");
  watch.print(PANIC.replaceAll("[    2.", "[    4."));
});

Deno.test("two expectations may be in scope", () => {
  const watch = new Watch().boot();
  {
    using _panic = watch.faults.expect("panic");
    using _hung = watch.faults.expect("hung-task");
    watch.print(HUNG).silence().print(PANIC.replaceAll("[    2.", "[    4."));
  }
  assertEquals([watch.stops, watch.faults.all.length], [0, 2]);
});

Deno.test("after the scope the same fault ends the wait", () => {
  const watch = new Watch().boot();
  {
    using _ = watch.faults.expect("hung-task");
    watch.print(HUNG).silence();
  }
  watch.print(HUNG.replace("[    3.", "[    4.")).silence();
  assertEquals(watch.faults.crash?.expected, false);
});

Deno.test("a fault that does not come is an error at the end of the scope", () => {
  const watch = new Watch().boot();
  const error = assertThrows(() => {
    using _ = watch.faults.expect("panic");
  }, ExpectedFaultError);
  assertStringIncludes(error.message, "Expected a fault (panic), but none came");
  assertEquals(error.verdict, "guest");
});

Deno.test("an optional fault need not come", () => {
  const watch = new Watch().boot();
  using _ = watch.faults.expect("panic", { optional: true });
});

Deno.test("a failed wait is never masked by a missing fault; the next wait tells of it", async () => {
  const watch = new Watch().boot();
  const failed = new Error("the wait failed");
  const error = await assertRejects(() =>
    Promise.resolve().then(() => {
      using _ = watch.faults.expect("panic");
      watch.faults.waitBegins();
      watch.faults.waitFailed();
      throw failed;
    })
  );
  assertEquals(error, failed);
  assertThrows(() => watch.faults.waitBegins(), ExpectedFaultError);
  watch.faults.waitBegins();
});

Deno.test("a wait that failed and was caught masks nothing later", () => {
  const watch = new Watch().boot();
  assertThrows(() => {
    using _ = watch.faults.expect("panic");
    watch.faults.waitBegins();
    watch.faults.waitFailed();
    watch.faults.waitBegins();
  }, ExpectedFaultError);
});

Deno.test("a wait that ends within the panic's first line has seen it", () => {
  const watch = new Watch().boot();
  {
    using _ = watch.faults.expect("panic");
    watch.unfinished = "[    2.000000] Kernel panic - not syncing: Attempted";
  }
  watch.unfinished = "";
  watch.print(PANIC);
  assertEquals([watch.stops, watch.faults.all[0].expected], [0, true]);
  watch.print(HUNG).silence();
  assertEquals(watch.faults.crash?.rule, "hung-task");
});

Deno.test("a report that outlasts the scope stays expected", () => {
  const watch = new Watch().boot();
  {
    using _ = watch.faults.expect(/kill init/);
    watch.print(PANIC.split("\n")[0]);
  }
  watch.print(PANIC.split("\n")[1]);
  assertEquals([watch.stops, watch.faults.all[0].expected], [0, true]);
});

Deno.test("a name that no rule has is refused, with the nearest that there is", () => {
  const { faults } = new Watch();
  const error = assertThrows(() => faults.expect("panick"), InputError);
  assertStringIncludes(error.message, "Did you mean panic?");
  assertInstanceOf(assertThrows(() => faults.expect(7 as unknown as string)), InputError);
});
