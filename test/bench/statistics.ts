/** What is said of a handful of samples, all in their own unit. */
export interface Summary {
  readonly count: number;
  readonly best: number;
  readonly median: number;
  readonly p95: number;
  readonly worst: number;
}

/** @throws RangeError without a sample. */
export function summary(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new RangeError('there is no sample');
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    count: sorted.length,
    best: quantile(sorted, 0),
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    worst: quantile(sorted, 1),
  };
}

export const median = (samples: readonly number[]): number => summary(samples).median;

/** Between two samples it is taken in proportion, as R's default (type 7) does. */
function quantile(sorted: readonly number[], at: number): number {
  const place = (sorted.length - 1) * at;
  const low = sorted[Math.floor(place)]!;
  const high = sorted[Math.ceil(place)]!;
  return low + (high - low) * (place - Math.floor(place));
}
