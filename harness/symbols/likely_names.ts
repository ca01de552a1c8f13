/**
 * Of very many names, those most like one that does not exist. `suggest.ts` does it for a few options; here a
 * quarter of a million candidates are looked at, so most are passed over by their length or their letters.
 */

/** Longer names are not looked for: the cost grows with the square. */
const MAX_WANTED_BYTES = 128;

/**
 * The `count` names most like `wanted`, best first: those that only differ by case, begin with it, contain it,
 * or are within a third of its length by edit distance. `nameAt` gives a name as UTF-8.
 */
export function likelyNames(
  wanted: string,
  candidates: number,
  nameAt: (index: number) => Uint8Array,
  count: number,
): string[] {
  const name = lowered(new TextEncoder().encode(wanted).subarray(0, MAX_WANTED_BYTES));
  if (name.length === 0 || count <= 0) return [];
  const allowed = Math.max(2, Math.floor(name.length / 3));
  const letters = letterSet(name);
  const best: { index: number; penalty: number }[] = [];
  for (let index = 0; index < candidates; index++) {
    const candidate = lowered(nameAt(index));
    const worst = best.length < count ? Infinity : best[best.length - 1].penalty;
    const penalty = likeness(name, letters, candidate, Math.min(allowed, worst));
    if (penalty >= worst || penalty > allowed) continue;
    const position = best.findIndex((other) => penalty < other.penalty);
    best.splice(position < 0 ? best.length : position, 0, { index, penalty });
    if (best.length > count) best.pop();
  }
  const decoder = new TextDecoder();
  return [...new Set(best.map(({ index }) => decoder.decode(nameAt(index))))];
}

/** How unlike two names are: edits, or less than two for one that contains the other; Infinity past `limit`. */
function likeness(name: Uint8Array, letters: number, candidate: Uint8Array, limit: number): number {
  const longer = candidate.length - name.length;
  if (longer >= 0 && name.length >= 4) {
    const at = indexOf(candidate, name);
    if (at >= 0) return Math.min(at === 0 ? 1 : 1.5, longer) + longer / 1000;
  }
  if (Math.abs(longer) > limit) return Infinity;
  // Each edit changes the set of letters by two at most.
  if (bitCount(letters ^ letterSet(candidate)) > 2 * limit) return Infinity;
  return editDistance(name, candidate, limit);
}

/** Levenshtein distance; Infinity once it must exceed `limit`. */
function editDistance(a: Uint8Array, b: Uint8Array, limit: number): number {
  let row = Uint16Array.from({ length: b.length + 1 }, (_, i) => i);
  let next = new Uint16Array(b.length + 1);
  for (let i = 1; i <= a.length; i++) {
    next[0] = i;
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, row[j] + 1, next[j - 1] + 1);
      if (next[j] < least) least = next[j];
    }
    if (least > limit) return Infinity;
    [row, next] = [next, row];
  }
  return row[b.length];
}

function lowered(name: Uint8Array): Uint8Array {
  return name.map((byte) => byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);
}

function letterSet(name: Uint8Array): number {
  let set = 0;
  for (const byte of name) set |= 1 << (byte & 31);
  return set;
}

function bitCount(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function indexOf(text: Uint8Array, part: Uint8Array): number {
  for (let at = text.indexOf(part[0]); at >= 0; at = text.indexOf(part[0], at + 1)) {
    if (at + part.length > text.length) return -1;
    let same = 1;
    while (same < part.length && text[at + same] === part[same]) same++;
    if (same === part.length) return at;
  }
  return -1;
}
