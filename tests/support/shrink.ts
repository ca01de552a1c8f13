/** Makes a failing sequence smaller: parts are taken out for as long as it still fails. */

/** A sequence whose parts can be taken out and put back. */
export interface Shrinkable {
  readonly length: number;
  /** Takes out `count` parts; gives a function that puts them back. */
  remove(first: number, count: number): () => void;
}

/**
 * Takes out all that the failure does not need, in halves, quarters and so on.
 *
 * @param fails Tells how the sequence fails now; undefined when it does not.
 * @returns The last failure; undefined when the whole sequence does not fail.
 */
export async function shrink<T>(
  sequence: Shrinkable,
  fails: () => Promise<T | undefined>,
): Promise<T | undefined> {
  let failure = await fails();
  if (failure === undefined) return undefined;
  for (let size = 2 ** Math.floor(Math.log2(Math.max(sequence.length, 1))); size >= 1; size /= 2) {
    for (let first = 0; first < sequence.length; first += size) {
      const putBack = sequence.remove(first, Math.min(size, sequence.length - first));
      const still = await fails();
      if (still === undefined) putBack();
      else failure = still;
    }
  }
  return failure;
}
