import { assertEquals, assertThrows } from "@std/assert";
import { Plic, PLIC_SIZE } from "../../../core/devices/plic.ts";
import { poke, RecordedLine } from "./recorder.ts";

const threshold = (context: number) => 0x200000 + 0x1000 * context;
const claim = (context: number) => threshold(context) + 4;
const enable = (context: number, word = 0) => 0x2000 + 0x80 * context + 4 * word;

function plic(contexts = 2) {
  const outputs = Array.from({ length: contexts }, () => new RecordedLine());
  const device = new Plic(outputs);
  const write = (offset: number, value: number) => device.write(offset, value, 4);
  const read = (offset: number) => device.read(offset, 4);
  return { device, outputs, write, read };
}

Deno.test("a source reaches the context that enables it, above its threshold", () => {
  const { device, outputs, write, read } = plic();
  const line = device.source(10);
  line.set(true);
  assertEquals(read(0x1000), 1 << 10);
  write(4 * 10, 3);
  write(enable(1), 1 << 10);
  assertEquals(outputs.map((o) => o.level), [false, true]);
  write(threshold(1), 3);
  assertEquals(outputs[1].level, false);
  write(threshold(1), 2);
  assertEquals(outputs[1].level, true);
});

Deno.test("the highest priority is claimed first, the lowest number among equals", () => {
  const { device, write, read } = plic();
  for (const [source, priority] of [[40, 5], [7, 2], [33, 5]]) {
    write(4 * source, priority);
    device.source(source).set(true);
  }
  write(enable(0), 0xffffffff);
  write(enable(0, 1), 0xffffffff);
  assertEquals([read(claim(0)), read(claim(0)), read(claim(0)), read(claim(0))], [33, 40, 7, 0]);
});

Deno.test("a level that stays high interrupts again after completion, and not before", () => {
  const { device, outputs, write, read } = plic();
  const line = device.source(1);
  write(4, 1);
  write(enable(0), 2);
  line.set(true);
  assertEquals(read(claim(0)), 1);
  assertEquals(outputs[0].level, false);
  line.set(false);
  line.set(true);
  assertEquals(outputs[0].level, false, "the gateway waits for completion");
  write(claim(0), 1);
  assertEquals(outputs[0].level, true);
  assertEquals(read(claim(0)), 1);
  line.set(false);
  write(claim(0), 1);
  assertEquals(outputs[0].level, false);
});

Deno.test("a request stays pending although its source went away", () => {
  const { device, write, read } = plic();
  write(4, 1);
  write(enable(0), 2);
  const line = device.source(1);
  line.set(true);
  line.set(false);
  assertEquals(read(claim(0)), 1);
});

Deno.test("completion of a source the context has not enabled is ignored", () => {
  const { device, outputs, write, read } = plic();
  write(4, 1);
  write(enable(0), 2);
  device.source(1).set(true);
  assertEquals(read(claim(0)), 1);
  write(claim(1), 1);
  assertEquals(outputs[0].level, false);
});

Deno.test("priority 0 never interrupts, and a claim ignores the threshold", () => {
  const { device, outputs, write, read } = plic();
  write(enable(0), 6);
  device.source(1).set(true);
  assertEquals(read(claim(0)), 0);
  write(8, 1);
  write(threshold(0), 7);
  device.source(2).set(true);
  assertEquals(outputs[0].level, false);
  assertEquals(read(claim(0)), 2);
});

Deno.test("source 0 does not exist", () => {
  const { device, write, read } = plic();
  write(0, 7);
  write(enable(0), 1);
  assertEquals([read(0), read(enable(0))], [0, 0]);
  assertThrows(() => device.source(0), RangeError);
  assertThrows(() => device.source(96), RangeError);
});

Deno.test("no offset, size or value upsets the PLIC; saved state is restored; reset keeps line levels", () => {
  const { device, read } = plic(16);
  device.source(9).set(true);
  const offsets = [];
  for (let o = 0; o < 0x4000; o++) offsets.push(o);
  for (let o = 0x200000 - 8; o < PLIC_SIZE; o += 509) offsets.push(o);
  poke(device, offsets);
  const other = new Plic(Array.from({ length: 16 }, () => new RecordedLine()));
  other.restore(structuredClone(device.save()));
  assertEquals(other.save(), device.save());
  device.reset();
  assertEquals(read(0x1000), 1 << 9);
});
