/** When something ran, by the clock that all processes of the machine share. */
export interface Interval {
  readonly from: number
  readonly to: number
}

/** The largest number of intervals that hold at one moment. */
export function mostAtOnce(intervals: readonly Interval[]): number {
  const edges = intervals.flatMap(({ from, to }) => [
    { at: from, step: 1 },
    { at: to, step: -1 },
  ])
  // Where one ends as another begins they do not overlap.
  edges.sort((a, b) => a.at - b.at || a.step - b.step)
  let now = 0
  let most = 0
  for (const { step } of edges) {
    now += step
    most = Math.max(most, now)
  }
  return most
}
