/**
 * The seeds that a random test runs: `BOOTWRIGHT_SEEDS=FIRST-LAST`, or `BOOTWRIGHT_SEEDS=SEED` to look at one
 * failure again, or else the test's own.
 */
export function seedRange(first: number, last: number): [first: number, last: number] {
  const wanted = Deno.env.get("BOOTWRIGHT_SEEDS");
  if (wanted === undefined) return [first, last];
  const [from, to = from] = wanted.split("-").map(Number);
  return [from, to];
}
