/** A test that is over its time while its machine's two vCPUs spin, for `deno test`: a program for `ends_test.ts`. */
import { BareMachine, startRegisters } from "../../support/x86_machine.ts";

Deno.test({
  name: "spins for ever",
  timeout: 1500,
  async fn() {
    using guest = new BareMachine({ code: [0xeb, 0xfe], mode: "user", vcpus: 2 });
    guest.vcpus[1].holder.powerOn({ ...startRegisters("user", 1), activity: "running" });
    for (;;) {
      guest.machine.run(guest.engine, Infinity, performance.now() + 8);
      await new Promise((resolve) => setTimeout(resolve));
    }
  },
});
