import { assertEquals } from "@std/assert";
import { BootClock } from "../../../harness/faults/boot_clock.ts";

/** What a clock says to a record of a time. */
const judge = (clock: BootClock, timeS: number, nowNs: number, what = "a record") =>
  clock.judge(`[${timeS.toFixed(6).padStart(12)}] ${what}`, timeS, nowNs);

/** A clock that has seen a boot's records up to `untilS`, each printed at its time. */
function booted(untilS: number): BootClock {
  const clock = new BootClock(0);
  for (let i = 0; i <= 20; i++) assertEquals(judge(clock, untilS * i / 20, untilS * i / 20 * 1e9), "live");
  return clock;
}

Deno.test("a kernel prints times once ten of them came", () => {
  const clock = new BootClock(0);
  for (let i = 0; i < 9; i++) judge(clock, i, i * 1e9);
  assertEquals(clock.established, false);
  judge(clock, 10, 10e9);
  assertEquals(clock.established, true);
});

Deno.test("a first burst, when the console driver starts, is live", () => {
  const clock = new BootClock(0);
  for (let i = 0; i < 50; i++) assertEquals(judge(clock, i / 100, 0.5e9), "live");
});

Deno.test("dmesg repeats: nothing up to the newest record is live, what is newer is", () => {
  const clock = booted(5);
  for (const timeS of [0, 0.001, 1, 2.5, 4.99, 5]) assertEquals(judge(clock, timeS, 6.0001e9), "echo");
  assertEquals(judge(clock, 6.0002, 6.0003e9), "live");
});

Deno.test("dmesg repeats, also after a minute of silence, and slowly", () => {
  for (const nsPerLine of [20_000, 300_000, 50_000_000]) {
    const clock = booted(2);
    clock.heard(60e9);
    for (let i = 0; i <= 400; i++) assertEquals(judge(clock, i / 200, 60e9 + i * nsPerLine), "echo");
  }
});

Deno.test("processors may be a little out of order", () => {
  const clock = booted(5);
  assertEquals(judge(clock, 4.95, 5.1e9), "live");
});

Deno.test("a record from the future is quoted, unless the clock itself is strange", () => {
  const clock = booted(5);
  assertEquals(judge(clock, 900, 6e9), "echo");
  assertEquals(judge(clock, 6, 6e9), "live");
  assertEquals([901, 902, 903, 904].map((timeS) => judge(clock, timeS, 7e9)), [
    "echo",
    "echo",
    "live",
    "live",
  ]);
});

Deno.test("a log that is repeated at the pace of the boot is no boot, but others' records at that pace are", () => {
  for (const [what, age] of [["a record", "echo"], ["another", "restart"]]) {
    const clock = booted(2);
    clock.heard(60e9);
    const ages = Array.from({ length: 21 }, (_, i) => judge(clock, i / 10, 60e9 + i * 1e8, what));
    assertEquals(ages.includes("restart"), age === "restart");
  }
});

Deno.test("what a quiet kernel never printed proves no boot, at whatever pace it is shown", () => {
  const clock = booted(2);
  const ages = Array.from({ length: 21 }, (_, i) => judge(clock, i / 250, 60e9 + i * 4e6, "not shown"));
  for (let i = 1; i < 10; i++) ages.push(judge(clock, i / 10, (60 + i / 10) * 1e9));
  assertEquals(new Set(ages), new Set(["echo"]));
});

Deno.test("the end of the log, repeated at once, is not live", () => {
  const clock = booted(5);
  const end = ["first", "second", "third"];
  for (const age of ["live", "echo"]) {
    assertEquals(end.map((what, i) => judge(clock, 5.01 + i / 100, 5.1e9, what)), end.map(() => age));
  }
  assertEquals(judge(clock, 5.04, 5.2e9, "fourth"), "live");
});

Deno.test("a kernel that boots anew is told by the pace of its records", () => {
  const clock = booted(5);
  clock.heard(6e9); // its firmware says something
  const ages = [
    judge(clock, 0, 6.3e9, "another"),
    judge(clock, 0, 6.3e9, "another"),
    judge(clock, 0.25, 6.3e9, "another"),
  ];
  for (let i = 1; i <= 10; i++) ages.push(judge(clock, 0.25 + i / 20, (6.3 + i / 20) * 1e9, "another"));
  assertEquals(ages.indexOf("restart") > 2, true);
  assertEquals(new Set(ages), new Set(["echo", "restart"]));
});

Deno.test("times of zero prove nothing", () => {
  const clock = booted(5);
  for (let i = 0; i < 100; i++) assertEquals(judge(clock, 0, 6e9 + i * 1e9), "echo");
});
