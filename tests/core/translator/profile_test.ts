import { assertEquals } from "@std/assert";
import { Profile } from "../../../core/translator/profile.ts";

/** Runs through offsets, many times over. */
function seen(times: number, ...ways: readonly (readonly number[])[]): Profile {
  const profile = new Profile();
  profile.clear();
  for (let i = 0; i < times; i++) for (const way of ways) for (const offset of way) profile.add(offset);
  return profile;
}

const never = () => false;
const trace = ({ offsets, length, next }: ReturnType<Profile["follow"]>) => [
  [...offsets.subarray(0, length)],
  next,
];

Deno.test("the loop's head is where most jumps backward lead", () => {
  const inner = [8, 12, 8, 12, 8, 12];
  assertEquals(seen(5, [0, 4, ...inner, 16]).loopHead(), 8);
  assertEquals(seen(1, [0, 4, 8]).loopHead() < 0, true);
});

Deno.test("a trace follows the likeliest way, around loops until it is long enough", () => {
  const profile = seen(10, [0, 4, 12], [0, 4, 12], [0, 4, 8, 12]);
  const atHead = (offset: number, enough: boolean) => enough && offset === 0;
  assertEquals(trace(profile.follow(0, 1, 16, atHead)), [[0, 4, 12], 0]);
  assertEquals(trace(profile.follow(0, 4, 16, atHead)), [[0, 4, 12, 0, 4, 12], 0]);
  assertEquals(trace(profile.follow(0, 16, 4, never)), [[0, 4, 12, 0], 4]);
  assertEquals(trace(profile.follow(8, 1, 16, atHead)), [[8, 12], 0]);
});

Deno.test("a trace ends where there is no likeliest way", () => {
  const targets = [100, 200, 300, 400, 500].map((target) => [0, 4, target]);
  assertEquals(trace(seen(3, ...targets).follow(0, 9, 16, never)), [[0, 4], -1]);
});

Deno.test("what happens elsewhere joins no offsets of the page", () => {
  const profile = new Profile();
  profile.add(0);
  profile.leave();
  profile.add(4);
  profile.add(8);
  assertEquals([profile.countOf(0, 4), profile.countOf(4, 8), profile.count(4)], [0, 1, 1]);
  profile.clear();
  assertEquals([profile.countOf(4, 8), profile.count(4), profile.instructions], [0, 0, 0]);
});

Deno.test("profiles of the same page add up", () => {
  const all = seen(2, [0, 4, 12]);
  all.merge(seen(3, [0, 4, 8, 12]));
  assertEquals([all.instructions, all.count(4), all.countOf(4, 8), all.countOf(4, 12)], [18, 5, 3, 2]);
  assertEquals(trace(all.follow(0, 1, 16, (offset) => offset === 0)), [[0, 4, 8, 12], 0]);
});

Deno.test("what ran elsewhere than in given places is counted", () => {
  const places = new Uint8Array(2048);
  places[0] = places[2] = 1; // offsets 0 and 4
  assertEquals(seen(3, [0, 4, 8, 12]).countOutside(places), 6);
});
