import { assertEquals } from "@std/assert";
import { TestFinisher } from "../../../core/devices/test_finisher.ts";
import type { MachineExit } from "../../../core/machine.ts";

Deno.test("each finisher code ends the machine in its own way, other writes do nothing", () => {
  const exits: MachineExit[] = [];
  const device = new TestFinisher((exit) => exits.push(exit));
  device.write(0, 0x5555, 4);
  device.write(0, 0x7777, 2);
  device.write(0, 0x002a_3333, 4);
  device.write(0, 0x1234, 4);
  device.write(0, 0x55, 1);
  device.write(4, 0x5555, 4);
  assertEquals(exits, [{ kind: "poweroff" }, { kind: "reset" }, { kind: "debugExit", code: 42 }]);
  assertEquals(device.read(0, 4), 0);
});
