import { assert, assertEquals } from "@std/assert";
import { Uart16550 } from "../../../core/devices/uart16550.ts";
import { advance, Clock, poke, RecordedLine } from "./recorder.ts";

const [RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7];
const [THR, FCR] = [0, 2];

function uart() {
  const clock = new Clock(), irq = new RecordedLine();
  const device = new Uart16550(clock, irq, 1_843_200);
  const sent: number[] = [];
  device.onTransmit = (byte) => sent.push(byte);
  return { clock, irq, device, sent };
}

Deno.test("a written byte is on the line at once and THR is empty again", () => {
  const { device, sent } = uart();
  device.write(THR, 0x141, 1);
  assertEquals(sent, [0x41]);
  assertEquals(device.read(LSR, 1), 0x60);
});

Deno.test("the FIFO takes 16 bytes and refuses the next without dropping any", () => {
  const { device } = uart();
  device.write(FCR, 0x01, 1);
  for (let i = 0; i < 16; i++) assert(device.receive(i));
  assertEquals(device.space, 0);
  assertEquals(device.receive(99), false);
  for (let i = 0; i < 16; i++) assertEquals(device.read(RBR, 1), i);
  assertEquals(device.read(LSR, 1), 0x60);
  assertEquals(device.read(RBR, 1), 0);
});

Deno.test("without FIFOs one byte is held", () => {
  const { device } = uart();
  assertEquals(device.space, 1);
  assert(device.receive(1));
  assertEquals(device.receive(2), false);
});

Deno.test("every read tells the host that there is space, and it may refill from there", () => {
  const { device } = uart();
  const input = [..."hello, world, and more than sixteen bytes of it"].map((c) => c.charCodeAt(0));
  let next = 0;
  device.onReceiveSpace = () => {
    while (next < input.length && device.receive(input[next])) next++;
  };
  device.write(FCR, 0x01, 1);
  const got: number[] = [];
  while (device.read(LSR, 1) & 1) got.push(device.read(RBR, 1));
  assertEquals(got, input);
});

Deno.test("received data interrupts at the trigger level and stops below it", () => {
  const { device, irq } = uart();
  device.write(FCR, 0x41, 1); // trigger 4
  device.write(IER, 0x01, 1);
  for (let i = 0; i < 3; i++) device.receive(i);
  assertEquals(irq.level, false);
  device.receive(3);
  assertEquals(irq.level, true);
  assertEquals(device.read(IIR, 1), 0xc4);
  device.read(RBR, 1);
  assertEquals(irq.level, false);
  assertEquals(device.read(IIR, 1), 0xc1);
});

Deno.test("bytes below the trigger level time out after four characters", () => {
  const { device, irq, clock } = uart();
  device.write(LCR, 0x83, 1);
  device.write(0, 1, 1); // 115200 baud
  device.write(1, 0, 1);
  device.write(LCR, 0x03, 1); // 8N1
  device.write(FCR, 0xc1, 1); // trigger 14
  device.write(IER, 0x01, 1);
  device.receive(65);
  const fourCharactersNs = Math.ceil(4 * 10 * 1e9 / 115200);
  advance(clock, fourCharactersNs - 1);
  assertEquals(irq.level, false);
  advance(clock, 1);
  assertEquals(irq.level, true);
  assertEquals(device.read(IIR, 1), 0xcc);
  device.read(RBR, 1);
  assertEquals(irq.level, false);
});

Deno.test("THRE interrupts when enabled, until IIR is read, and again after each byte", () => {
  const { device, irq } = uart();
  device.write(IER, 0x02, 1);
  assertEquals(irq.level, true);
  assertEquals(device.read(IIR, 1), 0x02);
  assertEquals(irq.level, false);
  assertEquals(device.read(IIR, 1), 0x01);
  device.write(THR, 65, 1);
  assertEquals(irq.level, true);
  device.write(IER, 0, 1);
  assertEquals(irq.level, false);
  device.write(IER, 0x02, 1);
  assertEquals(irq.level, true);
});

Deno.test("reading IIR leaves THRE pending while something of higher priority is reported", () => {
  const { device, irq } = uart();
  device.write(IER, 0x0f, 1);
  device.write(MCR, 0x10, 1); // loopback: CTS, DSR and DCD fall
  device.write(THR, 1, 1);
  device.write(THR, 2, 1); // no room: overrun
  assertEquals(device.read(IIR, 1), 0x06);
  assertEquals(device.read(LSR, 1), 0x63);
  assertEquals(device.read(IIR, 1), 0x04);
  assertEquals(device.read(RBR, 1), 1);
  assertEquals(device.read(IIR, 1), 0x02);
  assertEquals(device.read(IIR, 1), 0x00);
  assertEquals(device.read(MSR, 1), 0x0b);
  assertEquals(device.read(IIR, 1), 0x01);
  assertEquals(irq.level, false);
});

Deno.test("loopback keeps bytes off the line and mirrors modem control in modem status", () => {
  const { device, sent } = uart();
  assertEquals(device.read(MSR, 1), 0xb0);
  device.write(MCR, 0x1a, 1); // loopback, OUT2, RTS
  assertEquals(device.read(MSR, 1) & 0xf0, 0x90);
  device.write(MCR, 0x14, 1);
  device.write(MCR, 0x10, 1);
  assertEquals(device.read(MSR, 1) & 0x04, 0x04, "RI went inactive");
  device.write(THR, 77, 1);
  assertEquals(device.receive(1), false, "the line is disconnected");
  assertEquals(device.read(RBR, 1), 77);
  assertEquals(sent, []);
});

Deno.test("the divisor latch hides data and interrupt registers only while DLAB is set", () => {
  const { device, sent } = uart();
  device.write(LCR, 0x80, 1);
  device.write(0, 0x34, 1);
  device.write(1, 0x12, 1);
  assertEquals([device.read(0, 1), device.read(1, 1)], [0x34, 0x12]);
  device.write(LCR, 0x03, 1);
  assertEquals(device.read(IER, 1), 0);
  device.write(SCR, 0xa5, 1);
  assertEquals(device.read(SCR, 1), 0xa5);
  assertEquals(sent, []);
});

Deno.test("clearing or switching the FIFO empties it and makes room", () => {
  const { device } = uart();
  let told = 0;
  device.onReceiveSpace = () => told++;
  device.write(FCR, 0x01, 1);
  device.receive(1);
  told = 0;
  device.write(FCR, 0x03, 1);
  assertEquals([device.unread, told], [0, 1]);
  device.receive(1);
  device.write(FCR, 0x00, 1);
  assertEquals(device.unread, 0);
});

Deno.test("saved state goes on where it was, timeout included", () => {
  const { device } = uart();
  device.write(FCR, 0xc1, 1);
  device.write(IER, 0x03, 1);
  device.receive(1);
  device.receive(2);
  const other = uart();
  other.device.restore(structuredClone(device.save()));
  assertEquals(other.device.save(), device.save());
  assertEquals(other.device.read(IIR, 1), 0xc2);
  advance(other.clock, 1e9);
  assertEquals(other.device.read(IIR, 1), 0xcc);
});

Deno.test("no offset, size or value upsets the UART, and reset puts everything back", () => {
  const { device } = uart();
  const initial = device.save();
  poke(device, Array.from({ length: 256 }, (_, i) => i));
  device.reset();
  assertEquals(device.save(), initial);
});
