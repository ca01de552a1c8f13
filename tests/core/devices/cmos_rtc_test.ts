import { assertEquals } from "@std/assert";
import { CmosRtc } from "../../../core/devices/cmos_rtc.ts";
import { advance, Clock, RecordedLine } from "./recorder.ts";

const SECOND = 1_000_000_000;

function rtc() {
  const clock = new Clock(), irq = new RecordedLine();
  const device = new CmosRtc(clock, irq, Date.parse("2025-12-31T23:59:58Z") / 1000);
  const read = (index: number) => {
    device.write(0, index, 1);
    return device.read(1, 1);
  };
  const write = (index: number, value: number) => {
    device.write(0, index, 1);
    device.write(1, value, 1);
  };
  const time = () =>
    [0x32, 9, 8, 7, 4, 2, 0].map((index) => read(index).toString(16).padStart(2, "0")).join(" ");
  return { clock, irq, device, read, write, time };
}

Deno.test("the time is guest time, in BCD, and carries into the year", () => {
  const { clock, time, read } = rtc();
  assertEquals(time(), "20 25 12 31 23 59 58");
  advance(clock, 3 * SECOND);
  assertEquals(time(), "20 26 01 01 00 00 01");
  assertEquals(read(6), 5, "a Thursday");
});

Deno.test("binary and twelve-hour formats", () => {
  const { read, write } = rtc();
  write(0x0b, 0x06);
  assertEquals([read(4), read(2)], [23, 59]);
  write(0x0b, 0x04);
  assertEquals(read(4), 11 | 0x80);
});

Deno.test("the guest sets the time; it stands still meanwhile", () => {
  const { clock, read, write, time } = rtc();
  write(0x0b, 0x82);
  for (const [index, value] of [[0x32, 0x20], [9, 0x30], [8, 6], [7, 0x15], [4, 0x12], [2, 0x30], [0, 0]]) {
    write(index, value);
  }
  advance(clock, 10 * SECOND);
  assertEquals(read(0), 0);
  write(0x0b, 0x02);
  assertEquals(time(), "20 30 06 15 12 30 00");
  advance(clock, SECOND);
  assertEquals(time(), "20 30 06 15 12 30 01");
});

Deno.test("the alarm rings at its second, and reading register C quiets it", () => {
  const { clock, irq, read, write } = rtc();
  write(1, 0x59);
  write(3, 0xff);
  write(5, 0xff);
  write(0x0b, 0x22);
  assertEquals(irq.level, false);
  advance(clock, SECOND);
  assertEquals(irq.level, true);
  assertEquals(read(0x0c) & 0xa0, 0xa0);
  assertEquals([irq.level, read(0x0c)], [false, 0]);
});

Deno.test("periodic interrupts come at the selected rate", () => {
  const { clock, irq, read, write } = rtc();
  write(0x0a, 0x2f); // 2 Hz
  write(0x0b, 0x42);
  advance(clock, SECOND / 2 - 1);
  assertEquals(irq.level, false);
  advance(clock, 1);
  assertEquals(irq.level, true);
  read(0x0c);
  advance(clock, SECOND / 2);
  assertEquals(irq.level, true);
});

Deno.test("CMOS memory keeps what is written, and is saved and restored", () => {
  const first = rtc();
  first.write(0x40, 0xab);
  const second = rtc();
  second.device.restore(first.device.save());
  assertEquals([second.read(0x40), second.time()], [0xab, first.time()]);
});
