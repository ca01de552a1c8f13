/** Spins on two vCPUs for ever, in slices as the harness makes them: a program for `ends_test.ts`. */
import { BareMachine, startRegisters } from "../../support/x86_machine.ts";

const guest = new BareMachine({ code: [0xeb, 0xfe], mode: "user", vcpus: 2 });
guest.vcpus[1].holder.powerOn({ ...startRegisters("user", 1), activity: "running" });
const run = (ms: number) => guest.machine.run(guest.engine, Infinity, performance.now() + ms);
run(20);
if ("postMessage" in self) (self as unknown as Worker).postMessage("spinning");
else console.log("spinning");
for (;;) {
  run(8);
  await new Promise((resolve) => setTimeout(resolve));
}
