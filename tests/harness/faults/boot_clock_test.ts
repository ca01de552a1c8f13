import { assertEquals } from "@std/assert";
import { BootClock } from "../../../harness/faults/boot_clock.ts";

/** A clock that has seen a boot's records up to `untilS`, each printed at its time. */
function booted(untilS: number): BootClock {
  const clock = new BootClock(0);
  for (let i = 0; i <= 20; i++) assertEquals(clock.judge(untilS * i / 20, untilS * i / 20 * 1e9), "live");
  return clock;
}

Deno.test("a kernel prints times once ten of them came", () => {
  const clock = new BootClock(0);
  for (let i = 0; i < 9; i++) clock.judge(i, i * 1e9);
  assertEquals(clock.established, false);
  clock.judge(10, 10e9);
  assertEquals(clock.established, true);
});

Deno.test("a first burst, when the console driver starts, is live", () => {
  const clock = new BootClock(0);
  for (let i = 0; i < 50; i++) assertEquals(clock.judge(i / 100, 0.5e9), "live");
});

Deno.test("dmesg repeats: nothing up to the newest record is live, what is newer is", () => {
  const clock = booted(5);
  for (const timeS of [0, 0.001, 1, 2.5, 4.99, 5]) assertEquals(clock.judge(timeS, 6.0001e9), "echo");
  assertEquals(clock.judge(6.0002, 6.0003e9), "live");
});

Deno.test("dmesg repeats, also after a minute of silence, and slowly", () => {
  for (const nsPerLine of [20_000, 300_000, 50_000_000]) {
    const clock = booted(2);
    clock.heard(60e9);
    for (let i = 0; i <= 400; i++) assertEquals(clock.judge(i / 200, 60e9 + i * nsPerLine), "echo");
  }
});

Deno.test("processors may be a little out of order", () => {
  const clock = booted(5);
  assertEquals(clock.judge(4.95, 5.1e9), "live");
});

Deno.test("a record from the future is quoted, unless the clock itself is strange", () => {
  const clock = booted(5);
  assertEquals(clock.judge(900, 6e9), "echo");
  assertEquals(clock.judge(6, 6e9), "live");
  assertEquals([901, 902, 903, 904].map((timeS) => clock.judge(timeS, 7e9)), [
    "echo",
    "echo",
    "live",
    "live",
  ]);
});

Deno.test("a kernel that boots anew is told by the pace of its records", () => {
  const clock = booted(5);
  clock.heard(6e9); // its firmware says something
  const ages = [clock.judge(0, 6.3e9), clock.judge(0, 6.3e9), clock.judge(0.25, 6.3e9)];
  for (let i = 1; i <= 10; i++) ages.push(clock.judge(0.25 + i / 20, (6.3 + i / 20) * 1e9));
  assertEquals(ages.indexOf("restart") > 2, true);
  assertEquals(new Set(ages), new Set(["echo", "restart"]));
});

Deno.test("times of zero prove nothing", () => {
  const clock = booted(5);
  for (let i = 0; i < 100; i++) assertEquals(clock.judge(0, 6e9 + i * 1e9), "echo");
});
