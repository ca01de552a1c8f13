import { assertEquals } from "@std/assert";
import { SilentPanic } from "../../../harness/faults/silent_panic.ts";
import type { LogEntry } from "../../../harness/kernel/log.ts";
import { Watch } from "./_watch.ts";

const entry = (seconds: number, text: string, facility = 0): LogEntry => ({
  sequence: seconds,
  timeNs: seconds * 1e9,
  level: 0,
  facility,
  text,
  caller: "T1",
});
const PANIC = [
  entry(1, "Run /init as init process"),
  entry(2, "Kernel panic - not syncing: no reason\nat all"),
];

/** A machine that prints nothing and stays in its kernel, unless told otherwise. */
function watched(log: readonly LogEntry[] | undefined, firstPause?: number) {
  const state = { printed: 0, inKernel: true, looks: 0, lastLines: [] as string[], panics: [] as string[][] };
  const watch = new SilentPanic({
    sentBytes: () => state.printed,
    lastLines: () => state.lastLines,
    inKernel: () => state.inKernel,
    log: () => (state.looks++, log),
    panicked: (lines) => void state.panics.push([...lines]),
  }, firstPause);
  const seconds = (count: number) => {
    for (let i = 0; i < count; i++) watch.second();
  };
  return { state, watch, seconds };
}

Deno.test("a panic in the log of a silent kernel is told, with what the console has not shown", () => {
  const { state, seconds } = watched(PANIC);
  state.lastLines = ["[    0.900000] Run /init as init process"];
  seconds(2);
  assertEquals(state.panics, [[
    "[    2.000000] Kernel panic - not syncing: no reason",
    "[    2.000000] at all",
  ]]);
});

Deno.test("a log is not looked at while the guest prints, idles or runs programs", () => {
  const { state, seconds } = watched(PANIC);
  for (let i = 0; i < 10; i++) {
    state.printed++;
    seconds(1);
  }
  state.inKernel = false;
  seconds(100);
  assertEquals(state.looks, 0);
});

Deno.test("looks grow rare while a kernel is busy in silence, and are frequent anew when it has printed", () => {
  const { state, seconds } = watched([entry(1, "nothing of interest")]);
  seconds(1 + 1 + 2 + 4 + 8 + 8);
  assertEquals(state.looks, 5);
  state.printed++;
  seconds(2);
  assertEquals([state.looks, state.panics], [6, []]);
});

Deno.test("where a second is little time, the first look comes as late as it was told to", () => {
  const { state, seconds } = watched(PANIC, 4);
  seconds(1 + 3);
  assertEquals(state.looks, 0);
  seconds(1);
  assertEquals([state.looks, state.panics.length], [1, 1]);
  state.printed++;
  seconds(1 + 3);
  assertEquals(state.looks, 1);
});

Deno.test("what a program has written into the log is no panic, and a guest without a log has none", () => {
  const quoted = watched([entry(1, "Kernel panic - not syncing: quoted", 1)]);
  quoted.watch.look();
  const none = watched(undefined);
  none.watch.look();
  assertEquals([quoted.state.panics, none.state.panics], [[], []]);
});

Deno.test("what the console did not show is a fault by its rule, whole, and only once", () => {
  const watch = new Watch();
  const lines = [
    "[    0.000000] Linux version 6.12.48",
    "[    1.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100",
    "[    1.000100] CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12.48 #1",
    "[    1.000200] ---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100 ]---",
  ];
  watch.faults.unseen(lines);
  watch.faults.unseen(lines);
  assertEquals(watch.titles, ["kernel panic: Attempted to kill init!"]);
  assertEquals(watch.faults.crash?.report, lines.slice(1).map((line) => `${line}\n`).join(""));
  assertEquals(watch.stops > 0, true);
});
