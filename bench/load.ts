import { build, type Histogram } from "hdr-histogram-js"

/** One call; it must reject or throw when the reply is not what was asked for. */
export type Call = (i: number) => Promise<unknown>

/** Latencies in microseconds of `count` calls made one after another, after a tenth as many to warm up. */
export async function oneAtATime(call: Call, count: number): Promise<Histogram> {
  const histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000 })
  for (let i = 0; i < count / 10; i++) await call(i)
  for (let i = 0; i < count; i++) {
    const start = Bun.nanoseconds()
    await call(i)
    histogram.recordValue(Math.round((Bun.nanoseconds() - start) / 1_000))
  }
  return histogram
}

/** The same for calls that block. */
export function oneAfterAnother(call: (i: number) => unknown, count: number): Histogram {
  const histogram = build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000 })
  for (let i = 0; i < count / 10; i++) call(i)
  for (let i = 0; i < count; i++) {
    const start = Bun.nanoseconds()
    call(i)
    histogram.recordValue(Math.round((Bun.nanoseconds() - start) / 1_000))
  }
  return histogram
}

/** Calls per second with `flights` calls in flight at any time (a closed loop), for `ms` milliseconds. */
export async function inFlight(call: Call, flights: number, ms: number): Promise<number> {
  let done = 0
  const start = performance.now()
  const end = start + ms
  const fly = async () => {
    while (performance.now() < end) {
      await call(done)
      done++
    }
  }
  await Promise.all(Array.from({ length: flights }, fly))
  return (done * 1_000) / (performance.now() - start)
}

export function p50(histogram: Histogram): number {
  return histogram.getValueAtPercentile(50)
}

/** The middle one of some rounds' values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}
