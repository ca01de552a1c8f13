import { assertEquals } from "@std/assert";
import { DebugExit, PvPanic, RESET_NOW, ResetControl } from "../../../core/devices/exit_ports.ts";
import type { MachineExit } from "../../../core/machine.ts";

Deno.test("the reset control resets with its CPU bit only", () => {
  const exits: MachineExit[] = [];
  const device = new ResetControl((exit) => exits.push(exit));
  device.write(0, 0x02, 1);
  assertEquals([exits.length, device.read(0, 1)], [0, 2]);
  device.write(0, RESET_NOW, 1);
  assertEquals(exits, [{ kind: "reset" }]);
});

Deno.test("a test kernel's exit code is what it wrote", () => {
  const exits: MachineExit[] = [];
  new DebugExit((exit) => exits.push(exit)).write(0, 0x1234, 4);
  assertEquals(exits, [{ kind: "debugExit", code: 0x1234 }]);
});

Deno.test("pvpanic tells its events apart", () => {
  const events: string[] = [];
  const device = new PvPanic((event) => events.push(event));
  assertEquals(device.read(0, 1), 7);
  for (const value of [1, 2, 4, 8]) device.write(0, value, 1);
  assertEquals(events, ["panicked", "crashLoaded", "shutdown"]);
});
