import { assertEquals } from "@std/assert";
import { GoldfishRtc } from "../../../core/devices/goldfish_rtc.ts";
import { advance, Clock, poke, RecordedLine } from "./recorder.ts";

const [TIME_LOW, TIME_HIGH, ALARM_LOW, ALARM_HIGH, IRQ_ENABLED, CLEAR_ALARM, ALARM_STATUS, CLEAR_INTERRUPT] =
  [
    0x00,
    0x04,
    0x08,
    0x0c,
    0x10,
    0x14,
    0x18,
    0x1c,
  ];

function rtc() {
  const clock = new Clock(), irq = new RecordedLine();
  const device = new GoldfishRtc(clock, irq);
  const write64 = (offset: number, value: bigint) => {
    device.write(offset + 4, Number(value >> 32n), 4);
    device.write(offset, Number(value & 0xffffffffn), 4);
  };
  const now = () => {
    const low = BigInt(device.read(TIME_LOW, 4));
    return (BigInt(device.read(TIME_HIGH, 4)) << 32n) | low;
  };
  return { clock, irq, device, write64, now };
}

Deno.test("the clock starts at 2025-01-01 and follows guest time", () => {
  const { clock, now } = rtc();
  const start = BigInt(Date.parse("2025-01-01T00:00:00Z")) * 1_000_000n;
  assertEquals(now(), start);
  advance(clock, 123_456_789);
  assertEquals(now(), start + 123_456_789n);
});

Deno.test("reading the low half latches the high one", () => {
  const { clock, device, now } = rtc();
  const before = now() >> 32n;
  device.read(TIME_LOW, 4);
  advance(clock, 2 ** 33);
  assertEquals(BigInt(device.read(TIME_HIGH, 4)), before);
});

Deno.test("the time can be set", () => {
  const { clock, write64, now } = rtc();
  write64(TIME_LOW, 42n);
  advance(clock, 8);
  assertEquals(now(), 50n);
});

Deno.test("an alarm rings once at its time, by interrupt if enabled", () => {
  const { clock, irq, device, write64, now } = rtc();
  device.write(IRQ_ENABLED, 1, 4);
  write64(ALARM_LOW, now() + 1000n);
  assertEquals(device.read(ALARM_STATUS, 4), 1);
  advance(clock, 999);
  assertEquals(irq.level, false);
  advance(clock, 1);
  assertEquals([irq.level, device.read(ALARM_STATUS, 4)], [true, 0]);
  device.write(CLEAR_INTERRUPT, 1, 4);
  assertEquals(irq.level, false);
  write64(ALARM_LOW, now() - 1n); // in the past: at once
  advance(clock, 0);
  assertEquals(irq.level, true);
});

Deno.test("a cleared alarm does not ring", () => {
  const { clock, irq, device, write64, now } = rtc();
  device.write(IRQ_ENABLED, 1, 4);
  write64(ALARM_LOW, now() + 10n);
  device.write(CLEAR_ALARM, 1, 4);
  advance(clock, 100);
  assertEquals(irq.level, false);
  assertEquals(clock.nextDueNs, Infinity);
  assertEquals(device.read(ALARM_HIGH, 4) > 0, true);
});

Deno.test("no offset, size or value upsets the clock; saved state is restored", () => {
  const { device, clock } = rtc();
  poke(device, Array(64).keys());
  advance(clock, 10);
  const other = rtc();
  other.device.restore(structuredClone(device.save()));
  assertEquals(other.device.save(), device.save());
});
