import { assertEquals } from "@std/assert";
import { Aclint, AclintSswi } from "../../../core/devices/aclint.ts";
import { advance, Clock, poke, RecordedLine } from "./recorder.ts";

function aclint(harts = 2) {
  const clock = new Clock();
  const outputs = Array.from({ length: harts }, () => ({
    software: new RecordedLine(),
    timer: new RecordedLine(),
  }));
  const device = new Aclint(clock, outputs);
  return { clock, outputs, device };
}

const MTIMECMP = 0x4000, MTIME = 0xbff8;

Deno.test("mtime is guest time in nanoseconds, in two halves", () => {
  const { clock, device } = aclint();
  clock.idleNs = 5 * 2 ** 32;
  clock.instructions = 7;
  assertEquals([device.read(MTIME, 4), device.read(MTIME + 4, 4)], [7, 5]);
});

Deno.test("the timer interrupt is asserted from mtimecmp on and falls when it moves ahead", () => {
  const { clock, outputs, device } = aclint();
  device.write(MTIMECMP + 8, 1000, 4);
  device.write(MTIMECMP + 12, 0, 4);
  advance(clock, 999);
  assertEquals(outputs[1].timer.level, false);
  advance(clock, 1);
  assertEquals(outputs.map((o) => o.timer.level), [false, true]);
  device.write(MTIMECMP + 8, 1001, 4);
  assertEquals(outputs[1].timer.level, false);
  device.write(MTIMECMP + 8, 3, 4);
  assertEquals(outputs[1].timer.level, true);
});

Deno.test("msip drives the software interrupt of its hart by bit 0 only", () => {
  const { outputs, device } = aclint();
  device.write(4, 0xffffffff, 4);
  assertEquals(device.read(4, 4), 1);
  assertEquals(outputs.map((o) => o.software.level), [false, true]);
  device.write(4, 2, 4);
  assertEquals(outputs[1].software.level, false);
  device.write(8, 1, 4); // no such hart
});

Deno.test("writing 1 to SETSSIP pends once; reads give 0", () => {
  const pended: number[] = [];
  const device = new AclintSswi([() => pended.push(0), () => pended.push(1)]);
  device.write(4, 1, 4);
  device.write(0, 2, 4);
  device.write(8, 1, 4);
  device.write(4, 1, 1);
  assertEquals(pended, [1]);
  assertEquals(device.read(4, 4), 0);
});

Deno.test("no offset, size or value upsets the ACLINT; reset disarms; saved state is restored", () => {
  const { clock, outputs, device } = aclint();
  poke(device, [
    ...Array(64).keys(),
    ...Array.from({ length: 64 }, (_, i) => 0x4000 + i),
    0xbff4,
    0xbff8,
    0xfffc,
  ]);
  device.reset();
  advance(clock, 1e15);
  assertEquals(outputs.map((o) => o.timer.level), [false, false]);
  device.write(MTIMECMP + 4, 0, 4);
  const other = aclint();
  other.device.restore(structuredClone(device.save()));
  assertEquals(other.device.save(), device.save());
});
