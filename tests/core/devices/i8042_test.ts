import { assertEquals } from "@std/assert";
import { I8042 } from "../../../core/devices/i8042.ts";
import type { MachineExit } from "../../../core/machine.ts";
import { RecordedLine } from "./recorder.ts";

function controller() {
  const irq = new RecordedLine(), exits: MachineExit[] = [];
  const device = new I8042(irq, (exit) => exits.push(exit));
  const command = (value: number) => device.write(4, value, 1);
  const send = (value: number) => device.write(0, value, 1);
  const receive = () => {
    const bytes = [];
    while (device.read(4, 1) & 1) bytes.push(device.read(0, 1));
    return bytes;
  };
  return { irq, exits, device, command, send, receive };
}

Deno.test("the controller and its port test themselves", () => {
  const { command, receive } = controller();
  command(0xaa);
  assertEquals(receive(), [0x55]);
  command(0xab);
  assertEquals(receive(), [0]);
  command(0xa9);
  assertEquals(receive(), [1], "there is no mouse");
});

Deno.test("the configuration is read and written", () => {
  const { command, send, receive } = controller();
  command(0x60);
  send(0x05);
  command(0x20);
  assertEquals(receive(), [0x05]);
});

Deno.test("a pulse of the reset line resets the machine; a pulse of none does not", () => {
  const { command, exits } = controller();
  command(0xff);
  assertEquals(exits, []);
  command(0xfe);
  assertEquals(exits, [{ kind: "reset" }]);
});

Deno.test("the keyboard answers reset, identify, LEDs and scan code set", () => {
  const { send, receive } = controller();
  send(0xff);
  assertEquals(receive(), [0xfa, 0xaa]);
  send(0xf2);
  assertEquals(receive(), [0xfa, 0xab, 0x41]);
  send(0xed);
  send(0x07);
  assertEquals(receive(), [0xfa, 0xfa]);
  send(0xf0);
  send(0x00);
  assertEquals(receive(), [0xfa, 0xfa, 2]);
  send(0x99);
  assertEquals(receive(), [0xfe]);
});

Deno.test("each byte of a key is an interrupt of its own", () => {
  const { irq, device } = controller();
  assertEquals(device.sendKey([0x1e, 0x9e]), true);
  assertEquals(irq.level, true);
  assertEquals([device.read(0, 1), irq.level, device.read(0, 1), irq.level], [0x1e, true, 0x9e, false]);
});

Deno.test("a guest that reads no keys fills no more than the queue", () => {
  const { device, receive } = controller();
  let sent = 0;
  while (device.sendKey([1, 0x81])) sent++;
  assertEquals([sent, receive().length], [8, 16]);
});

Deno.test("a keyboard that is switched off sends nothing", () => {
  const { device, command } = controller();
  command(0xad);
  assertEquals(device.sendKey([1]), false);
  command(0xae);
  assertEquals(device.sendKey([1]), true);
});
