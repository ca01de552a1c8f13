/** The few statistics that the bench's table needs. */

/** Least, middle and greatest of some figures. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** The middle figure; of an even number of them, the mean of the middle two. NaN of none. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle];
  return (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The n-th root of the product of n positive figures. NaN of none. */
export function geometricMean(figures: readonly number[]): number {
  const logarithms = figures.reduce((sum, figure) => sum + Math.log(figure), 0);
  return Math.exp(logarithms / figures.length);
}

/** How far figures spread; undefined of none. */
export function spread(figures: readonly number[]): Spread | undefined {
  if (figures.length === 0) return undefined;
  return { min: Math.min(...figures), median: median(figures), max: Math.max(...figures) };
}
