import { assertEquals, assertThrows } from "@std/assert";
import type { Device } from "../../core/devices/device.ts";
import { Ports } from "../../core/ports.ts";

/** Remembers accesses; reads give the offset plus 0x10. */
class Recorder implements Device {
  readonly accesses: string[] = [];
  read(offset: number, size: number): number {
    this.accesses.push(`r${size}@${offset}`);
    return offset + 0x10;
  }
  write(offset: number, value: number, size: number): void {
    this.accesses.push(`w${size}@${offset}=${value.toString(16)}`);
  }
  reset(): void {}
}

Deno.test("an access within a device is one access", () => {
  const ports = new Ports(), device = new Recorder();
  ports.map("device", 0x60, 4, device);
  assertEquals(ports.readDevice(0x62, 2), 0x12);
  ports.writeDevice(0x60, 0xaabbccdd, 4);
  assertEquals(device.accesses, ["r2@2", "w4@0=aabbccdd"]);
});

Deno.test("an access across a device's end falls into bytes; the rest reads as ones", () => {
  const ports = new Ports(), device = new Recorder();
  ports.map("device", 0x60, 2, device);
  assertEquals(ports.readDevice(0x61, 4), 0xffff_ff11);
  ports.writeDevice(0x61, 0x1234, 2);
  assertEquals(device.accesses, ["r1@1", "w1@1=34"]);
});

Deno.test("where nothing is, reads give ones and writes go nowhere", () => {
  const ports = new Ports();
  ports.writeDevice(0xffff, 0x12345678, 4);
  assertEquals([ports.readDevice(0x80, 1), ports.readDevice(0xffff, 4)], [0xff, 0xffff_ffff]);
});

Deno.test("two devices cannot have one port", () => {
  const ports = new Ports();
  ports.map("one", 0x60, 5, new Recorder());
  assertThrows(() => ports.map("two", 0x64, 1, new Recorder()), RangeError, "overlaps one");
});

Deno.test("each port leads to its own device, however many there are", () => {
  const ports = new Ports(), devices = Array.from({ length: 8 }, () => new Recorder());
  devices.forEach((device, i) => ports.map(`${i}`, 0xfff0 - 3 * i, 2, device));
  devices.forEach((_, i) => ports.writeDevice(0xfff0 - 3 * i + 1, i, 1));
  assertEquals(devices.map(({ accesses }) => accesses), devices.map((_, i) => [`w1@1=${i}`]));
  assertEquals([ports.readDevice(0xfff2, 1), ports.find(0xfff1, 2)], [0xff, undefined]);
});
