import { assertEquals, assertThrows } from "@std/assert";
import { DebugPoints, MOST_WATCHED_PAGES, type Watchpoint } from "../../../core/debug/debug_points.ts";

const HIGH = 0xffff_ffff_8000_1000n;
const HALVES = [0x8000_1000 | 0, -1] as const;

Deno.test("a breakpoint stops every vCPU that comes by, and no other address", () => {
  let stops = 0;
  const debug = new DebugPoints(() => stops++);
  assertEquals([debug.armed, debug.stopsAt(0, ...HALVES)], [false, false]);
  debug.setBreakpoints(new Set([HIGH]));
  assertEquals([debug.armed, debug.hasBreakpoint(...HALVES)], [true, true]);
  assertEquals(debug.stopsAt(1, HALVES[0], 0), false); // the same offset in another page
  assertEquals(debug.stopsAt(1, HALVES[0] + 0x1000, -1), false);
  assertEquals(debug.stopsAt(1, ...HALVES), true);
  assertEquals([debug.hit, stops], [{ cpu: 1, address: HIGH }, 1]);
});

Deno.test("one instruction may be let pass", () => {
  const debug = new DebugPoints();
  debug.setBreakpoints(new Set([HIGH, HIGH + 4n]));
  debug.letPass(HIGH);
  assertEquals(debug.stopsAt(0, ...HALVES), false);
  assertEquals(debug.stopsAt(0, HALVES[0] + 4, -1), true);
  debug.letPass(undefined);
  assertEquals(debug.stopsAt(0, ...HALVES), true);
});

Deno.test("code is out of date only where a breakpoint came or went", () => {
  const debug = new DebugPoints();
  const changes: number[] = [];
  debug.onBreakpointChange = (lo) => changes.push(lo);
  debug.setBreakpoints(new Set([0x1000n, 0x2000n]));
  debug.setBreakpoints(new Set([0x2000n, 0x1000n]));
  debug.setBreakpoints(new Set([0x2000n, 0x3000n]));
  debug.setBreakpoints(new Set());
  assertEquals(changes, [0x1000, 0x2000, 0x1000, 0x3000, 0x2000, 0x3000]);
  assertEquals(debug.armed, false);
});

function accesses(watchpoint: Watchpoint, ...list: ["read" | "write", number, number][]): boolean[] {
  const debug = new DebugPoints();
  debug.setWatchpoints([watchpoint]);
  return list.map(([kind, address, size]) => debug.accessed(0, kind, address, 0, size));
}

Deno.test("a watchpoint stops accesses of its kind that overlap it", () => {
  const watch = { kind: "write", address: 0x1004n, length: 4 } as const;
  assertEquals(
    accesses(watch, ["write", 0x1000, 4], ["write", 0x1001, 4], ["write", 0x1007, 1], ["write", 0x1008, 8]),
    [false, true, true, false],
  );
  assertEquals(accesses(watch, ["read", 0x1004, 4]), [false]);
  assertEquals(accesses({ ...watch, kind: "read" }, ["read", 0x1004, 4], ["write", 0x1004, 4]), [
    true,
    false,
  ]);
  assertEquals(accesses({ ...watch, kind: "access" }, ["read", 0x1004, 4], ["write", 0x1004, 4]), [
    true,
    true,
  ]);
});

Deno.test("an access that reaches into a watched page is noticed, and the address is the first watched byte", () => {
  const debug = new DebugPoints();
  debug.setWatchpoints([{ kind: "access", address: 0x2000n, length: 2 }]);
  assertEquals(debug.watchesPage(0x1ffc, 0), false);
  assertEquals(debug.accessed(3, "read", 0x1ffc, 0, 8), true);
  assertEquals(debug.hit, {
    cpu: 3,
    address: 0x2000n,
    watchpoint: { kind: "access", address: 0x2000n, length: 2 },
  });
});

Deno.test("vCPUs are told of each page that is watched from now on, or no longer", () => {
  const pages: string[] = [];
  const debug = new DebugPoints(
    () => {},
    (lo, hi) => pages.push(`${lo.toString(16)} ${hi} ${debug.watchesPage(lo, hi)}`),
  );
  let walkers = 0;
  debug.onWatchedPagesChange = () => walkers++;
  debug.setWatchpoints([{ kind: "read", address: 0x1fffn, length: 2 }]);
  debug.setWatchpoints([{ kind: "write", address: 0x1000n, length: 8 }, {
    kind: "read",
    address: 0x2000n,
    length: 1,
  }]);
  debug.setWatchpoints([{ kind: "write", address: 0x1000n, length: 8 }]);
  debug.setWatchpoints([]);
  assertEquals(pages, ["1000 0 true", "2000 0 true", "2000 0 false", "1000 0 false"]);
  assertEquals([walkers, debug.watching], [3, false]);
});

Deno.test("watchpoints in too many pages are refused, and nothing changes", () => {
  const debug = new DebugPoints();
  const length = 4096 * MOST_WATCHED_PAGES;
  debug.setWatchpoints([{ kind: "read", address: 0x1000n, length }]);
  assertThrows(
    () => debug.setWatchpoints([{ kind: "read", address: 0x1001n, length }]),
    RangeError,
    "Watchpoints may lie in 32 pages",
  );
  assertEquals(debug.watchesPage(0x1000, 0), true);
});
