import { assertEquals } from "@std/assert";
import { AcpiPm, CONTROL_OFFSET, SLEEP_TYPE_S5 } from "../../../core/devices/acpi_pm.ts";
import type { MachineExit } from "../../../core/machine.ts";
import { RecordedLine } from "./recorder.ts";

const POWER_BUTTON = 1 << 8;
const SLEEP = 1 << 13;

function pm() {
  const sci = new RecordedLine(), exits: MachineExit[] = [];
  return { sci, exits, device: new AcpiPm(sci, (exit) => exits.push(exit)) };
}

Deno.test("S5 powers off; other sleep states do nothing", () => {
  const { device, exits } = pm();
  device.write(CONTROL_OFFSET, 1 << 10 | SLEEP, 2);
  assertEquals(exits, []);
  device.write(CONTROL_OFFSET, SLEEP_TYPE_S5 << 10 | SLEEP, 2);
  assertEquals(exits, [{ kind: "poweroff" }]);
});

Deno.test("ACPI mode is always on", () => {
  const { device } = pm();
  device.write(CONTROL_OFFSET, 0, 2);
  assertEquals(device.read(CONTROL_OFFSET, 2), 1);
});

Deno.test("the power button interrupts where it is enabled, until it is acknowledged", () => {
  const { device, sci } = pm();
  device.pressPowerButton();
  assertEquals([sci.level, device.read(0, 2)], [false, POWER_BUTTON]);
  device.write(2, POWER_BUTTON, 2);
  assertEquals(sci.level, true);
  device.write(0, POWER_BUTTON, 2);
  assertEquals([sci.level, device.read(0, 2)], [false, 0]);
});

Deno.test("registers are read and written by byte, word and double word", () => {
  const { device } = pm();
  device.write(0, 0xffff_0000, 4);
  assertEquals(device.read(0, 4), 0x0721 * 65536, "only events that exist are enabled");
  device.write(3, 0, 1);
  assertEquals(device.read(2, 2), 0x21);
});

Deno.test("what a kernel enables reads back, also what never comes", () => {
  const { device, sci } = pm();
  device.write(2, 0xffff, 2);
  assertEquals(device.read(2, 2), 0x0721, "timer, global lock, buttons, RTC");
  assertEquals(sci.level, false);
});
